"""A preview of any stack with no credentials, no network and no state: what a fork's pull request
can run.
"""
