"""One container's life: image, start, probes, restarts with back-off, hooks, orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from lab.environment import API_IP
from lab.kubelet import images, process, rootfs, stub_server
from lab.kubelet.contexts import ContainerContext
from lab.kubelet.fields import ConfigError
from lab.kubelet.hooks import run_hook
from lab.kubelet.nodes import now
from lab.kubelet.probing import Probing
from lab.kubelet.status import ContainerState, exit_code_of, terminated, waiting

Object = dict[str, Any]
BACKOFF_FIRST, BACKOFF_LAST, BACKOFF_RESET = 10.0, 300.0, 600.0
PULL_RETRY = 4.0
"""Seconds between ErrImagePull and ImagePullBackOff: short, so that who waits for the pod sees the
reason soon.
"""
MINIMUM_GRACE = 2.0
API_SERVER = {"KUBERNETES_SERVICE_HOST": API_IP, "KUBERNETES_SERVICE_PORT": "6443"}
"""What every container is told of the API server; here its own address, since no proxy stands
behind service addresses.
"""


class Container:
    """Run it with `run()` (once per pod); end it with `stop()`."""

    def __init__(
        self, context: ContainerContext, spec: Object, restart: str, restarts: int = 0
    ) -> None:
        """`restart` is Always, OnFailure or Never."""
        self.context, self.spec, self.restart = context, spec, restart
        self.name: str = spec["name"]
        self.state = ContainerState(
            self.name, spec["image"], restarts=restarts, resources=spec.get("resources") or {}
        )
        self.folder = context.folder / "containers" / self.name
        self.process: process.Process | None = None
        self.env: dict[str, str] = {}
        self.ended = asyncio.Event()
        self.up = asyncio.Event()
        self._backoff = 0.0
        self._stopping = False
        self.ending: asyncio.Future[None] | None = None

    def event(self, kind: str, reason: str, message: str) -> None:
        """An event about this container."""
        self.context.events.pod(self.context.pod, kind, reason, message, self.name)

    def show(self, state: Object) -> None:
        """Sets the visible state."""
        self.state.state = state
        self.context.changed()

    def log_path(self, previous: bool = False) -> Path:
        """The log of this run or of the one before."""
        return self.folder / f"{max(0, self.state.restarts - int(previous))}.log"

    async def run(self) -> None:
        """Until the container is done for good."""
        while not self._stopping:
            image = await self._pull()
            began = asyncio.get_running_loop().time()
            code = await self._once(image)
            if code is None:
                await asyncio.sleep(PULL_RETRY)
                continue
            if self._stopping or not self._again(code):
                return
            ran = asyncio.get_running_loop().time() - began
            await self._wait_to_restart(ran)
            self.state.restarts += 1

    def _again(self, code: int) -> bool:
        return self.restart == "Always" or (self.restart == "OnFailure" and code != 0)

    def _tensorflow(self) -> str:
        return images.declared(self.context.pod, self.spec)

    async def _pull(self) -> images.Image:
        """The image, after as many failed pulls as it takes."""
        reference = self.spec["image"]
        while True:
            try:
                pulled = await self.context.pull(self.spec, self.event)
                break
            except images.UnknownImageError as reason:
                await self._without_image(reference, reason)
        if not pulled.cached or not self.state.restarts:
            self.event("Normal", "Pulled", pulled.text)
        self.state.image_id = images.image_id(reference)
        return pulled.image

    async def _without_image(self, reference: str, reason: images.UnknownImageError) -> None:
        """Shows why, as a kubelet does until it tries again."""
        if reason.reason != "ErrImagePull":
            kind = "InspectFailed" if reason.reason == "InvalidImageName" else reason.reason
            self.event("Warning", kind, str(reason))
            self.event("Warning", "Failed", f"Error: {reason.reason}")
            self.show(waiting(reason.reason, str(reason)))
            await asyncio.sleep(2 * PULL_RETRY)
            return
        self.event("Warning", "Failed", f'Failed to pull image "{reference}": {reason}')
        self.event("Warning", "Failed", "Error: ErrImagePull")
        self.show(waiting("ErrImagePull", str(reason)))
        await asyncio.sleep(PULL_RETRY)
        self.event("Normal", "BackOff", f'Back-off pulling image "{reference}"')
        self.event("Warning", "Failed", "Error: ImagePullBackOff")
        self.show(
            waiting(
                "ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {reason}'
            )
        )
        await asyncio.sleep(PULL_RETRY)

    async def _start(self, image: images.Image) -> process.Process:
        """Starts the process; ConfigError or OSError if that cannot be done."""
        context = self.context
        self.env = await context.environment(self.spec)
        self.folder.mkdir(parents=True, exist_ok=True)
        root = self.folder / "rootfs"
        rootfs.build(root, self.spec, context.volumes, self.env)
        words = images.command_line(image, self.spec, self.env)
        if image.kind == "serving" and stub_server.wanted():
            model = stub_server.model_of(words, root)
            return stub_server.StubServer(
                model, context.pod_ip, context.load_seconds(), stub_server.pace()
            )
        if image.kind == "shell" and words[0] == sys.executable:
            words = images.located(words, self.spec, root)
        own = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(root),
            "HOSTNAME": context.pod["metadata"]["name"],
            **API_SERVER,
        }
        lab = {
            "LAB_ROOTFS": str(root),
            "LAB_POD_IP": context.pod_ip,
            "LAB_DEAF_TO_SIGTERM": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if words[1:3] == ["-m", "lab.serving"] or image.kind == "serving":
            lab |= images.serving_environment(self.spec["image"], self._tensorflow())
        self.env = {**own, **self.env, **lab}
        return await process.start(words, self.env, root, self.log_path())

    async def _once(self, image: images.Image) -> int | None:
        """One run of the process: its exit code; None if its configuration is not there yet."""
        self.ended.clear()
        try:
            self.process = await self._start(image)
        except ConfigError as reason:
            self.event("Warning", "Failed", f"Error: {reason}")
            self.show(waiting("CreateContainerConfigError", str(reason)))
            return None
        except (OSError, KeyError) as reason:
            text = f"failed to create containerd task: failed to start container process: {reason}"
            self.event("Warning", "Failed", f"Error: {text}")
            self._finish(terminated(128, now(), "", "StartError", text))
            return 128
        self.state.container_id = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        began = now()
        self.event("Normal", "Created", f"Created container: {self.name}")
        self.event("Normal", "Started", f"Started container {self.name}")
        probing = Probing(self)
        self.state.started, self.state.ready = not probing.has_startup, probing.ready_at_start
        self.show({"running": {"startedAt": began}})
        tasks = [asyncio.ensure_future(probing.run())]
        if (self.spec.get("lifecycle") or {}).get("postStart"):
            tasks.append(asyncio.ensure_future(self._post_start()))
        if self.state.started:
            self.up.set()
        try:
            code = exit_code_of(await self.process.wait())
        except asyncio.CancelledError:
            self.process.kill()
            raise
        finally:
            for task in tasks:
                task.cancel()
        self._finish(terminated(code, began, self.state.container_id))
        return code

    def _finish(self, state: Object) -> None:
        self.state.ready = self.state.started = False
        self.ended.set()
        self.show(state)

    async def _post_start(self) -> None:
        problem = await run_hook(self, self.spec["lifecycle"]["postStart"], self.context.grace)
        if problem:
            self.event("Warning", "FailedPostStartHook", f"PostStartHook failed: {problem}")
            await self.end(self.context.grace, "FailedPostStartHook")

    async def _wait_to_restart(self, ran: float) -> None:
        """CrashLoopBackOff: at once the first time, then 10 s, 20 s, ... 5 min; a run of 10 min
        starts over.
        """
        if ran >= BACKOFF_RESET:
            self._backoff = 0.0
        pause, self._backoff = self._backoff, min(BACKOFF_LAST, self._backoff * 2 or BACKOFF_FIRST)
        self.state.last = self.state.state if "terminated" in self.state.state else self.state.last
        meta = self.context.pod["metadata"]
        if pause:
            who = f"{self.name} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
            self.event("Warning", "BackOff", f"Back-off restarting failed container {who}")
            text = f"back-off {_duration(pause)} restarting failed container={self.name} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
            self.show(waiting("CrashLoopBackOff", text))
            await asyncio.sleep(pause)

    async def execute(self, command: list[str], seconds: float) -> tuple[int, str]:
        """A command inside the container."""
        return await process.run(command, self.env, self.folder / "rootfs", seconds)

    async def end(self, grace: float, why: str = "") -> None:
        """PreStop hook, SIGTERM, and SIGKILL when `grace` seconds are over; returns when the
        process is gone.
        """
        running, clock = self.process, asyncio.get_running_loop()
        if running is None or not self.state.running:
            return
        deadline = clock.time() + grace
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0 and not why.startswith("FailedPostStart"):
            problem = await run_hook(self, hook, grace)
            if problem:
                self.event("Warning", "FailedPreStopHook", f"PreStopHook failed: {problem}")
        running.terminate()
        left = max(deadline - clock.time(), MINIMUM_GRACE) if grace > 0 else 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), left)
        if not self.ended.is_set():
            running.kill()
            await self.ended.wait()

    async def stop(self, grace: float) -> None:
        """Ends it for good."""
        self._stopping = True
        if self.state.running:
            self.event("Normal", "Killing", f"Stopping container {self.name}")
        await self.end(grace)

    def kill(self) -> None:
        """End the process by SIGKILL at once; the container is not started again."""
        self._stopping = True
        if self.process is not None:
            self.process.kill()


def _duration(seconds: float) -> str:
    """Go's way to print 10s, 1m20s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
