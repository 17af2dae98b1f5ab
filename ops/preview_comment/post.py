"""Puts a comment on its pull request, or renews the one that is there. Asks GitHub only; nothing
else has to be installed.

The pull request is named by number, or found by head branch and commit: for a fork's run GitHub
tells those and not the number. A run for a commit that is no longer the head posts nothing, so
that an old result never covers a new one.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from typing import Any

from ops.preview_comment.github import GitHub, GitHubError
from ops.preview_comment.render import marker

AUTHOR = "github-actions[bot]"
"""Only this account's comments are renewed: anybody may write a comment that starts with our
marker, and edit it later.
"""
LARGEST = 65_536


def main(arguments: list[str]) -> int:
    """Posts the comment; returns 1 with one message when that fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.preview_comment post", description=__doc__)
    parser.add_argument("comment", type=pathlib.Path, metavar="COMMENT.md")
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--repository", default=os.environ.get("GITHUB_REPOSITORY", ""), metavar="OWNER/NAME"
    )
    parser.add_argument("--pull", type=int, metavar="NUMBER")
    parser.add_argument(
        "--head",
        metavar="OWNER:BRANCH",
        help="instead of --pull: where the pull request comes from",
    )
    parser.add_argument("--sha", help="with --head: the commit that was previewed")
    parser.add_argument(
        "--author", default=AUTHOR, help=f"account whose comment is renewed (default {AUTHOR})"
    )
    options = parser.parse_args(arguments)
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token or not options.repository or not (options.pull or (options.head and options.sha)):
        parser.error("needs GITHUB_TOKEN, --repository, and --pull or --head with --sha")
    try:
        body = _body(options.comment, options.stack)
        hub = GitHub(
            os.environ.get("GITHUB_API_URL", "https://api.github.com"), options.repository, token
        )
        print(
            post(hub, body, options.stack, options.author, options.pull, options.head, options.sha)
        )
    except (GitHubError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _body(path: pathlib.Path, stack: str) -> str:
    body = path.read_text()
    if not body.startswith(marker(stack) + "\n"):
        raise ValueError(
            f"{path}: doesn't start with {marker(stack)}: it is not this stack's comment, and would never be found again"
        )
    if len(body) > LARGEST:
        raise ValueError(
            f"{path}: {len(body)} characters: expected at most {LARGEST}, which is what GitHub takes"
        )
    return body


def post(
    hub: GitHub,
    body: str,
    stack: str,
    author: str,
    pull: int | None,
    head: str | None = None,
    sha: str | None = None,
) -> str:
    """Creates or updates the comment; returns what was done."""
    number = pull or _pull_of(hub, head or "", sha or "")
    if number is None:
        return f"no open pull request has {sha} as its head any more: nothing posted"
    comments = [
        comment
        for comment in hub.pages(f"issues/{number}/comments")
        if _is_ours(comment, stack, author)
    ]
    for extra in comments[1:]:  # two runs that posted their first comment at the same time
        hub.call("DELETE", f"issues/comments/{extra['id']}")
    if not comments:
        hub.call("POST", f"issues/{number}/comments", {"body": body})
        return f"commented on #{number}"
    if comments[0]["body"].replace("\r\n", "\n").rstrip() == body.rstrip():
        return f"the comment on #{number} is up to date"
    hub.call("PATCH", f"issues/comments/{comments[0]['id']}", {"body": body})
    return f"renewed the comment on #{number}"


def _pull_of(hub: GitHub, head: str, sha: str) -> int | None:
    pulls = hub.pages("pulls", state="open", head=head)
    return next((int(one["number"]) for one in pulls if one["head"]["sha"] == sha), None)


def one_line(text: str) -> str:
    """For a log that obeys what starts with two colons: the text as one line without them."""
    return " ".join(text.replace("::", ":").split())[:300]


def _is_ours(comment: dict[str, Any], stack: str, author: str) -> bool:
    return (comment.get("user") or {}).get("login") == author and str(
        comment.get("body") or ""
    ).startswith(marker(stack))
