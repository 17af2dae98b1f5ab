"""What a container needs of its pod."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import aiohttp

from lab.kubelet.events import Events
from lab.kubelet.pulling import Pulled, Tell

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
        """How long image and model take, for a stub pod."""
        ...

    async def pull(self, spec: Object, tell: Tell) -> Pulled:
        """The image of a container; UnknownImage if it can't be had now. `tell` is for its
        events.
        """
        ...

    async def environment(self, spec: Object) -> dict[str, str]:
        """The container's variables; ConfigError if one cannot be had."""
        ...
