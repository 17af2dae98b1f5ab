"""Pulling images on one node: what is there already, the pull policy, the scenario's failures and
times, private registries.
"""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from lab.alicloud import distribution
from lab.alicloud.scenario import Scenario
from lab.environment import clock_factor
from lab.kubelet import images, registry, stub_server

Object = dict[str, Any]
Tell = Callable[[str, str, str], None]
"""Takes an event: Normal or Warning, reason, message."""
PROGRESS_SECONDS = 10.0
log = logging.getLogger("lab.kubelet")


class World(Protocol):
    """What the nodes of a lab share."""

    failed_pulls: Counter[int]

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        ...


@dataclass(frozen=True)
class Pulled:
    """An image on the node; `text` is the event's, `cached` whether no registry was asked."""

    image: images.Image
    text: str
    cached: bool = False


class Puller:
    """One node's containerd, as far as images go. What it has is kept in the node's directory: it
    outlives the agent, not the machine.
    """

    def __init__(self, node: str, folder: Path, world: World) -> None:
        self.node, self.world = node, world
        self._file = folder / "images.json"
        self._there: set[str] | None = None

    @property
    def there(self) -> set[str]:
        """The images on the node, by full reference."""
        if self._there is None:
            self._there = set(json.loads(self._file.read_text())) if self._file.exists() else set()
        return self._there

    async def pull(
        self,
        spec: Object,
        logins: Callable[[], Awaitable[registry.Logins]],
        tell: Tell,
        tensorflow: str = "",
    ) -> Pulled:
        """A container's image by its pull policy; UnknownImageError when it is not available.
        `tensorflow` is what the pod says of the image.
        """
        reference = spec["image"]
        name, tag = images.split(reference)
        policy = spec.get("imagePullPolicy") or (
            "Always" if tag == "latest" and "@" not in reference else "IfNotPresent"
        )
        full = registry.full(reference, name, tag) if name else ""
        if full in self.there and policy != "Always":
            return Pulled(
                images.resolve(reference, tensorflow),
                f'Container image "{reference}" already present on machine',
                cached=True,
            )
        if name and policy == "Never":
            raise images.UnknownImageError(
                f'Container image "{reference}" is not present with pull policy of Never',
                "ErrImageNeverPull",
            )
        if name:
            tell("Normal", "Pulling", f'Pulling image "{reference}"')
        number, rule = self._rule(full)
        if rule:
            await self._obstacles(number, rule, (reference, name, tag), logins)
        image = images.resolve(reference, tensorflow)
        if image.kind == "serving" and not stub_server.wanted():
            images.require_libraries(reference, tensorflow)
        began = asyncio.get_running_loop().time()
        if full not in self.there and "seconds" in rule:
            await self._take(reference, number, rule["seconds"])
        self._keep(full)
        took = f"{asyncio.get_running_loop().time() - began:.3f}".rstrip("0").rstrip(".") + "s"
        return Pulled(
            image, f'Successfully pulled image "{reference}" in {took} ({took} including waiting).'
        )

    def _rule(self, full: str) -> tuple[int, Object]:
        """(number, line) of the scenario that speaks of this image; {} for none."""
        lines = enumerate(self.world.scenario.images)
        return next(
            ((number, line) for number, line in lines if full and fnmatchcase(full, line["match"])),
            (-1, {}),
        )

    async def _obstacles(
        self,
        number: int,
        rule: Object,
        asked: tuple[str, str, str],
        logins: Callable[[], Awaitable[registry.Logins]],
    ) -> None:
        """UnknownImageError where the scenario has the pull fail, now or for those without a
        login.
        """
        if "fails" in rule and self.world.failed_pulls[number] < rule.get("times", float("inf")):
            self.world.failed_pulls[number] += 1
            raise images.UnknownImageError(registry.words(rule["fails"], *asked))
        if "login" in rule:
            given = (await logins()).get(registry.split(asked[1])[0])
            if given is None:
                raise images.UnknownImageError(registry.words("unauthorized", *asked))
            wanted = rule["login"]
            if wanted is not True and given != (wanted["username"], wanted["password"]):
                raise images.UnknownImageError(registry.words("wrong_login", *asked))

    async def _take(self, reference: str, number: int, seconds: Any) -> None:
        """As long as the scenario says; containerd shows how far it is, the kubelet does not: so
        does the agent's log.
        """
        scenario = self.world.scenario
        draw = zlib.crc32(f"{self.node} {reference}".encode())
        total = (
            distribution.draw(seconds, scenario.dice(f"image_pull/{number}", draw)) / clock_factor()
        )
        done = 0.0
        while done < total:
            step = min(PROGRESS_SECONDS, total - done)
            await asyncio.sleep(step)
            done += step
            log.info("node %s pulls %s: %d %%", self.node, reference, 100 * done / total)

    def _keep(self, full: str) -> None:
        if full not in self.there:
            self.there.add(full)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(sorted(self.there)))
