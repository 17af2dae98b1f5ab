"""Stand-ins for what the node agent talks to: API server answers, an event list, a pod around one
container.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.alicloud.scenario import Scenario
from lab.kube import KubeError
from lab.kubelet import images
from lab.kubelet.container import Container
from lab.kubelet.fields import environment
from lab.kubelet.pulling import Pulled, Puller, Tell

Object = dict[str, Any]


class FakeApi:
    """Answers GET from `objects` (path -> object), records every POST, answers token requests."""

    def __init__(self, objects: dict[str, Object] | None = None) -> None:
        self.objects = objects or {}
        self.posts: list[tuple[str, Object]] = []

    async def find(self, path: str) -> Object | None:
        """An object or None."""
        return self.objects.get(path)

    async def post(self, path: str, body: Object) -> Object:
        """A token for /token, NotFound for service accounts called `missing`."""
        self.posts.append((path, body))
        if "/missing/" in path:
            raise KubeError(404, "NotFound", 'serviceaccounts "missing" not found')
        return {"status": {"token": "a.b.c"}}


class FakeEvents:
    """Keeps (type, reason, message)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def pod(self, pod: Object, kind: str, reason: str, message: str, container: str = "") -> None:
        """Records."""
        self.seen.append((kind, reason, message))

    def reasons(self) -> list[str]:
        """In order."""
        return [reason for _, reason, _ in self.seen]


class World:
    """What nodes share: a scenario to be set."""

    def __init__(self) -> None:
        self.scenario, self.failed_pulls = Scenario(), Counter[int]()


class Around:
    """A pod as one container sees it; every state it showed is in `shown`. `logins` are those of
    its pull secrets.
    """

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self.pod: Object = {
            "metadata": {"name": "p", "namespace": "n", "uid": "u1"},
            "spec": {"nodeName": "node"},
        }
        self.pod_ip, self.folder, self.session = "127.0.0.1", folder, session
        self.events, self.volumes = FakeEvents(), {}
        self.terminating, self.grace = False, 5.0
        self.world, self.logins = World(), dict[str, tuple[str, str]]()
        self.puller = Puller("node", folder, self.world)
        self.container: Container | None = None
        self.shown: list[str] = []

    def changed(self) -> None:
        """Notes the state's name, or the reason when waiting."""
        if self.container:
            kind, detail = next(iter(self.container.state.state.items()))
            text = detail.get("reason", kind) if kind == "waiting" else kind
            if self.shown[-1:] != [text]:
                self.shown.append(text)

    async def pull(self, spec: Object, tell: Tell) -> Pulled:
        """From the node's own store or its registries."""

        async def logins() -> dict[str, tuple[str, str]]:
            return self.logins

        return await self.puller.pull(spec, logins, tell, images.declared(self.pod, spec))

    def load_seconds(self) -> float:
        """No time at all."""
        return 0.0

    async def environment(self, spec: Object) -> dict[str, str]:
        """Plain variables only."""

        async def nothing(plural: str, name: str) -> None:
            return None

        return await environment(self.pod, spec, {}, nothing)

    def make(self, restart: str = "Always", **spec: Any) -> Container:
        """A container of this pod."""
        self.container = Container(self, {"name": "c", "image": "busybox", **spec}, restart)  # type: ignore[arg-type]  # a double with the methods that are called
        return self.container


async def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    """A pod's surroundings in a temporary directory; its process is killed afterwards."""
    async with aiohttp.ClientSession() as session:
        result = Around(tmp_path, session)
        yield result
        if result.container:
            result.container.kill()
