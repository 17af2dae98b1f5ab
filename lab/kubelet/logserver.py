"""The kubelet's HTTPS port for `kubectl logs`: one listener for every node's address."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from aiohttp import web

from lab import pki
from lab.kubelet.container import Container

PORT = 10250
log = logging.getLogger("lab.kubelet")


def last_lines(data: bytes, count: int) -> bytes:
    """The last `count` lines."""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[-count:]) if count > 0 else b""


async def follow(path: Path, offset: int, alive: asyncio.Event) -> AsyncIterator[bytes]:
    """What is appended to a file, until `alive` (the container's end) is set and all is read."""
    with path.open("rb") as file:
        file.seek(offset)
        while True:
            ended = alive.is_set()
            data = file.read(65536)
            if data:
                yield data
            elif ended:
                return
            else:
                await asyncio.sleep(0.2)


class Containers(Protocol):
    """Whose logs are served: the agent."""

    home: Path

    def find_container(self, namespace: str, pod: str, container: str) -> Container | None:
        """A container by its names."""
        ...


class LogServer:
    """Answers /containerLogs/NAMESPACE/POD/CONTAINER as a kubelet does."""

    def __init__(self, agent: Containers) -> None:
        self.agent = agent

    def application(self) -> web.Application:
        """The HTTP application with its two routes."""
        result = web.Application()
        result.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self.logs)
        result.router.add_get("/healthz", self.health)
        return result

    async def health(self, _: web.Request) -> web.Response:
        """Answers 200 for as long as the agent lives."""
        return web.Response(text="ok")

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """The log of one container; options tailLines, limitBytes, previous, follow."""
        names = request.match_info
        container = self.agent.find_container(names["namespace"], names["pod"], names["container"])
        if container is None:
            return web.Response(
                status=404,
                text=f'container "{names["container"]}" in pod "{names["pod"]}" is not available',
            )
        query = request.query
        path = container.log_path(query.get("previous") == "true")
        if not path.exists():
            return web.Response(
                status=400,
                text=f'container "{names["container"]}" in pod "{names["pod"]}" is waiting to start or has no log',
            )
        data = path.read_bytes()
        size = len(data)
        if "tailLines" in query:
            data = last_lines(data, int(query["tailLines"]))
        if "limitBytes" in query:
            data = data[: int(query["limitBytes"])]
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(data)
        if query.get("follow") == "true":
            async for more in follow(path, size, container.ended):
                await response.write(more)
        await response.write_eof()
        return response

    async def run(self) -> None:
        """Listens until cancelled; while the port is taken there are no logs."""
        certificate, key = pki.ensure_lab_ca(self.agent.home).leaf(["kubelet", "127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("cert.pem", certificate), ("key.pem", key)):
                (Path(folder) / name).write_bytes(content)
            context.load_cert_chain(Path(folder) / "cert.pem", Path(folder) / "key.pem")
        runner = web.AppRunner(self.application(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", PORT, ssl_context=context).start()
        except OSError as reason:
            log.warning("no logs through the API server: port %d: %s", PORT, reason.strerror)
        await asyncio.Event().wait()
