"""TLS with one certificate per server name, issued on the spot by the lab's CA."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
from pathlib import Path

from lab.pki import CA


class Certificates:
    """Server contexts by name."""

    def __init__(self, ca: CA) -> None:
        self._ca = ca
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def server_context(self) -> ssl.SSLContext:
        """The context to listen with; it changes into the right one when the client names a
        server.
        """
        context = self._context("localhost", ["localhost", "127.0.0.1", "*.aliyuncs.com"])
        context.sni_callback = self._choose
        return context

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> None:
        if name:
            with contextlib.suppress(ValueError):
                connection.context = self._context(name.lower(), [name.lower()])

    def _context(self, key: str, names: list[str]) -> ssl.SSLContext:
        with self._lock:
            if key not in self._contexts:
                self._contexts[key] = _load(*self._ca.leaf(names))
            return self._contexts[key]


def _load(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "leaf.pem")
        path.touch(0o600)
        path.write_bytes(certificate + key)
        context.load_cert_chain(path)
    return context
