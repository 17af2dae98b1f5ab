"""How a part of the lab shows that it is ready: it tells the supervisor, or the supervisor asks its
own endpoint, with one short question that never waits long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

READY_FD = "LAB_READY_FD"
"""Environment variable of a part that tells: the descriptor to write to."""
PATIENCE = 3.0  # seconds for one look


def ready() -> None:
    """Say so, once; without a supervisor it says nothing."""
    descriptor = os.environ.pop(READY_FD, "")
    if descriptor.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(descriptor), b"ready\n")
            os.close(int(descriptor))


async def http(host: str, port: int, path: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether GET answers 200; raises what was answered instead."""
    status, body = await asyncio.wait_for(_get(host, port, path, context), PATIENCE)
    if status == 200:
        return True
    raise RuntimeError(f"{path} answered {status}: {body[-300:].decode(errors='replace').strip()}")


def unverified() -> ssl.SSLContext:
    """For a health endpoint of our own process on loopback whose certificate it made up itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _get(
    host: str, port: int, path: str, context: ssl.SSLContext | None
) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(
            f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    finally:
        writer.close()
