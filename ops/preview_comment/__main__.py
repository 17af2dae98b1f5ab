"""`python -m ops.preview_comment --stack NAME PREVIEW.json > comment.md`; `… post` posts it; `…
build` and `… publish` are CI's; `… page` shows one.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

from ops.engine.previews import Preview, PreviewFormatError, parse
from ops.preview_comment import build, page, policies, post
from ops.preview_comment.render import CommentInput, marker, render


def main(arguments: list[str]) -> int:
    """Renders a comment, or runs the subcommand that the first word names. Returns the exit
    status.
    """
    commands = {
        "post": post.main,
        "build": build.build,
        "publish": build.publish,
        "page": page.main,
    }
    if arguments[:1] and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m ops.preview_comment", description=__doc__)
    parser.add_argument(
        "preview",
        type=pathlib.Path,
        metavar="PREVIEW.json",
        help="what `pulumi preview --json` printed",
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--policy",
        type=pathlib.Path,
        metavar="POLICY.json",
        help="what `python -m ops.policy_check --json` wrote",
    )
    parser.add_argument(
        "--failed",
        type=pathlib.Path,
        metavar="LOG",
        help="the preview failed; this is what it said",
    )
    parser.add_argument("--note", default="", help="a line at the foot: how the preview was made")
    parser.add_argument(
        "--region", default="", help="region to take prices for when the preview doesn't name one"
    )
    options = parser.parse_args(arguments)
    try:
        marker(options.stack)
        print(render(read_inputs(options)), end="")
    except (PreviewFormatError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def read_inputs(options: argparse.Namespace) -> CommentInput:
    """Reads the files. A failed preview may have left no document, or a part of one."""
    failed = options.failed.read_text(errors="replace") if options.failed else None
    text = (
        options.preview.read_text(errors="replace")
        if options.preview.exists() or failed is None
        else ""
    )
    try:
        preview = parse(text)
    except PreviewFormatError:
        if failed is None:
            raise
        preview = Preview()
    results = policies.gather(
        preview, options.policy.read_text(errors="replace") if options.policy else ""
    )
    return CommentInput(options.stack, preview, results, failed, options.note, options.region)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
