"""Drives the three probes of a running container and acts on their results."""

from __future__ import annotations

import asyncio

from lab.environment import clock_factor
from lab.kubelet.contexts import RunningContainer
from lab.kubelet.probes import Probe, Tracker, check, first_delay


class Probing:
    """Made when a container starts; `run()` is cancelled when it ends."""

    def __init__(self, container: RunningContainer) -> None:
        self.container, spec = container, container.spec
        clock = clock_factor()
        self.startup = Probe.of("startup", spec.get("startupProbe"), clock)
        self.readiness = Probe.of("readiness", spec.get("readinessProbe"), clock)
        self.liveness = Probe.of("liveness", spec.get("livenessProbe"), clock)
        self.began = asyncio.get_running_loop().time()

    @property
    def has_startup(self) -> bool:
        """Whether the container counts as started only later."""
        return self.startup is not None

    @property
    def ready_at_start(self) -> bool:
        """Without probes to wait for, a started container is ready."""
        return self.startup is None and self.readiness is None

    async def run(self) -> None:
        """Startup first; readiness and liveness after it."""
        if self.startup and not await self._until_started(self.startup):
            return
        work = [self._follow(probe) for probe in (self.readiness, self.liveness) if probe]
        await asyncio.gather(*work)

    async def _attempt(self, probe: Probe) -> bool:
        container, context = self.container, self.container.context
        passed, text = await check(
            probe, container.spec, context.pod_ip, container.execute, context.session
        )
        if not passed and container.state.running:
            container.event(
                "Warning", "Unhealthy", f"{probe.kind.capitalize()} probe failed: {text}"
            )
        return passed

    async def _until_started(self, probe: Probe) -> bool:
        """True when the startup probe passed; False after it killed the container."""
        tracker = Tracker(probe, None)
        await first_delay(probe, asyncio.get_running_loop().time() - self.began)
        while True:
            tracker.add(await self._attempt(probe))
            if tracker.result is False:
                self._restart(probe)
                return False
            if tracker.result:
                state = self.container.state
                state.started, state.ready = True, self.readiness is None
                self.container.up.set()
                self.container.context.changed()
                return True
            await asyncio.sleep(probe.period)

    async def _follow(self, probe: Probe) -> None:
        """Readiness sets `ready`; a failed liveness probe restarts the container."""
        tracker = Tracker(probe, probe.kind == "liveness")
        await first_delay(probe, asyncio.get_running_loop().time() - self.began)
        while True:
            if probe.kind == "liveness" and self.container.context.terminating:
                return
            if tracker.add(await self._attempt(probe)):
                if probe.kind == "readiness":
                    self.container.state.ready = bool(tracker.result)
                    self.container.context.changed()
                elif not tracker.result:
                    self._restart(probe)
                    return
            await asyncio.sleep(probe.period)

    def _restart(self, probe: Probe) -> None:
        """Ends the container; its restart policy decides what follows."""
        container = self.container
        if container.context.terminating:
            return
        container.event(
            "Normal",
            "Killing",
            f"Container {container.name} failed {probe.kind} probe, will be restarted",
        )
        grace = probe.grace if probe.grace is not None else container.context.grace
        # Its own task: this one is cancelled as soon as the process ends.
        container.ending = asyncio.ensure_future(container.end(grace))
