"""Takes a stack down: guard, plan, ordered destroy with waits, and a scan for leftovers. `python -m
ops.teardown --help`.
"""
