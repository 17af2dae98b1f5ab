"""What the kubelet asks: /readyz once the cluster is seen, /healthz while the loop turns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(address: str, port: int, ready: Callable[[], bool], healthy: Callable[[], bool]) -> None:
    """Answer in a thread of its own; returns at once. Raises OSError when the port is taken."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"/readyz": ready, "/healthz": healthy}
            good = self.path in known and known[self.path]()
            self.send_response(200 if good else 503)
            self.end_headers()
            self.wfile.write(b"ok\n" if good else b"not ok\n")

        def log_message(self, format: str, *args: object) -> None:
            """Probes are no news."""

    server = ThreadingHTTPServer((address, port), Answer)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
