"""Policies that hold for every stack, as rules over resources: run by the CLI's policy host and by
`python -m ops.policy_check`.
"""
