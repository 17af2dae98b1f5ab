"""Stand-in for the published kubernetes plugin of Pulumi, for the lab: same checks, diffs, state, waits and messages.

An ordinary resource plugin over gRPC, in front of a real API server. It refuses any cluster outside the lab; what it does
differently from the published plugin is listed in ``DIFFERENCES.md`` (and nothing else: a test compares).
"""

VERSION = "4.32.0"
