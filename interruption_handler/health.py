"""Answers the kubelet's probes: /readyz and /healthz."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(address: str, port: int, ready: Callable[[], bool], healthy: Callable[[], bool]) -> None:
    """Answer GET /readyz by `ready` and GET /healthz by `healthy` in a thread of its own, with 200
    or 503; returns at once. Raises OSError when the port is in use.
    """
    probes = {"/readyz": ready, "/healthz": healthy}

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.path in probes and probes[self.path]()
            self.send_response(200 if good else 503)
            self.end_headers()
            self.wfile.write(b"ok\n" if good else b"not ok\n")

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not logged."""

    server = ThreadingHTTPServer((address, port), Probe)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
