"""`python -m lab.toolchain ensure [NAME…] | path NAME | list`."""

import argparse
import signal
import sys

from lab.toolchain import TOOL_NAMES, ToolchainError, ensure, find, tensorflow
from lab.toolchain.plugins import describe


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        options.run(options)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "error: interrupted; nothing half-built is kept, the same command goes on",
            file=sys.stderr,
        )
        return 130
    return 0


def _terminated(number: int, _: object) -> None:
    """Ends as after Ctrl-C: what runs is ended, nothing half-built is kept."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.toolchain",
        description="The tools this project runs, in their pinned versions.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ensuring = commands.add_parser(
        "ensure", help="provide tools, building what is missing (all of them by default)"
    )
    ensuring.add_argument("names", nargs="*", metavar="NAME")
    ensuring.set_defaults(run=_ensure)
    path = commands.add_parser("path", help="print the path of a tool that is there")
    path.add_argument("name", metavar="NAME")
    path.set_defaults(run=lambda options: print(find(options.name).path))
    listing = commands.add_parser(
        "list", help="show every tool, its version and where it comes from"
    )
    listing.set_defaults(run=_list)
    return parser


def _ensure(options: argparse.Namespace) -> None:
    for tool in ensure(options.names or TOOL_NAMES).values():
        print(describe([tool]))


def _list(_: argparse.Namespace) -> None:
    for name in (
        *TOOL_NAMES,
        *(
            tensorflow.PREFIX + version
            for version in sorted(
                {*tensorflow.TESTED, *tensorflow.there()}, key=list(tensorflow.RELEASES).index
            )
        ),
    ):
        try:
            print(describe([find(name)]))
        except ToolchainError:
            print(f"{name:<28}{'-':<10}not there")


if __name__ == "__main__":
    sys.exit(main())
