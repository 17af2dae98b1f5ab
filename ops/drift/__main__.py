"""`make drift`: what differs from what was deployed, by resource; autoscalers' differences are told
from real ones. Changes nothing.

Every resource is read and compared with the stack's state. The program runs only where a difference
is found, to tell what `up` would do about it, or with --program, which also finds what the program
asks for and nobody has deployed.

Exit status: 0 no real difference, 7 at least one (as of the CLI's own --expect-no-changes), 1 it
could not be told.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import time
from collections import Counter

from ops.check import require_good
from ops.drift.compare import (
    Difference,
    as_dicts,
    differences,
    is_real,
    is_settled,
    without_program,
)
from ops.drift.events import Events, events
from ops.engine.account import require_account
from ops.engine.cli import (
    OVERWRITE_FOREIGN_FIELDS,
    Stack,
    environment,
    own_temporary_directory,
    require_cli,
)
from ops.engine.kubeconfig import is_temporary
from ops.engine.previews import PreviewFormatError

DIFFERENT = 7
PROGRESS = 5.0
"""Seconds between two lines that say how far it is."""
TITLES = {
    "changed": "changed outside of this program; `make up STACK={0} REFRESH=1` puts it back",
    "gone": "gone; `make up STACK={0} REFRESH=1` makes it again",
    "undeployed": "asked for by the program and not deployed, or a consequence of the above; `make up STACK={0}` does it",
    "security": "set by others, not by this program, where it decides who gets in or what runs: no up takes it away; "
    "remove it by hand (kubectl, console), or write it into the program if it is right",
    "owned": "moved by its autoscaler: no up and no refresh sets it back",
    "other": "not set by this program: no up changes it",
}
COUNTED = {
    "changed": "changed",
    "gone": "gone",
    "undeployed": "not deployed",
    "security": "security-relevant and not ours",
    "owned": "moved by autoscalers",
    "other": "not ours",
}


def main(arguments: list[str] | None = None) -> int:
    """Compares every resource with the stack's state and prints the differences. Returns the exit
    status above.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.drift",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--json", type=pathlib.Path, metavar="FILE", help="write the differences there as well"
    )
    parser.add_argument(
        "--program",
        action="store_true",
        help="find what the program asks for and is not deployed, too",
    )
    options = parser.parse_args(arguments)
    stack = Stack(options.stack)
    try:
        result, read = read_differences(stack, options.program)
    except PreviewFormatError as error:
        print(f"error: stack {stack.name}: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(as_dicts(result), indent=1, ensure_ascii=False) + "\n")
    print(report(stack.name, read, result))
    return DIFFERENT if any(map(is_real, result)) else 0


def report(stack: str, read: int, results: list[Difference]) -> str:
    """The differences as a person reads them, the summary last."""
    lines = []
    for sort, title in TITLES.items():
        rows = [difference for difference in results if difference.sort == sort]
        lines += [title.format(stack)] if rows else []
        for difference in rows:
            lines.append(
                f"  {difference.name} ({difference.kind}){f': up would {difference.op} it' if difference.op else ''}"
            )
            verb = "the program says" if difference.op else "is now"
            lines += [
                f"    {part.path}: {part.was}, {verb} {part.now}{f' ({part.owner})' if part.owner else ''}"
                for part in difference.properties
            ]
    counts = Counter(difference.sort for difference in results)
    listed = ", ".join(f"{counts[sort]} {said}" for sort, said in COUNTED.items() if counts[sort])
    return "\n".join([*lines, f"{stack}: {read} resources looked at, {listed or 'none differs'}"])


def read_differences(stack: Stack, program: bool) -> tuple[list[Difference], int]:
    """The differences, and how many resources were read. Raises PreviewFormatError when it can't be
    told what differs.
    """
    require_good(stack.name)
    if stack.in_lab:
        from ops.lab import start  # noqa: PLC0415 - 0.2 s that a real stack does not need

        start(quiet=True)
    else:
        require_cli()
        require_account(stack)  # with another's keys everything would be reported as gone
    temporary = is_temporary(stack)
    refresh = None
    if not (program or temporary):
        refresh = _ask(stack, "refresh", "--preview-only")
        _fail_on(refresh)
        if is_settled(refresh):
            return without_program(refresh), len(refresh.reads)
        print(
            "something differs; asking the program what it wants of it …",
            file=sys.stderr,
            flush=True,
        )
    # A kubeconfig that has run out can't read the cluster: the program asks for another one first.
    stream = _ask(stack, "preview", "--refresh", *(["--run-program"] if temporary else []))
    if (
        stream.errors and refresh is not None
    ):  # the program, or a plugin's preview, fails on what was found: the differences are reported anyway
        _say(stream)
        print("warning: what `up` would do about these is not known, see above", file=sys.stderr)
        return without_program(refresh), len(refresh.reads)
    _fail_on(stream)
    return differences(stream), len(stream.reads)


def _fail_on(found: Events) -> None:
    _say(found)
    if found.errors:
        raise PreviewFormatError("what differs is not known, see above; nothing was changed")


def _say(found: Events) -> None:
    for message in found.errors:
        text = message.text.strip()
        print(text if text.startswith("error:") else f"error: {text}", file=sys.stderr)


def _ask(stack: Stack, *command: str) -> Events:
    """Runs the CLI, which reads every resource; says how far it is. Raises PreviewFormatError."""
    lines, reported_at = [], time.monotonic()
    with own_temporary_directory() as variables:
        process = subprocess.Popen(
            stack.command(*command, "--stack", stack.name, "--json", "--non-interactive"),
            env={
                **environment(),
                **OVERWRITE_FOREIGN_FIELDS,
                **variables,
                "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        print(f"reading every resource of stack {stack.name} …", file=sys.stderr, flush=True)
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if time.monotonic() - reported_at > PROGRESS:
                reported_at = time.monotonic()
                print(
                    f"  {sum('resOutputsEvent' in one for one in lines)} answers",
                    file=sys.stderr,
                    flush=True,
                )
        code = process.wait()
    found = events("".join(lines))
    if code != 0 and not found.errors:
        raise PreviewFormatError(
            f"`pulumi {' '.join(command)}` ended with exit status {code}, see above; is the stack there (make up)?"
        )
    return found


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
