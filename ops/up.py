"""`make up`: deploys a stack until its endpoint answers predictions. Can be repeated and
interrupted at any point.

Ends with 0 once the pods are ready. The model's answer is printed but does not change the exit
status: before there is a DNS record, or without the user's password, the model cannot be asked.
`make smoke` asks again, and fails on a wrong answer.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from ops.check import require_good
from ops.drift.put_back import put_back
from ops.engine.cli import OVERWRITE_FOREIGN_FIELDS, CommandFailed, Stack, require_stack
from ops.engine.run import run_operation
from ops.instance_types import refuse_wrong
from ops.smoke import after_up

UNASKED = ("--yes", "--suppress-outputs", "--suppress-progress")
"""Options of the CLI where nobody sits before it: a log gets the changes, and neither the stack's
outputs nor a dot a second.
"""


def main() -> int:
    """Deploys the stack and asks its model once."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.up",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="look first how things really are: puts back what was changed by hand, and takes away what was added",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="do not ask: show the changes, then make them; for logs, without the stack's outputs",
    )
    parser.add_argument(
        "--policies",
        action="store_true",
        help="have the CLI run the policy pack (policy/): a violation ends the run before a change",
    )
    options = parser.parse_args()
    try:
        return deploy(options.stack, options.refresh, yes=options.yes, policies=options.policies)
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what was done is kept, the same command continues from here",
            file=sys.stderr,
        )
        return 130


def deploy(name: str, refresh: bool, *, yes: bool = False, policies: bool = False) -> int:
    """Deploys and returns the exit status: 0 when everything is ready, else the engine's, after the
    cause has been printed.
    """
    require_good(name)
    if refresh:
        os.environ.update(OVERWRITE_FOREIGN_FIELDS)
    stack = Stack(name)
    if not stack.in_lab:
        require_stack(stack)
        if not (yes or sys.stdin.isatty()):
            raise SystemExit(
                f"error: stack {name}: no terminal to confirm the changes on. Nothing was changed.\n"
                f"  remedy: make up STACK={name} YES=1 shows the changes and makes them without a question"
            )
    started = time.monotonic()
    try:
        words = [*(["--refresh"] if refresh else []), *(policy_pack() if policies else [])]
        if stack.in_lab:
            deploy_in_lab(stack, *words)
        else:
            refuse_wrong(stack)
            # settles what an interrupted update left open, shows the changes and asks
            prepare = (lambda one: put_back(one, lambda: yes or _agreed())) if refresh else None
            run_operation(stack, "up", *words, *(UNASKED if yes else []), prepare=prepare)
    except CommandFailed as failure:
        from ops.diagnose import after_failure  # noqa: PLC0415 - only a failed update needs it

        after_failure(stack)
        print(
            "The update did not finish. What was done is kept; once the cause is gone the same command continues from here.",
            file=sys.stderr,
        )
        return failure.code
    print(f"\n{stack.name} is up after {time.monotonic() - started:.0f} s\n")

    after_up(stack)
    return 0


def deploy_in_lab(stack: Stack, *options: str) -> None:
    """Starts the lab and runs `pulumi up` without a preview, since nobody is asked. With --refresh
    the preview is kept: it runs the program, which refuses another account's credentials, before
    the refresh writes a state in which everything looks deleted.
    """
    from ops import lab  # noqa: PLC0415 - 0.2 s that a real stack does not need

    lab.start(stack=stack.name)
    if not stack.exists():
        stack.run("stack", "init", stack.name)
    unseen = [] if "--refresh" in options else ["--skip-preview"]
    prepare = (lambda one: put_back(one, lambda: True)) if "--refresh" in options else None
    run_operation(stack, "up", "--yes", *unseen, *options, prepare=prepare)


def _agreed() -> bool:
    """Whether the person at the terminal says yes."""
    return input("Put it back? [y/N] ").strip().lower() in ("y", "yes")


def policy_pack() -> list[str]:
    """The CLI's options that run the policy pack, whose packages are installed if they are not.
    Ends the process when that fails.
    """
    from ops.policy_environment import PACK, PolicyEnvironmentError, ensure  # noqa: PLC0415 - only --policies needs it

    try:
        ensure()
    except PolicyEnvironmentError as error:
        raise SystemExit(f"error: {error}. Nothing was changed.") from None
    return ["--policy-pack", str(PACK)]


if __name__ == "__main__":
    raise SystemExit(main())
