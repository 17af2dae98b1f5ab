"""Listens: HTTPS and HTTP for the cloud's clients, plain HTTP for the control API; lets time
pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lab.alicloud.app import App
from lab.alicloud.control import Control, waker
from lab.alicloud.metadata import Metadata
from lab.alicloud.seed import seed
from lab.alicloud.state import Region
from lab.alicloud.tls import Certificates
from lab.pki import ensure_lab_ca


class LabProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests know their connection, so that it can be cut."""

    def on_message_begin(self) -> None:
        """Gives the request its transport, before anything of it is read."""
        super().on_message_begin()
        self.scope["lab.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # one process, several servers: `serve` handles the signals


def _server(app: Any, address: tuple[str, int], context: ssl.SSLContext | None = None) -> _Server:
    config = uvicorn.Config(
        app,
        host=address[0],
        port=address[1],
        http=LabProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    config.load()
    config.ssl = context
    return _Server(config)


Address = tuple[str, int]


async def serve(
    home: Path,
    https: Address,
    http: Address | None,
    control: Address,
    metadata: Address | None = None,
) -> None:
    """Run until SIGTERM or SIGINT."""
    region = Region(home)
    with region.store.transaction():
        seed(region)
    app = App(region)
    servers = [_server(app, https, Certificates(ensure_lab_ca(home)).server_context())]
    servers.append(_server(Control(region, app.recorder, app.departures), control))
    if http is not None:
        servers.append(_server(app, http))
    if metadata is not None:
        servers.append(_server(Metadata(region), metadata))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    tasks.append(asyncio.create_task(_let_time_pass(region)))
    ready = asyncio.create_task(_announce(servers))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    failed = next((t for t in tasks if t.done() and t.exception()), None)
    for server in servers:
        server.should_exit = True
    tasks[-1].cancel()
    ready.cancel()
    stop.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    region.store.close()
    if failed is not None:
        await failed


async def _announce(servers: list[_Server]) -> None:
    while not all(server.started for server in servers):
        await asyncio.sleep(0.02)
    print("region: ready", flush=True)


async def _let_time_pass(region: Region) -> None:
    """Run timers when they are due; asleep in between."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    region.on_change(waker(loop, changed))
    while True:
        changed.clear()
        await asyncio.to_thread(region.run_due)
        due = region.next_due()
        pause = None if due is None else max(0.0, due - region.clock.now())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), pause)
