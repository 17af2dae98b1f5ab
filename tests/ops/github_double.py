"""A small double of GitHub's API: one repository with pull request 7 and its comments."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"


class Hub:
    """One repository with pull request 7, its comments, and what it was asked."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.failing: list[int] = []
        self.head = "abc"
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

            def answer(self) -> None:
                body = json.loads(
                    self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"null"
                )
                path = urlsplit(self.path)
                hub.asked.append(f"{self.command} {path.path.removeprefix('/repos/o/r/')}")
                status, data = (
                    (hub.failing.pop(0), {"message": "no"})
                    if hub.failing
                    else hub.serve(self.command, path, body)
                )
                assert self.headers["Authorization"] == "Bearer t0ken"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(data).encode())

            do_GET = do_POST = do_PATCH = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, method: str, path: Any, body: Any) -> tuple[int, Any]:
        """The few calls, as GitHub answers them."""
        parts, query = (
            path.path.split("/"),
            {key: values[0] for key, values in parse_qs(path.query).items()},
        )
        if parts[-1] == "pulls":
            return 200, [{"number": 7, "head": {"sha": self.head}}] if query[
                "head"
            ] == "fork:branch" and query["state"] == "open" else []
        if method == "GET":
            start = (int(query["page"]) - 1) * 100
            return 200, self.comments[start : start + 100]
        if method == "POST":
            self.add(body["body"], BOT)
            return 201, {}
        found = next(one for one in self.comments if str(one["id"]) == parts[-1])
        self.comments.remove(found) if method == "DELETE" else found.update(body)
        return 200, {}

    def add(self, body: str, login: str) -> None:
        """A comment by somebody."""
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": {"login": login}})
