"""The client's watch and errors against a small API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from lab.kube import Kube, KubeError


def thing(uid: str, version: int) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid, "resourceVersion": str(version)}}


class Server:
    """A list of things and one scripted watch per connection; an exhausted script ends the
    connection.
    """

    def __init__(self) -> None:
        self.items = {"a": thing("a", 1), "b": thing("b", 1)}
        self.scripts: list[list[dict[str, Any]]] = []
        self.watched_from: list[str] = []
        self.items_after_watch: dict[str, dict[str, Any]] | None = None
        self.ended = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "1":
            return web.json_response(
                {"metadata": {"resourceVersion": "10"}, "items": list(self.items.values())}
            )
        self.watched_from.append(request.query["resourceVersion"])
        self.items = self.items_after_watch or self.items
        response = web.StreamResponse()
        await response.prepare(request)
        script = self.scripts.pop(0) if self.scripts else None
        for event in script or []:
            await response.write(json.dumps(event).encode() + b"\n")
        if script is None:
            await self.ended.wait()
        return response


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Server, Kube]]:
    made = Server()
    application = web.Application()
    application.router.add_get("/things", made.handle)

    async def refuse(request: web.Request) -> web.Response:
        return web.json_response(
            {"kind": "Status", "reason": "Invalid", "message": "no good"}, status=422
        )

    application.router.add_post("/things", refuse)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}
        ],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    api = Kube(tmp_path / "kubeconfig")
    yield made, api
    made.ended.set()
    await api.close()
    await runner.cleanup()


async def take(api: Kube, count: int) -> list[str]:
    """The first `count` events as `TYPE uid`."""
    seen: list[str] = []
    async for event, item in api.watch("/things"):
        seen.append(f"{event} {item['metadata']['uid']}" if item else event)
        if len(seen) == count:
            break
    return seen


async def test_a_watch_goes_on_through_ended_connections_from_where_it_was(
    server: tuple[Server, Kube],
) -> None:
    made, api = server
    made.scripts = [
        [
            {"type": "MODIFIED", "object": thing("a", 11)},
            {"type": "BOOKMARK", "object": thing("x", 15)},
        ],
        [{"type": "DELETED", "object": thing("b", 16)}],
    ]
    assert await asyncio.wait_for(take(api, 5), 10) == [
        "ADDED a",
        "ADDED b",
        "SYNCED",
        "MODIFIED a",
        "DELETED b",
    ]
    assert made.watched_from[:2] == ["10", "15"]


async def test_after_a_version_too_old_what_was_lost_is_told(server: tuple[Server, Kube]) -> None:
    made, api = server
    made.scripts = [[{"type": "ERROR", "object": {"code": 410}}]]
    made.items_after_watch = {"a": thing("a", 20), "c": thing("c", 20)}
    assert (await asyncio.wait_for(take(api, 7), 10))[3:] == [
        "DELETED b",
        "MODIFIED a",
        "ADDED c",
        "SYNCED",
    ]


async def test_refusals_and_silence_are_errors_with_reason(server: tuple[Server, Kube]) -> None:
    _, api = server
    with pytest.raises(KubeError) as caught:
        await api.post("/things", {})
    assert (caught.value.status, caught.value.reason, caught.value.message) == (
        422,
        "Invalid",
        "no good",
    )
    assert await api.find("/nothing") is None
    await api.delete("/nothing")
    api.server = "http://127.0.0.1:1"
    with pytest.raises(KubeError) as silent:
        await api.get("/things")
    assert silent.value.status == 503
