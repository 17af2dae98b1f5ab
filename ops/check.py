"""`make check STACK=…`: every mistake in the stack's settings at once, within a second: no engine,
no plugin, no cloud.

Exit status: 0 the settings can be used, 1 they can't, 2 the command line is wrong. `make up`,
`make preview` and `make drift` do the same first.
"""

from __future__ import annotations

import argparse
import os
import sys

from ops.engine.cli import ROOT, require_stack_file
from settings.core.problem import SettingsError
from settings.core.stack_file import StackFileError, read


def problems(stack: str) -> str:
    """Every problem of the stack's settings as one text, "" when the settings are valid."""
    try:
        file = read(ROOT, stack)
        mistakes = file.problems(os.environ)
    except StackFileError as error:
        return f"{error}. Nothing was changed."
    return str(SettingsError(mistakes, stack)) if mistakes else ""


def require_good(stack: str) -> None:
    """Ends the process with one message when the checkout has no Pulumi.<stack>.yaml or its
    settings are not valid.
    """
    require_stack_file(stack)
    if text := problems(stack):
        raise SystemExit(f"error: {text}")


def main() -> int:
    """Prints every problem of one stack's settings; returns 0 when there is none, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="local")
    stack = parser.parse_args().stack
    if text := problems(stack):
        print(f"error: {text}", file=sys.stderr)
        return 1
    file = read(ROOT, stack)
    encrypted = (
        f"; encrypted, so not looked at: {', '.join(sorted(file.secret))}" if file.secret else ""
    )
    elsewhere = "; values from Pulumi ESC are not known here" if file.imports else ""
    print(f"{stack}: the settings can be used{encrypted}{elsewhere}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
