"""The few calls to GitHub's REST API that a comment takes."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

TRIES = 4
WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 20
MOST_PAGES = 50


class GitHubError(Exception):
    """The API refused or cannot be reached; the message names the remedy."""


class GitHub:
    """GitHub's REST API for one repository."""

    def __init__(self, url: str, repository: str, token: str) -> None:
        self._base, self._token = f"{url}/repos/{repository}/", token

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        for page in range(1, MOST_PAGES + 1):
            items = self.call(
                "GET",
                f"{path}?{urllib.parse.urlencode({**query, 'per_page': '100', 'page': str(page)})}",
            )
            yield from items
            if len(items) < 100:
                return

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request, repeated when the server or the way to it fails. Raises GitHubError. A
        repeated POST may post twice; the next run removes the second.
        """
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._once(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code < 500 or not left:
                    raise GitHubError(_refused(method, path, error)) from None
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise GitHubError(
                        f"{method} {path}: {error}: is {urllib.parse.urlsplit(self._base).netloc} reachable?"
                    ) from None
            time.sleep(WAIT_SECONDS * (TRIES - left))
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.loads(answer.read() or b"null")


def _refused(method: str, path: str, error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read(4096)).get("message", "")
    except (ValueError, OSError, AttributeError):
        said = error.reason
    advice = {
        401: "the token is not valid or has expired",
        403: "the token may not: the job needs `permissions: pull-requests: write`",
        404: "no such repository or pull request, or the token can't see it",
        422: "GitHub takes no such comment",
    }.get(error.code, "")
    return f"{method} {path}: {error.code} {said}" + (f": {advice}" if advice else "")
