"""The project's commands, each a module that `python -m` starts; the Makefile names them."""

import sys

if sys.argv[:1] == ["-m"]:  # one of them is being started: guarded before it loads anything
    from ops.entry import guard

    guard()
