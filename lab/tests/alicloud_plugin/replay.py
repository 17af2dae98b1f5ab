"""An HTTPS server that gives the recorded answers to the calls it knows and notes every call it
gets.
"""

import json
import ssl
import tempfile
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lab.pki import CA
from lab.tests.alicloud_plugin.calls import identity, parse_body
from lab.tests.alicloud_plugin.scenarios import Step

_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date"}


class Replay:
    """Answers of a recording, each given once; `take` hands over the calls seen since the last
    time.
    """

    def __init__(self, ca: CA, address: str) -> None:
        self._lock = threading.Lock()
        self._answers: list[dict[str, Any]] = []
        self._seen: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer((address, 443), _handler(self))
        self._server.daemon_threads = True
        self._server.socket = _tls(ca).wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def credentials(self) -> dict[str, str]:
        """Environment for the plugin: any credentials will do."""
        return {}

    def plays(self, step: Step) -> bool:
        """Whether this double can play the step: all of them."""
        return True

    def expect(self, answers: Iterable[dict[str, Any]]) -> None:
        """From now on answers with these."""
        with self._lock:
            self._answers = list(answers)

    def take(self) -> list[dict[str, Any]]:
        """The calls since the last time, in order."""
        with self._lock:
            seen, self._seen = self._seen, []
            return seen

    def answer(self, call: dict[str, Any]) -> dict[str, Any] | None:
        """The recorded answer to a call, or None if there is none left."""
        with self._lock:
            self._seen.append(call)
            for index, candidate in enumerate(self._answers):
                if identity(candidate) == identity(call):
                    return self._answers.pop(index)
        return None


def _handler(replay: Replay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            found = replay.answer(self._call())
            if found is None:
                self._send(501, {}, b"not in the recording")
                return
            body = found["response_body"]
            content = body if isinstance(body, str) else "" if body is None else json.dumps(body)
            self._send(found["status"], found["response_headers"], content.encode())

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

        def _call(self) -> dict[str, Any]:
            target = urlsplit(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            content = self.rfile.read(int(headers.get("content-length", 0)))
            return {
                "method": self.command,
                "host": headers.get("host", "").removesuffix(":443"),
                "path": target.path,
                "query": dict(parse_qsl(target.query, keep_blank_values=True)),
                "headers": headers,
                "body": parse_body(headers.get("content-type", ""), content),
            }

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                if key.lower() not in _OWN_HEADERS:
                    self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _tls(ca: CA) -> ssl.SSLContext:
    """A context with one certificate per asked name."""
    contexts: dict[str, ssl.SSLContext] = {}

    def context_for(name: str) -> ssl.SSLContext:
        certificate, key = ca.leaf([name], client=False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            paths = Path(directory) / "cert", Path(directory) / "key"
            for path, content in zip(paths, (certificate, key), strict=True):
                path.write_bytes(content)
            context.load_cert_chain(*paths)
        return context

    def choose(socket: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        key = name or "aliyuncs.com"
        if key not in contexts:
            contexts[key] = context_for(key)
        socket.context = contexts[key]

    base = context_for("aliyuncs.com")
    base.sni_callback = choose
    return base
