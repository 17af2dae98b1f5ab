"""A backend for tests of the ingress, run inside the lab: says what arrived, waits or fails as the
path asks, counts.

``python -m lab.tests.core.ingress_backend ADDRESS PORT``; paths: ``/slow/SECONDS``,
``/status/CODE``, ``/count/KEY`` (how many requests had this X-Key).
"""

from __future__ import annotations

import collections
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNTS: collections.Counter[str] = collections.Counter()


class Handler(BaseHTTPRequestHandler):
    """Answers every method with JSON."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        parts = self.path.partition("?")[0].strip("/").split("/")
        kind, value = (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")
        if kind == "count":
            status, document = 200, {"count": COUNTS[value]}
        else:
            COUNTS[self.headers.get("X-Key", "")] += 1
            if kind == "slow":
                time.sleep(float(value))
            status = int(value) if kind == "status" else 200
            document = {
                "path": self.path,
                "length": len(body),
                "headers": {name.lower(): text for name, text in self.headers.items()},
            }
        data = json.dumps(document).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:  # the ingress had waited long enough
            self.close_connection = True

    do_GET = do_POST = do_OPTIONS = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: standard error is the test's."""


if __name__ == "__main__":
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
    print("listening", flush=True)
    server.serve_forever()
