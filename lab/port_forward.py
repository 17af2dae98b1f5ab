"""Port forwards: bytes that arrive at a listening socket are passed on to an address inside the
lab, and back.

The listening sockets of the host are opened outside the sealed namespace and handed in; that is the
only way in.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

HIGH_WATER = 1 << 20  # bytes that may wait for a slow reader before the other side is paused


class _Pipe(asyncio.Protocol):
    """One side of a forwarded connection."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.peer: _Pipe | None = None
        self.early: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            self.early.append(data)
        elif self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        if (
            self.peer is not None
            and self.peer.transport is not None
            and self.peer.transport.can_write_eof()
        ):
            self.peer.transport.write_eof()
        if self.peer is None or not self.peer.ended:
            return True  # the other direction may still have something to say
        if self.peer.transport is not None:
            self.peer.transport.close()
        return False

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        transport, self.transport = self.transport, None
        if transport is not None and self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()

    def join(self, peer: _Pipe) -> None:
        """Start passing bytes between two connected sides."""
        self.peer, peer.peer = peer, self
        if self.transport is None:
            peer.transport.close()
            return
        for data in self.early:
            peer.transport.write(data)
        self.early.clear()
        if self.ended:
            peer.transport.write_eof()


class _Accepted(_Pipe):
    """A client of the port forward: connects on to the target as soon as it arrives."""

    def __init__(self, target: tuple[str, int], pending: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self.target = target
        self.pending = pending

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._connect())
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def _connect(self) -> None:
        try:
            _, other = await asyncio.wait_for(
                asyncio.get_running_loop().create_connection(_Pipe, *self.target), 10
            )
        except (OSError, TimeoutError):
            if self.transport is not None:
                self.transport.abort()  # nobody listens there (yet)
            return
        self.join(other)


async def serve(listening: socket.socket, target: tuple[str, int]) -> asyncio.AbstractServer:
    """Forward whatever connects to `listening` to `target`, for as long as the caller holds what
    this returns.
    """
    listening.setblocking(False)
    pending: set[asyncio.Task[None]] = set()
    return await asyncio.get_running_loop().create_server(
        lambda: _Accepted(target, pending), sock=listening, backlog=1024
    )
