"""Takes a stack down: guard, plan, ordered destroy with waits, a look for what is left. `python -m
ops.teardown --help`.
"""
