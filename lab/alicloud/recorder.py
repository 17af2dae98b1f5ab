"""What was called: every request and its answer as plain data, secrets left out."""

from __future__ import annotations

import json
import time
from typing import Any

from lab.alicloud.protocol import Request, Response
from lab.alicloud.store import Store

KEEP = 20_000
_NOT_RECORDED = {
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "SecurityToken",
}
_HEADERS = ("content-type", "content-md5", "x-acs-", "x-oss-", "x-log-", "range")
_SECRET_HEADERS = {"x-acs-signature-nonce", "x-acs-security-token", "x-oss-security-token"}
_SECRET_FIELDS = {
    "login_password": "<password>",
    "config": "<kubeconfig text>",
    "AccessKeySecret": "<secret>",
    "SecurityToken": "<token>",
    "OIDCToken": "<token>",
    "Password": "<password>",
}
_PLAIN_LIMIT = 100_000


class Recorder:
    """The last calls, numbered; they survive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, request: Request, response: Response | None) -> None:
        """Note one call; `response` is None when the client got none."""
        entry = {
            "t": round(time.time(), 3),
            "service": request.service,
            "call": request.call,
            "method": request.method,
            "scheme": request.scheme,
            "host": request.host,
            "path": request.raw_path,
            "query": {n: v for n, v in request.query.items() if n not in _NOT_RECORDED},
            "headers": _headers(request.headers),
            "auth_scheme": request.headers.get("authorization", "").partition(" ")[0],
            "caller": getattr(request.identity, "arn", ""),
            "body": _request_body(request),
            "status": response.status if response else 0,
            "response_headers": _answer_headers(response),
            "response_body": _response_body(request, response),
        }
        with self._store.transaction():
            seq = self._store.sql(
                "INSERT INTO call (data) VALUES (?) RETURNING seq",
                json.dumps(entry, ensure_ascii=False),
            )[0]["seq"]
            if seq % 500 == 0:
                self._store.sql("DELETE FROM call WHERE seq <= ?", seq - KEEP)

    def last(self) -> int:
        """Number of the last recorded call, 0 before the first."""
        return self._store.sql("SELECT max(seq) AS seq FROM call")[0]["seq"] or 0

    def since(self, seq: int, limit: int = 5000) -> list[dict[str, Any]]:
        """Calls after number `seq`."""
        rows = self._store.sql(
            "SELECT seq, data FROM call WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit
        )
        return [{"seq": row["seq"], **json.loads(row["data"])} for row in rows]


def _headers(headers: dict[str, str]) -> dict[str, str]:
    return {
        n: v
        for n, v in sorted(headers.items())
        if n.startswith(_HEADERS) and n not in _SECRET_HEADERS
    }


def _answer_headers(response: Response | None) -> dict[str, str]:
    return dict(response.headers) if response else {}


def _request_body(request: Request) -> Any:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _redact(dict(request.form))
    return _plain(
        request.body, request.headers.get("content-type", ""), request.vars.get("key", "") != ""
    )


def _response_body(request: Request, response: Response | None) -> Any:
    if response is None or request.vars.get("key"):
        return None
    if not isinstance(response.body, bytes):
        return f"({response.body.length} bytes)"
    return _plain(
        response.body,
        response.headers.get("Content-Type", ""),
        False,
        request.call == "DescribeClusterUserKubeconfig",
    )


def _plain(body: bytes, content_type: str, is_object: bool, kubeconfig: bool = False) -> Any:
    if not body:
        return None
    if is_object or len(body) > _PLAIN_LIMIT:
        return f"({len(body)} bytes)"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
    if "json" in content_type or text[:1] in "{[":
        try:
            return _redact(json.loads(text), kubeconfig)
        except ValueError:
            return text
    return text


def _redact(value: Any, kubeconfig: bool = False) -> Any:
    if isinstance(value, dict):
        secret = {n: t for n, t in _SECRET_FIELDS.items() if n != "config" or kubeconfig}
        return {
            n: secret[n] if n in secret and v else _redact(v, kubeconfig) for n, v in value.items()
        }
    if isinstance(value, list):
        return [_redact(item, kubeconfig) for item in value]
    return value
