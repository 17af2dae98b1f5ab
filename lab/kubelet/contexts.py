"""What each part of the node agent needs of the part that holds it: a container of its pod, a pod
of its node, a node of the agent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from lab.alicloud.scenario import Scenario
from lab.kube import Kube
from lab.kubelet.events import Events
from lab.kubelet.pulling import Pulled, Puller, Tell
from lab.kubelet.status import ContainerState
from lab.kubelet.volumes import Volumes

Object = dict[str, Any]


class ContainerContext(Protocol):
    """What a container needs of its pod."""

    pod: Object
    pod_ip: str
    folder: Path
    events: Events
    session: aiohttp.ClientSession
    volumes: dict[str, Path]
    terminating: bool
    grace: float

    def changed(self) -> None:
        """Something that the status shows has changed."""

    def load_seconds(self) -> float:
        """Seconds that image and model take, for a stub pod."""
        ...

    async def pull(self, spec: Object, tell: Tell) -> Pulled:
        """The image of a container; UnknownImageError if it is not available now. `tell` is for its
        events.
        """
        ...

    async def environment(self, spec: Object) -> dict[str, str]:
        """The container's variables; ConfigError if one is missing."""
        ...


class RunningContainer(Protocol):
    """What probes and lifecycle hooks need of a container."""

    context: ContainerContext
    spec: Object
    name: str
    state: ContainerState
    up: asyncio.Event
    ending: asyncio.Future[None] | None

    def event(self, kind: str, reason: str, message: str) -> None:
        """An event about this container; `kind` is Normal or Warning."""

    async def execute(self, command: list[str], seconds: float) -> tuple[int, str]:
        """(exit code, output) of a command inside the container; TimeoutError after `seconds`."""
        ...

    async def end(self, grace: float, why: str = "") -> None:
        """PreStop hook, SIGTERM, and SIGKILL when `grace` seconds are over."""


class NodeContext(Protocol):
    """What a node needs of the agent."""

    home: Path
    api: Kube
    events: Events
    volumes: Volumes
    failed_pulls: Counter[int]

    @property
    def session(self) -> aiohttp.ClientSession:
        """For probes and hooks."""
        ...

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        ...

    def spawn(self, work: Awaitable[Any]) -> None:
        """Run something beside the rest; its failure is logged."""

    async def log_api_errors(self, work: Awaitable[Any]) -> None:
        """Await an update that the next one repeats anyway; a refusal is only logged."""

    def load_seconds(self) -> float:
        """Seconds that image and model of the next stub pod take."""
        ...


class PodContext(Protocol):
    """What a pod needs of its node."""

    agent: NodeContext
    instance: Object
    address: str
    folder: Path
    puller: Puller

    def take_address(self) -> str:
        """A pod address; RuntimeError if all are taken."""
        ...

    def free_address(self, address: str) -> None:
        """Give a pod address back."""

    def keep_logs(self, pod: Object, folder: Path) -> None:
        """Set aside what an ended pod's containers wrote below its `folder`, until the node
        goes.
        """
