"""One module per service or part of one; `registry.load_services` imports them all, which registers
their calls.
"""
