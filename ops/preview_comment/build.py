"""What CI does for a stack of a pull request, in one command that works on a desk as well.

`build` previews offline, checks the policies, and makes the comment; it leaves preview.json,
preview.log, policy.json, facts.json and comment.md in a directory. It runs the pull request's own
code, so it is given nothing worth having. `publish` renders such directories again, with the code
it is run from, and posts. It reads them as data made by anybody.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from typing import Any

from ops.engine.previews import Preview, PreviewFormatError, parse
from ops.preview_comment import policies, post
from ops.preview_comment.github import GitHub, GitHubError
from ops.preview_comment.render import CommentInput, marker, render

LARGEST = 64 << 20
"""Bytes of one file that are read: more than any preview has."""


def build(arguments: list[str]) -> int:
    """Previews, checks the policies and writes the comment. Returns 1 when the preview fails or a
    mandatory policy is violated; the comment is written in any case.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.preview_comment build", description=__doc__
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--base",
        default="",
        metavar="COMMIT",
        help="what to compare with; without it everything is new",
    )
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIRECTORY")
    options = parser.parse_args(arguments)
    from lab.toolchain import ToolchainError  # noqa: PLC0415 - 0.2 s that only --offline needs
    from ops import policy_check  # noqa: PLC0415 - publish runs where nothing is installed
    from ops.offline import run  # noqa: PLC0415 - 0.2 s that only --offline needs
    from ops.offline.workspace import OfflineError  # noqa: PLC0415 - 0.2 s that only --offline needs

    marker(options.stack)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        found = run.preview(options.stack, options.base)
    except (OfflineError, ToolchainError) as error:
        found = run.Previewed(1, "", f"error: {error}\n")
    (options.out / "preview.json").write_text(found.document)
    (options.out / "preview.log").write_text(found.log)
    code = found.code
    if code == 0:
        preview = str(options.out / "preview.json")
        code = policy_check.main(
            [preview, "--stack", options.stack, "--json", str(options.out / "policy.json")]
        )
    facts = {"stack": options.stack, "failed": found.code != 0, "base": found.base}
    (options.out / "facts.json").write_text(json.dumps(facts) + "\n")
    (options.out / "comment.md").write_text(render(read(options.out)))
    print(f"wrote {options.out / 'comment.md'}", file=sys.stderr)
    return 1 if code else 0


def publish(arguments: list[str]) -> int:
    """Posts a comment for each directory below one. Returns 1 when one cannot be read or posted;
    the others are posted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.preview_comment publish", description=__doc__
    )
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument(
        "--repository", default=os.environ.get("GITHUB_REPOSITORY", ""), metavar="OWNER/NAME"
    )
    parser.add_argument(
        "--head", required=True, metavar="OWNER:BRANCH", help="where the pull request comes from"
    )
    parser.add_argument("--sha", required=True, help="the commit that was previewed")
    parser.add_argument("--author", default=post.AUTHOR)
    options = parser.parse_args(arguments)
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token or not options.repository:
        parser.error("needs GITHUB_TOKEN and --repository")
    hub = GitHub(
        os.environ.get("GITHUB_API_URL", "https://api.github.com"), options.repository, token
    )
    failed = 0
    for directory in sorted(
        one for one in options.directory.iterdir() if one.is_dir() and not one.is_symlink()
    ):
        try:
            given = read(directory)
            print(
                f"{given.stack}: {post.post(hub, render(given), given.stack, options.author, None, options.head, options.sha)}"
            )
        except (PreviewFormatError, GitHubError, ValueError, OSError, RecursionError) as error:
            print(
                f"error: {post.one_line(directory.name)}: {post.one_line(str(error))}",
                file=sys.stderr,
            )
            failed = 1
    return failed


def read(directory: pathlib.Path) -> CommentInput:
    """The inputs of a comment from the files that `build` left. Raises PreviewFormatError or
    ValueError.
    """
    facts: Any = json.loads(_text(directory / "facts.json"))
    if not isinstance(facts, dict) or not isinstance(facts.get("stack"), str):
        raise PreviewFormatError("facts.json names no stack")
    marker(facts["stack"])
    failed = _text(directory / "preview.log") if facts.get("failed") else None
    try:
        preview = parse(_text(directory / "preview.json"))
    except PreviewFormatError:
        if failed is None:
            raise
        preview = Preview()
    results = policies.gather(preview, _text(directory / "policy.json"))
    base = str(facts.get("base") or "")[:40]
    against = f"against {base}" if base else "against nothing: everything shows as new"
    note = f"Previewed offline {against}. No cloud was asked: what was changed there by hand is not seen."
    return CommentInput(facts["stack"], preview, results, failed, note)


def _text(path: pathlib.Path) -> str:
    """A file's text; "" when there is none. Raises ValueError for what is no ordinary file of an
    ordinary size.
    """
    if not path.exists() and not path.is_symlink():
        return ""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is no file of at most {LARGEST} bytes")
    return path.read_text(errors="replace")
