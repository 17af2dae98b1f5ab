"""`make destroy STACK=…`: destroys a stack in order and looks for leftovers.

Exit status: 0 nothing is left; 1 something is left, could not be read, or could not be deleted; 2
refused, nothing was touched; 130 interrupted. The same command continues where an earlier one was
stopped, killed or failed.
"""

from __future__ import annotations

import argparse
import os
import sys

from lab.state import is_running
from ops.cloud.errors import CloudError
from ops.engine import stack_location
from ops.engine.cli import ROOT, CommandFailed, Stack, environment, inside_lab, require_cli
from ops.lab import home
from ops.teardown import guard
from ops.teardown.guard import RefusedError
from ops.teardown.teardown import Options, Teardown, explain, take_terminate_as_interrupt
from ops.teardown.waits import PATIENCE

REFUSED, INTERRUPTED = 2, 130


def parser() -> argparse.ArgumentParser:
    """Builds the argument parser of `python -m ops.teardown`."""
    command_line = argparse.ArgumentParser(
        prog="python -m ops.teardown",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command_line.add_argument("--stack", default="local")
    command_line.add_argument(
        "--confirm",
        default="",
        metavar="NAME",
        help="the stack's name, instead of typing it on a terminal",
    )
    command_line.add_argument("--plan", action="store_true", help="print the plan and stop")
    command_line.add_argument(
        "--scan", action="store_true", help="delete nothing, only scan for leftovers"
    )
    command_line.add_argument(
        "--keep-model",
        action="store_true",
        help="keep bucket and model, in the state as well: the next `up` finds them",
    )
    command_line.add_argument(
        "--keep-nothing",
        action="store_true",
        help="the default; for scripts that always pass an option",
    )
    command_line.add_argument(
        "--keep-protected", action="store_true", help="leave what is protected, take down the rest"
    )
    command_line.add_argument(
        "--unprotect", action="store_true", help="take down what is protected as well"
    )
    command_line.add_argument(
        "--cluster-gone",
        action="store_true",
        help="the cluster is gone for good: forget the objects in it",
    )
    command_line.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="longest wait after a stage (%(default)g)",
    )
    command_line.add_argument(
        "--report", default="", metavar="FILE", help="write the report as JSON, too"
    )
    return command_line


def main() -> int:
    """Runs guard, plan, destroy, scan and report. Returns the exit status above."""
    options = parser().parse_args()
    stack = Stack(options.stack)
    if options.keep_protected and options.unprotect:
        parser().error(
            "--keep-protected and --unprotect: expected one of them; it is ambiguous which applies"
        )
    try:
        guard.check_confirmation(options.stack, options.confirm)
    except RefusedError as problem:
        return refused(problem)
    if stack.in_lab and not inside_lab():
        return into_lab()
    if not stack.in_lab:
        require_cli()

    take_terminate_as_interrupt()
    try:
        return teardown(stack, options)
    except RefusedError as problem:
        return refused(problem)
    except CommandFailed as failure:
        return explain(failure)
    except CloudError as error:
        print(
            f"error: {error}\nOnce the cause is gone the same command continues from here.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what is deleted stays deleted, and the same command continues from here",
            file=sys.stderr,
        )
        return INTERRUPTED


def teardown(stack: Stack, options: argparse.Namespace) -> int:
    """Runs the teardown in this process, which can reach the stack's cloud. Returns the exit
    status.
    """
    names = ("confirm", "keep_model", "keep_protected", "unprotect", "cluster_gone", "patience")
    work = Teardown(
        stack,
        Options(**{name: getattr(options, name) for name in names}),
        stack_location.config_of(stack.name),
    )
    wanted = work.plan()
    if not options.scan:
        print(work.show(wanted), flush=True)
    if options.plan:
        return 0
    if not options.scan:
        protected = any(resource.protect for resource in work.state.real)
        guard.confirm(
            stack.name,
            options.confirm,
            protected=protected,
            quiet=stack.in_lab or not work.state.real,
        )
        wanted = work.destroy()
    report = work.scan(wanted)
    report.write(options.report)
    print(report.text(), file=sys.stdout if report.clean else sys.stderr)
    return 0 if report.clean else 1


def refused(problem: RefusedError) -> int:
    """Says why nothing was touched; returns the exit status."""
    print(f"error: {problem}", file=sys.stderr)
    return REFUSED


def into_lab() -> int:
    """Replaces this process by the same command inside the lab, where the double can be reached."""
    if not is_running(home()):
        print(
            "error: the lab does not run, and neither does anything in it\n  remedy: make up starts it again",
            file=sys.stderr,
        )
        return REFUSED
    os.chdir(ROOT)
    words = [
        sys.executable,
        "-m",
        "lab",
        "exec",
        "--",
        sys.executable,
        "-m",
        "ops.teardown",
        *sys.argv[1:],
    ]
    sys.stdout.flush()
    os.execve(sys.executable, words, environment())


if __name__ == "__main__":
    raise SystemExit(main())
