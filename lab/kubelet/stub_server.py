"""Stub pods (LAB_STUB_PODS=1): a model server without a process, for runs with more pods than this
machine could load models for.

Everything around it stays as it is: the node, the scheduler's placement, the mount with its
identity, probes, endpoints, the end. Only the answers are made up (marked by the header
`x-lab-stub`), at the pace of one GPU: one request at a time, LAB_STUB_QPS a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httptools

from lab.kubelet.process import Pause

REST_PORT = 8501
METRICS = "/monitoring/prometheus/metrics"
LONGEST_QUEUE = 10.0
"""Seconds of work a server takes in before it answers 503."""
DEFAULT_QPS = 14.3
"""Requests a second of one pod: the tutorial's target of 10 is 70 % of it."""


@dataclass(frozen=True)
class Model:
    """What the server answers for."""

    name: str
    versions: tuple[str, ...]
    monitored: bool = False
    """Whether the server has its metrics page."""


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether serving containers run light."""
    return environ.get("LAB_STUB_PODS", "") not in ("", "0")


def pace(environ: Mapping[str, str] = os.environ) -> float:
    """Requests a second of one pod."""
    return float(environ.get("LAB_STUB_QPS") or DEFAULT_QPS)


def model_of(words: list[str], root: Path) -> Model:
    """The model that the command line names, with the versions that are there. FileNotFoundError
    names what is missing.
    """
    found = next((w.partition("=")[2] for w in words if w.startswith("--model_config_file=")), "")
    text = (root / found.lstrip("/")).read_text()
    name, base = (re.search(rf'{key}:\s*"([^"]*)"', text) for key in ("name", "base_path"))
    if not name or not base:
        raise FileNotFoundError(f"{found}: names no model and base_path")
    versions = re.findall(r"versions:\s*(\d+)", text)
    folder = root / base[1].lstrip("/")
    there = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.name.isdigit() and (entry / "saved_model.pb").exists()
    )
    served = [version for version in there if not versions or version in versions]
    if not served:
        raise FileNotFoundError(f"{base[1]}: no servable version found")
    monitored = any(word.startswith("--monitoring_config_file=") for word in words)
    return Model(name[1], tuple(served), monitored)


class StubServer(Pause):
    """A container that answers on `address`. It is deaf to SIGTERM, as TensorFlow Serving is;
    SIGKILL cuts every connection.
    """

    def __init__(
        self, model: Model, address: str, load_seconds: float, qps: float, port: int = REST_PORT
    ) -> None:
        super().__init__()
        self.model, self.address, self.port, self.qps = model, address, port, qps
        self.busy_until = 0.0
        self.answered = 0
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._opening = asyncio.ensure_future(self._open(load_seconds))

    async def _open(self, load_seconds: float) -> None:
        await asyncio.sleep(load_seconds)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            partial(Connection, self), self.address, self.port, backlog=512
        )

    def terminate(self) -> None:
        """SIGTERM is ignored, as TensorFlow Serving ignores it."""

    def kill(self) -> None:
        """SIGKILL: stop listening and cut every connection."""
        self._opening.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.cut()
        super().kill()

    def delay(self) -> float | None:
        """Seconds until one more prediction is computed; None when too much is waiting."""
        now = asyncio.get_running_loop().time()
        waiting = max(0.0, self.busy_until - now)
        if waiting > LONGEST_QUEUE:
            return None
        self.busy_until = now + waiting + 1 / self.qps
        return waiting + 1 / self.qps


class Connection(asyncio.Protocol):
    """One client; requests are answered in their order."""

    def __init__(self, server: StubServer) -> None:
        self.server = server
        self.parser = httptools.HttpRequestParser(self)
        self.transport: Any = None
        self.url = b""

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """The client has gone: nothing is answered any more."""
        self.server.connections.discard(self)

    def cut(self) -> None:
        """The machine is gone: nothing is finished."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the parser, which calls the methods below; bad bytes close the
        connection.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A new request begins: forget the path of the one before."""
        self.url = b""

    def on_url(self, url: bytes) -> None:
        """Part of its address."""
        self.url += url

    def on_message_complete(self) -> None:
        """Answer it, in time."""
        path, method = self.url.decode().partition("?")[0], self.parser.get_method()
        if (
            method == b"POST"
            and path.endswith(":predict")
            and self._model(path.removesuffix(":predict"))
        ):
            delay = self.server.delay()
            if delay is None:
                self._answer(503, {"error": "the queue of this model is full"})
            else:
                asyncio.get_running_loop().call_later(delay, self._predicted)
            return
        if path == METRICS and self.server.model.monitored:
            self._send(200, "text/plain", self._page().encode())
            return
        status, body = self._look(path)
        self._answer(status, body)

    def _predicted(self) -> None:
        self.server.answered += 1
        self._answer(200, {"predictions": [[0.5, 0.5]]})

    def _page(self) -> str:
        """What a user of the metrics page counts requests by: all that TensorFlow Serving 1.15 has
        there, the oldest release that the program serves with.
        """
        return f":tensorflow:core:direct_session_runs{{}} {self.server.answered}\n"

    def _model(self, path: str) -> list[str]:
        """The versions that a path asks for, [] for a model this server has not."""
        match = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?", path)
        if not match or match[1] != self.server.model.name:
            return []
        return [version for version in self.server.model.versions if match[2] in (None, version)]

    def _look(self, path: str) -> tuple[int, Any]:
        if versions := self._model(path):
            fine = {"error_code": "OK", "error_message": ""}
            return 200, {
                "model_version_status": [
                    {"version": version, "state": "AVAILABLE", "status": fine}
                    for version in versions
                ]
            }
        if path.endswith("/metadata") and (versions := self._model(path.removesuffix("/metadata"))):
            return 200, {
                "model_spec": {"name": self.server.model.name, "version": versions[-1]},
                "metadata": {},
            }
        return 404, {"error": f"Malformed request or unknown model: {path}"}

    def _answer(self, status: int, body: Any) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, content_type: str, data: bytes) -> None:
        if self.transport.is_closing():
            return
        reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[status]
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nx-lab-stub: 1\r\nContent-Length: {len(data)}\r\n\r\n"
        self.transport.write(head.encode() + data)
