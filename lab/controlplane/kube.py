"""A small client of the API server for the lab's own parts: JSON over one kept connection,
authenticated by client certificate.

The parts that use it start within the lab's few seconds; a full client library would cost each of
them a second and 60 MB.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lab.controlplane.certificates import cluster_pki
from lab.environment import API_IP

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class KubeError(Exception):
    """An answer of the API server that is not a success."""

    def __init__(self, status: int, method: str, path: str, message: str) -> None:
        super().__init__(f"{method} {path}: {status} {message}")
        self.status = status


def tls_context(home: Path, client: str) -> ssl.SSLContext:
    """Trusts the cluster's CA and shows the certificate of one of the cluster's clients."""
    pki = cluster_pki(home)
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(str(pki.cert(client)), str(pki.key(client)))
    return context


class Kube:
    """One identity's view of the API server. Not for use from several threads at once."""

    def __init__(
        self, home: Path, client: str, host: str = API_IP, port: int = 6443, timeout: float = 15
    ) -> None:
        self._open = lambda timeout_: http.client.HTTPSConnection(
            host, port, timeout=timeout_, context=tls_context(home, client)
        )
        self._timeout = timeout
        self._connection: http.client.HTTPSConnection | None = None

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """One request; returns the parsed answer. Raises `KubeError`, or OSError when the server
        cannot be reached.
        """
        data = json.dumps(body).encode() if body is not None else None
        kept = self._connection is not None
        try:
            status, answer = self._exchange(method, path, data, content_type)
        except (OSError, http.client.HTTPException):
            self.close()
            if not kept:
                raise
            status, answer = self._exchange(
                method, path, data, content_type
            )  # the kept connection had gone stale
        if status >= 400:
            raise KubeError(
                status,
                method,
                path,
                answer.get("message", "") if isinstance(answer, dict) else str(answer)[:200],
            )
        return answer

    def apply(self, document: dict[str, Any], path: str, subresource: str = "") -> Any:
        """Server-side apply as field manager `lab`: created when missing, changed when
        different.
        """
        query = urlencode({"fieldManager": "lab", "force": "true"})
        return self.call("PATCH", f"{path}{subresource}?{query}", document, APPLY)

    def watch(self, path: str, seconds: int, **query: str) -> Iterator[dict[str, Any]]:
        """Events of a list, for at most `seconds`. Starts with the objects there are, as ADDED."""
        connection = self._open(seconds + self._timeout)
        try:
            connection.request(
                "GET",
                f"{path}?{urlencode({'watch': 'true', 'timeoutSeconds': str(seconds), **query})}",
            )
            response = connection.getresponse()
            if response.status >= 400:
                raise KubeError(
                    response.status, "WATCH", path, response.read().decode(errors="replace")[:200]
                )
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, path: str, data: bytes | None, content_type: str
    ) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = self._open(self._timeout)
        self._connection.request(
            method, path, data, {"Content-Type": content_type, "Accept": "application/json"}
        )
        response = self._connection.getresponse()
        raw = response.read()
        try:
            return response.status, json.loads(raw) if raw else {}
        except ValueError:
            return response.status, raw.decode(errors="replace")
