"""A small Kubernetes API client for use in a pod: service account, JSON, watches."""

from __future__ import annotations

import copy
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from . import metrics

MERGE = "application/merge-patch+json"
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)
"""Socket options of every connection: the kernel asks a silent peer after 15 s and gives it up
after 30 s. It finds a peer that is gone; behind a load balancer that answers for a peer that is
gone only the read timeouts do.
"""
Object = dict[str, Any]


class ApiError(Exception):
    """A failed request. `status` is the HTTP status; 0 when the server could not be reached.
    `retry_after` is what the server asked for, in seconds; 0 when it asked for nothing.
    """

    def __init__(self, status: int, request: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status, self.retry_after = status, retry_after


class LeaseLostError(Exception):
    """A write that was not sent, because this replica is not the leader any more."""


class _Connection(http.client.HTTPSConnection):
    """A connection that the kernel watches (`KEEPALIVE`)."""

    def connect(self) -> None:
        super().connect()
        for level, option, value in KEEPALIVE:
            self.sock.setsockopt(level, option, value)


class _Authority:
    """Trusts the certificate authority in a file, as the file is now: the kubelet replaces it when
    the cluster's authority is renewed.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._changed = file, file.stat().st_mtime_ns
        self._context = ssl.create_default_context(cafile=str(file))

    def context(self) -> ssl.SSLContext:
        """The context for a new connection. A file that can't be read now changes nothing."""
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._changed:
                self._context = ssl.create_default_context(cafile=str(self._file))
                self._changed = changed
        except OSError:  # ssl.SSLError, too: a file that is being written
            pass
        return self._context


class Api:
    """The API server as the pod's service account sees it. One connection per thread."""

    def __init__(self, host: str, port: int, account: Path, timeout: float = 10) -> None:
        """`account` is the directory with `token` and `ca.crt`; the token is read for each request,
        because the kubelet rotates it. `timeout` is in seconds.
        """
        self._host, self._port, self._account, self._timeout = host, port, account, timeout
        self._permit: Callable[[], float] | None = None
        self._authority = _Authority(account / "ca.crt")
        self._local = threading.local()

    def bounded(
        self, timeout: float | None = None, permit: Callable[[], float] | None = None
    ) -> Api:
        """The same server with another `timeout` (seconds), and with a `permit` that is asked just
        before each write is sent, also before it is sent again: it returns the seconds within which
        the write must be answered, or raises `LeaseLostError`.
        """
        other = copy.copy(self)
        other._timeout = self._timeout if timeout is None else timeout
        other._permit = permit or self._permit
        return other

    def get(self, path: str, **query: str) -> Object:
        """Read an object or a list. Raises ApiError."""
        return self.call("GET", path + (f"?{urlencode(query)}" if query else ""))

    def patch(self, path: str, change: Mapping[str, Any]) -> Object:
        """Apply a merge patch; None removes a key. Raises ApiError, LeaseLostError."""
        return self.call("PATCH", path, change, MERGE)

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Object:
        """Send one request, and send it again if the kept connection was stale. Raises ApiError,
        LeaseLostError.
        """
        request = f"{method} {path}"
        for last in (False, True):
            kept = getattr(self._local, "connection", None)
            timeout = self._timeout
            if self._permit is not None and method != "GET":
                timeout = min(timeout, self._permit())
            try:
                return self._exchange(method, path, body, content_type, timeout)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if last or kept is None:
                    raise _failure(0, request, f"{type(error).__name__}: {error}") from error
        raise AssertionError("unreachable")

    def watch(
        self, path: str, query: Mapping[str, str], seconds: float, silence: float
    ) -> Iterator[tuple[str, Object]]:
        """Changes after the query's `resourceVersion`, as (type, object). The server ends the watch
        after `seconds`; a connection that has not ended after `silence` seconds is given up.
        Raises ApiError: status 410 means that the version is too old, 0 that the connection failed
        or fell silent.
        """
        parameters = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        request, connection = f"WATCH {path}", self._open(self._timeout)
        ends = time.monotonic() + silence
        try:
            connection.connect()
            stream = connection.sock
            stream.settimeout(silence)
            connection.request("GET", f"{path}?{urlencode(parameters)}", headers=self._headers())
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _refusal(request, answer, _parsed(answer.read()))
            for line in _lines(answer, stream, ends):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    code = int(status.get("code") or 500)
                    raise _failure(code, request, str(status.get("message")))
                yield event["type"], event["object"]
        except (OSError, ValueError, http.client.HTTPException) as error:
            # The list that follows must not wait for a kept connection on the same dead path.
            self._drop()
            raise _failure(0, request, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def _exchange(
        self, method: str, path: str, body: Any, content_type: str, timeout: float
    ) -> Object:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = self._open(timeout)
        connection: http.client.HTTPSConnection = self._local.connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**self._headers(), "Content-Type": content_type})
        answer = connection.getresponse()
        parsed = _parsed(answer.read())
        if answer.status >= 400:
            raise _refusal(f"{method} {path}", answer, parsed)
        return parsed

    def _open(self, timeout: float) -> http.client.HTTPSConnection:
        return _Connection(
            self._host, self._port, timeout=timeout, context=self._authority.context()
        )

    def _headers(self) -> dict[str, str]:
        token = (self._account / "token").read_text().strip()
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": "interruption-handler",
        }

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


class DryRun(Api):
    """The same server, to which no write is sent: each is answered with an empty object."""

    def __init__(self, api: Api) -> None:
        """Reads are `api`'s."""
        self._api = api

    def get(self, path: str, **query: str) -> Object:
        """Read an object or a list. Raises ApiError."""
        return self._api.get(path, **query)

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Object:
        """Send a read; answer a write without sending it. Raises ApiError."""
        return self._api.call(method, path, body, content_type) if method == "GET" else {}


def _parsed(raw: bytes) -> Object:
    """An answer's JSON object; another text as `message`."""
    try:
        parsed = json.loads(raw) if raw else {}
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"message": raw.decode(errors="replace")[:300]}


def _refusal(request: str, answer: http.client.HTTPResponse, parsed: Object) -> ApiError:
    """The error of an answer from 400 on. Kubernetes writes Retry-After in seconds; proxies may
    write a date, which counts as nothing.
    """
    asked = answer.headers.get("Retry-After") or ""
    retry_after = float(asked) if asked.strip().isdigit() else 0.0
    return _failure(answer.status, request, str(parsed.get("message", "")), retry_after)


def _failure(status: int, request: str, message: str, retry_after: float = 0.0) -> ApiError:
    """An error, counted."""
    metrics.API_ERRORS.add(method=request.partition(" ")[0], code=str(status))
    return ApiError(status, request, message, retry_after)


def _lines(answer: http.client.HTTPResponse, stream: socket.socket, ends: float) -> Iterator[bytes]:
    """Lines of a body as they come, until it ends or until `ends` (monotonic). Raises TimeoutError
    when that time passes without a byte.
    """
    rest = b""
    while (left := ends - time.monotonic()) > 0:
        stream.settimeout(left)
        data = answer.read1(65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from filter(None, lines)
