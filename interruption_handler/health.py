"""Answers the kubelet's probes, /readyz and /healthz, and Prometheus: /metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import metrics

PATIENCE = 10.0
"""Seconds that a connection may be silent: one that stays open must not hold a thread."""


def serve(
    address: str, port: int, ready: Callable[[], bool], healthy: Callable[[], bool]
) -> ThreadingHTTPServer:
    """Answer GET /readyz by `ready` and GET /healthz by `healthy` in a thread of its own, with 200
    or 503, and GET /metrics with the handler's figures; returns the server at once. Raises OSError
    when the port is in use.
    """
    probes = {"/readyz": ready, "/healthz": healthy}

    class Probe(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            if self.path.partition("?")[0] == "/metrics":
                self._answer(200, metrics.CONTENT_TYPE, metrics.page().encode())
                return
            good = self.path in probes and probes[self.path]()
            self._answer(200 if good else 503, "text/plain", b"ok\n" if good else b"not ok\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not logged."""

    server = ThreadingHTTPServer((address, port), Probe)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
