"""What CI does for a stack of a pull request, in one command that works on a desk as well.

`build` previews offline, checks the policies, and makes the comment; it leaves preview.json,
preview.log, policy.json, facts.json and comment.md in a directory. It runs the pull request's own
code, so it is given nothing worth having. `publish` runs the policies over such previews and
renders them again, with the code it is run from, and posts. It reads them as data made by anybody:
of the stacks in `policy/stacks.toml` only, each from the directory of its own name, so that there
are never more comments than stacks and no artifact speaks for another stack.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import sys
from dataclasses import replace
from typing import Any

from ops.engine.previews import Preview, PreviewFormatError, parse
from ops.preview_comment import policies, post
from ops.preview_comment.github import GitHub, GitHubError
from ops.preview_comment.render import CommentInput, Origin, marker, render
from policy import stacks

LARGEST = 64 << 20
"""Bytes of one file that are read: more than any preview has."""
COMMIT = re.compile(r"[0-9a-f]{7,40}")


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
    try:
        (options.out / "comment.md").write_text(render(read(options.out, options.stack)))
    except (PreviewFormatError, ValueError) as error:
        print(f"error: the comment cannot be made: {error}", file=sys.stderr)
        return 1
    print(f"wrote {options.out / 'comment.md'}", file=sys.stderr)
    return 1 if code else 0


def publish(arguments: list[str]) -> int:
    """Posts a comment for each known stack that has a directory. Returns 1 when one cannot be read
    or posted, or a directory is of no known stack; the others are posted.
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
    expected = {f"preview-{stack}": stack for stack in stacks.load()}
    found = {path.name: path for path in options.directory.iterdir()}
    failed = _report_strangers([name for name in found if name not in expected])
    for name, stack in sorted(expected.items()):
        if name not in found:
            continue
        try:
            body = comment(found[name], stack, Origin(options.head, options.sha))
            said = post.post(hub, body, stack, options.author, None, options.head, options.sha)
            print(f"{stack}: {said}")
        except (PreviewFormatError, GitHubError, ValueError, OSError, RecursionError) as error:
            print(f"error: {name}: {post.one_line(str(error))}", file=sys.stderr)
            failed = 1
    return failed


def _report_strangers(names: list[str]) -> int:
    """Says which directories are not read; returns 1 if there are any."""
    if names:
        listed = ", ".join(post.one_line(name) for name in sorted(names)[:5])
        print(
            f"error: {len(names)} previews are of no stack in policy/stacks.toml and are not posted: {listed[:300]}",
            file=sys.stderr,
        )
    return 1 if names else 0


def comment(directory: pathlib.Path, stack: str, origin: Origin) -> str:
    """The comment for a stack from what another run left in a directory. Raises PreviewFormatError
    or ValueError for what is not a preview of this stack.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise ValueError("it is no directory")
    return render(replace(read(directory, stack), origin=origin))


def read(directory: pathlib.Path, stack: str) -> CommentInput:
    """The inputs of a stack's comment from the files that `build` left. The policies are run here,
    over the preview: policy.json is for people. Raises PreviewFormatError or ValueError.
    """
    facts: Any = json.loads(_text(directory / "facts.json"))
    if not isinstance(facts, dict) or facts.get("stack") != stack:
        raise PreviewFormatError(f"facts.json is not of stack {stack}")
    base = facts.get("base") or ""
    if base and not (isinstance(base, str) and COMMIT.fullmatch(base)):
        raise PreviewFormatError("facts.json: base is no commit: expected 7 to 40 digits of one")
    failed = _text(directory / "preview.log") if facts.get("failed") else None
    try:
        preview = parse(_text(directory / "preview.json"))
    except PreviewFormatError:
        if failed is None:
            raise
        preview = Preview()
    if any(step.urn.split(":")[2:3] != [stack] for step in preview.steps):
        raise PreviewFormatError(f"the preview has resources that are not of stack {stack}")
    results = policies.Results(()) if failed is not None else policies.judged(preview, stack)
    return CommentInput(stack, preview, results, failed, base=base)


def _text(path: pathlib.Path) -> str:
    """A file's text; "" when there is none. Raises ValueError for what is no ordinary file of an
    ordinary size.
    """
    if not path.exists() and not path.is_symlink():
        return ""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is no file of at most {LARGEST} bytes")
    return path.read_text(errors="replace")
