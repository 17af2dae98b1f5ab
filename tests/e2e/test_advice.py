"""What a failed run advises is tried: the cause is brought about, the advice followed, and the
stack is as it was asked for. Which test shows which cause: tests/ops/test_failed_runs.py.
"""

from __future__ import annotations

import pytest

from ops.engine import remediation
from tests.e2e.harness import Lab

REFUSAL = {"match": {"service": "ram", "call": "GetRole"}, "times": 1000, "kind": "error"}
REFUSALS = {
    remediation.FORBIDDEN: {"status": 403, "code": "NoPermission", "message": "Not authorized."},
}


def told(lab: Lab, cause: str, *options: str) -> None:
    """`make up` fails, and what it prints is the advice for this cause."""
    failed = lab.python("ops.up", *options)
    said = failed.stdout + failed.stderr
    assert failed.returncode != 0 and f"do: {remediation._ADVICE[cause]}" in said, said


def goes_on(lab: Lab, *options: str) -> None:
    """The command that was advised ends well, and nothing is left to do."""
    again = lab.python("ops.up", *options)
    assert again.returncode == 0, again.stdout + again.stderr
    lab.up("--expect-no-changes")


@pytest.mark.parametrize("cause", REFUSALS)
def test_a_refused_call_is_made_possible_and_the_same_command_goes_on(
    deployed: Lab, cause: str
) -> None:
    deployed.control("faults", "POST", {**REFUSAL, **REFUSALS[cause]})
    try:
        told(deployed, cause, "--refresh")
    finally:
        deployed.control("faults", "DELETE")
    goes_on(deployed, "--refresh")
