"""`make drift`: what differs from what was deployed, by resource; autoscalers' differences are told
from real ones. Changes nothing.

Every resource is read and compared with the stack's state. The program runs only where a difference
is found, to tell what `up` would do about it, or with --program, which also finds what the program
asks for and nobody has deployed.

A resource that can't be read is named with its cause, and all the others are told.

Exit status: 0 no real difference, 7 at least one (as of the CLI's own --expect-no-changes), 1 none
was found and not everything could be read.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ops.check import require_good
from ops.drift.compare import (
    Difference,
    as_dicts,
    differences,
    is_real,
    is_settled,
    without_program,
)
from ops.drift.look import Look, Unread, read_all, with_program
from ops.engine.account import require_account
from ops.engine.cli import Stack, require_cli
from ops.engine.cluster_objects import is_cluster_object
from ops.engine.kubeconfig import is_temporary
from ops.engine.previews import PreviewFormatError
from ops.engine.urns import name_of, type_of

DIFFERENT = 7
BY_HAND = "security, by hand"
"""The title of those that matter for security and no update puts back."""
TITLES = {
    "changed": "changed outside of this program; `make up STACK={0} REFRESH=1` puts it back",
    "gone": "gone; `make up STACK={0} REFRESH=1` makes it again",
    "undeployed": "asked for by the program and not deployed, or a consequence of the above; `make up STACK={0}` does it",
    "security": "set by others, not by this program, where it decides who gets in, what runs or what is paid for: "
    "`make up STACK={0} REFRESH=1` takes it away; write it into the program if it is right",
    BY_HAND: "set by others, not by this program, where it decides who gets in or what runs: no up takes it away, because it is "
    "in the cloud, where the provider sends what the program says and nothing else, or at an object that was adopted; remove it by hand "
    "(console, kubectl), or write it into the program if it is right",
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
        result, found = read_differences(stack, options.program)
    except PreviewFormatError as error:
        print(f"error: stack {stack.name}: {error}", file=sys.stderr)
        return 1
    if options.json:
        rows = [*as_dicts(result), *map(_unknown, found.unread)]
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    print(report(stack.name, len(found.events.reads), result, found.unread, found.unplanned))
    if any(map(is_real, result)):
        return DIFFERENT
    return 0 if found.complete else 1


def report(
    stack: str,
    read: int,
    results: list[Difference],
    unread: Sequence[Unread] = (),
    unplanned: Sequence[str] = (),
) -> str:
    """The differences as a person reads them, what is not known after them, the summary last."""
    lines = []
    for sort, title in TITLES.items():
        rows = [one for one in results if _title_of(one) == sort]
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
    lines += ["not known how these are now; the others are told above"] if unread else []
    for one in unread:
        lines.append(f"  {name_of(one.urn)} ({type_of(one.urn)}): {one.cause}")
        lines += [f"    do: {one.remedy}"] if one.remedy else []
    if unplanned:
        lines += ["not known what `up` would do about these", *(f"  {one}" for one in unplanned)]
    counts = Counter(difference.sort for difference in results)
    listed = [f"{counts[sort]} {said}" for sort, said in COUNTED.items() if counts[sort]]
    told = [
        *(listed or ["none differs"]),
        *([f"{len(unread)} could not be read"] if unread else []),
    ]
    return "\n".join([*lines, f"{stack}: {read} resources looked at, {', '.join(told)}"])


def _title_of(difference: Difference) -> str:
    """Under which title a difference is told."""
    put_back = is_cluster_object(difference.kind) and not difference.retained
    return BY_HAND if difference.sort == "security" and not put_back else difference.sort


def _unknown(one: Unread) -> dict[str, Any]:
    """A resource that was not read, beside the differences as JSON."""
    return {
        "sort": "unknown",
        "name": name_of(one.urn),
        "kind": type_of(one.urn),
        "op": "",
        "properties": [],
        "cause": one.cause,
        "remedy": one.remedy,
    }


def read_differences(stack: Stack, program: bool) -> tuple[list[Difference], Look]:
    """The differences, and how they were found. Raises PreviewFormatError when nothing can be
    told.
    """
    require_good(stack.name)
    if stack.in_lab:
        from ops.lab import start  # noqa: PLC0415 - 0.2 s that a real stack does not need

        start(quiet=True)
    else:
        require_cli()
        require_account(stack)  # with another's keys everything would be reported as gone
    found = None
    if not (program or is_temporary(stack)):
        found = read_all(stack)
        if is_settled(found.events) or found.unread:
            return without_program(found.events), found
        print(
            "something differs; asking the program what it wants of it …",
            file=sys.stderr,
            flush=True,
        )
    found = with_program(stack, found)
    return (differences if found.planned else without_program)(found.events), found


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
