"""A signed client of Simple Log Service, for what the lab's adapter and shipper need: GetLogs and
PutLogs.

The maintained SDK is not used: it pins a protobuf older than the one Pulumi's SDK needs. The
signature is SLS' own (LOG, HMAC-SHA1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx

from lab.environment import CONTROL_URL, REGION

Log = tuple[int, Mapping[str, str]]  # unix seconds, fields


class Places:
    """Where log projects are: the lab's components serve the clusters of all regions, those of ACK
    the region they run in.
    """

    def __init__(self) -> None:
        self._cloud = httpx.Client(base_url=CONTROL_URL, trust_env=False, timeout=5)
        self._known: dict[str, tuple[float, str]] = {}

    def region_of(self, project: str) -> str:
        """A project's region, remembered for a minute. Raises httpx' errors when the region cannot
        be asked.
        """
        known = self._known.get(project)
        if known is None or time.monotonic() - known[0] > 60:
            answer = self._cloud.get(f"/_lab/place/log_project/{project}").raise_for_status()
            known = self._known[project] = (time.monotonic(), answer.json()["region"])
        return known[1]


class SlsError(Exception):
    """An error answer; `status` and `code` are the service's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.status, self.code = status, code


@dataclass(frozen=True)
class Answer:
    """Rows of a query, and whether the service had looked at everything."""

    rows: list[dict[str, str]]
    complete: bool


class Sls:
    """Calls with the lab's own key, as an ACK component would with its role."""

    def __init__(
        self,
        home: Path,
        *,
        internal: bool = True,
        client: httpx.Client | None = None,
        region_of: Callable[[str], str] = lambda _: REGION,
    ) -> None:
        """`region_of` tells a project's region."""
        keys = json.loads((home / "credentials.json").read_text())
        self._id, self._secret = keys["access_key"], keys["secret_key"]
        self._suffix, self._region_of = (
            f"{'-intranet' if internal else ''}.log.aliyuncs.com",
            region_of,
        )
        self._client = client or httpx.Client(verify=_trust(home), trust_env=False, timeout=10)

    def get_logs(
        self, project: str, logstore: str, begin: int, end: int, query: str, lines: int
    ) -> Answer:
        """One GetLogs; raises `SlsError`, or httpx' errors when the service can't be reached."""
        parameters = {
            "type": "log", "topic": "", "from": str(begin), "to": str(end), "line": str(lines), "offset": "0", "reverse": "false",
            "query": query,
        }  # fmt: skip
        response = self._send("GET", project, f"/logstores/{logstore}", parameters, b"", {})
        return Answer(
            response.json(), response.headers.get("x-log-progress", "Complete") == "Complete"
        )

    def put_logs(self, project: str, logstore: str, source: str, logs: Sequence[Log]) -> None:
        """One PutLogs, uncompressed protobuf."""
        body = log_group(logs, source)
        self._send(
            "POST",
            project,
            f"/logstores/{logstore}/shards/lb",
            {},
            body,
            {"content-type": "application/x-protobuf"},
        )

    def _send(
        self,
        method: str,
        project: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        host = f"{project}.{self._region_of(project)}{self._suffix}"
        signed = {
            "host": host, "date": formatdate(usegmt=True), "x-log-apiversion": "0.6.0",
            "x-log-signaturemethod": "hmac-sha1", "x-log-bodyrawsize": str(len(body)), **headers,
        }  # fmt: skip
        if body:
            signed["content-md5"] = hashlib.md5(body).hexdigest().upper()
        signed["authorization"] = (
            f"LOG {self._id}:{signature(self._secret, method, path, parameters, signed)}"
        )
        response = self._client.request(
            method, f"https://{host}{path}", params=parameters, content=body, headers=signed
        )
        if response.status_code != 200:
            raise _error(response)
        return response


def signature(
    secret: str, method: str, path: str, parameters: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    """SLS' signature, version 1: method, MD5, type, date, x-log- headers in order, then path and
    parameters in order.
    """
    lines = [
        method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        headers["date"],
    ]
    lines += [
        f"{name}:{headers[name]}"
        for name in sorted(headers)
        if name.startswith(("x-log-", "x-acs-"))
    ]
    sorted_parameters = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    lines.append(path + (f"?{sorted_parameters}" if parameters else ""))
    return base64.b64encode(
        hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha1).digest()
    ).decode()


def log_group(logs: Sequence[Log], source: str) -> bytes:
    """The protobuf message LogGroup{Logs=1{Time=1, Contents=2{Key=1, Value=2}}, Source=4}."""
    group = b""
    for moment, fields in logs:
        contents = b"".join(
            _field(2, _field(1, key.encode()) + _field(2, str(text).encode()))
            for key, text in fields.items()
        )
        group += _field(1, b"\x08" + _varint(moment) + contents)
    return group + _field(4, source.encode())


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _trust(home: Path) -> Any:
    return ssl.create_default_context(cafile=str(home / "pki" / "ca.pem"))


def _error(response: httpx.Response) -> SlsError:
    try:
        document = response.json()
        return SlsError(response.status_code, document["errorCode"], document["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return SlsError(response.status_code, "Unknown", response.text[:200])
