"""A small Kubernetes API client for use in a pod: service account, JSON, watches."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MERGE = "application/merge-patch+json"
Object = dict[str, Any]


class ApiError(Exception):
    """A failed request. `status` is the HTTP status; 0 when the server could not be reached."""

    def __init__(self, status: int, request: str, message: str) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status = status


class Api:
    """The API server as the pod's service account sees it. One connection per thread."""

    def __init__(self, host: str, port: int, account: Path, timeout: float = 10) -> None:
        """`account` is the directory with `token` and `ca.crt`; the token is read for each request,
        because the kubelet rotates it. `timeout` is in seconds.
        """
        self._host, self._port, self._account, self._timeout = host, port, account, timeout
        self._context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        self._local = threading.local()

    def get(self, path: str, **query: str) -> Object:
        """Read an object or a list. Raises ApiError."""
        return self.call("GET", path + (f"?{urlencode(query)}" if query else ""))

    def patch(self, path: str, change: Mapping[str, Any]) -> Object:
        """Apply a merge patch; None removes a key. Raises ApiError."""
        return self.call("PATCH", path, change, MERGE)

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Object:
        """Send one request, and send it again if the kept connection was stale. Raises ApiError."""
        request = f"{method} {path}"
        for last in (False, True):
            kept = getattr(self._local, "connection", None)
            try:
                return self._exchange(method, path, body, content_type)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if last or kept is None:
                    raise ApiError(0, request, f"{type(error).__name__}: {error}") from error
        raise AssertionError("unreachable")

    def watch(
        self, path: str, query: Mapping[str, str], seconds: int
    ) -> Iterator[tuple[str, Object]]:
        """Changes after the query's `resourceVersion`, as (type, object), for at most `seconds`.
        Raises ApiError; status 410 means that the version is too old.
        """
        connection = self._open(seconds + self._timeout)
        parameters = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        request = f"WATCH {path}"
        try:
            connection.request("GET", f"{path}?{urlencode(parameters)}", headers=self._headers())
            answer = connection.getresponse()
            if answer.status >= 400:
                raise ApiError(answer.status, request, answer.read().decode(errors="replace")[:300])
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(
                        int(event["object"].get("code") or 500),
                        request,
                        str(event["object"].get("message")),
                    )
                yield event["type"], event["object"]
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ApiError(0, request, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def _exchange(self, method: str, path: str, body: Any, content_type: str) -> Object:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = self._open(self._timeout)
        connection: http.client.HTTPSConnection = self._local.connection
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**self._headers(), "Content-Type": content_type})
        answer = connection.getresponse()
        raw = answer.read()
        try:
            parsed = json.loads(raw) if raw else {}
        except ValueError:
            parsed = {"message": raw.decode(errors="replace")[:300]}
        if answer.status >= 400:
            raise ApiError(answer.status, f"{method} {path}", str(parsed.get("message", "")))
        return parsed

    def _open(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout, context=self._context
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
