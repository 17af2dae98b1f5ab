"""The supervisor's control socket: follow what it does, ask for the state, tell it to stop. One
JSON object a line, both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAME = "supervisor.sock"


def connect(home: Path, timeout: float = 5.0) -> socket.socket:
    """A connection to the supervisor of this lab; OSError when none listens."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(timeout)
    directory = os.open(home / "run", os.O_PATH)
    try:
        client.connect(
            f"/proc/self/fd/{directory}/{NAME}"
        )  # a socket's own path may have 107 bytes only
    except OSError:
        client.close()
        raise
    finally:
        os.close(directory)
    return client


def ask(home: Path, request: str, timeout: float = 5.0) -> Iterator[dict[str, Any]]:
    """Send "state", "follow" or "stop"; yields the answers until the supervisor ends them.

    Raises OSError when nobody answers, TimeoutError when nothing comes for `timeout` seconds.
    """
    with connect(home, timeout) as client, client.makefile("rb") as stream:
        client.sendall(json.dumps({"request": request}).encode() + b"\n")
        for line in stream:
            yield json.loads(line)


class Control:
    """Serves the socket inside the supervisor."""

    def __init__(
        self,
        home: Path,
        state: Callable[[], dict[str, Any]],
        settled: Callable[[], bool],
        stop: Callable[[], None],
    ) -> None:
        self._home, self._state, self._settled, self._stop = home, state, settled, stop
        self._changes = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = (
            None  # held: one that nothing refers to is collected, and its socket closed
        )

    async def listen(self) -> None:
        """Start answering."""
        directory = os.open(self._home / "run", os.O_PATH)
        path = f"/proc/self/fd/{directory}/{NAME}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        os.close(directory)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening)

    def changed(self) -> None:
        """Tell followers that something is different now."""
        task = asyncio.get_running_loop().create_task(self._notify())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _notify(self) -> None:
        async with self._changes:
            self._changes.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await asyncio.wait_for(reader.readline(), 60)).get("request")
            if request == "stop":
                self._stop()
            await self._send(writer, self._state())
            if request in ("follow", "stop"):
                async with self._changes:
                    while request == "stop" or not self._settled():
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._changes.wait(), 1)
                        await self._send(writer, self._state())
        except (ValueError, ConnectionError, TimeoutError):
            return
        finally:
            writer.close()

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
        writer.write(json.dumps(document).encode() + b"\n")
        await writer.drain()
