"""Is it up? One short look at a part's own endpoint, never waiting long."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

PATIENCE = 3.0  # seconds for one look


async def tcp(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE)
    writer.close()
    return True


async def http(host: str, port: int, path: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether GET answers 200; raises what was answered instead."""
    status, body = await asyncio.wait_for(_get(host, port, path, context), PATIENCE)
    if status == 200:
        return True
    raise RuntimeError(f"{path} answered {status}: {body[-300:].decode(errors='replace').strip()}")


async def a_node_is_ready(host: str, port: int, context: ssl.SSLContext) -> bool:
    """Whether at least one Node of the cluster is Ready."""
    _, body = await asyncio.wait_for(_get(host, port, "/api/v1/nodes", context), PATIENCE)
    nodes: list[dict[str, Any]] = json.loads(body).get("items") or []
    for node in nodes:
        if any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in node.get("status", {}).get("conditions") or []
        ):
            return True
    raise RuntimeError(f"none of {len(nodes)} nodes is Ready")


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
