"""One pod bound to a node: volumes, address, containers, status, end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any

from lab.kube import KubeError, pod_path
from lab.kubelet import images, ossmount
from lab.kubelet.container import Container
from lab.kubelet.contexts import PodContext
from lab.kubelet.fields import environment
from lab.kubelet.nodes import now
from lab.kubelet.pulling import Pulled, Tell
from lab.kubelet.registry import logins_of
from lab.kubelet.status import overwritten, pod_status, terminated, waiting

Object = dict[str, Any]
MOUNT_RETRY_FIRST, MOUNT_RETRY_LAST = 0.5, 8.0
DEFAULT_GRACE = 30


class Pod:
    """Owned by its node; `start()` once, `update()` with every change, `kill()` when the machine or
    the object is gone.
    """

    def __init__(self, node: PodContext, pod: Object) -> None:
        self.node, self.pod = node, pod
        self.api, self.events, self.session = node.agent.api, node.agent.events, node.agent.session
        self.folder: Path = node.folder / "pods" / pod["metadata"]["uid"]
        self.host_network = bool(pod["spec"].get("hostNetwork"))
        self.pod_ip = ""
        self.volumes: dict[str, Path] = {}
        self.terminating = False
        self.grace = float(pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))
        self.start_time = pod.get("status", {}).get("startTime") or now()
        self.conditions: list[Object] = pod.get("status", {}).get("conditions") or []
        self.initialized = self.sandbox = self.gone = False
        spec = pod["spec"]
        self.policy: str = spec.get("restartPolicy") or "Always"
        before = {
            entry["name"]: entry for entry in pod.get("status", {}).get("containerStatuses") or []
        }
        self.init = [
            Container(self, one, self._init_policy(one)) for one in spec.get("initContainers") or []
        ]
        self.main = [
            Container(self, one, self.policy, _restarts(before.get(one["name"])))
            for one in spec["containers"]
        ]
        if self.init:
            for container in self.main:
                container.state.state = waiting("PodInitializing")
        self._dirty, self._sent, self._reported = asyncio.Event(), {}, 0
        self._tasks: list[asyncio.Future[Any]] = []

    def _init_policy(self, spec: Object) -> str:
        if spec.get("restartPolicy") == "Always":
            return "Always"
        return "Never" if self.policy == "Never" else "OnFailure"

    @property
    def facts(self) -> Object:
        """What field references know before the API server does."""
        return {
            "status.podIP": self.pod_ip,
            "status.podIPs": self.pod_ip,
            "status.hostIP": self.node.address,
            "status.hostIPs": self.node.address,
        }

    def changed(self) -> None:
        """Asks for a status update soon."""
        self._dirty.set()

    async def environment(self, spec: Object) -> dict[str, str]:
        """The variables of one container."""

        async def lookup(plural: str, name: str) -> Object | None:
            return await self.api.find(
                f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/{plural}/{name}"
            )

        return await environment(self.pod, spec, self.facts, lookup)

    async def pull(self, spec: Object, tell: Tell) -> Pulled:
        """The image of one container, with the logins of the pod's pull secrets."""

        async def logins() -> dict[str, tuple[str, str]]:
            names = [
                one["name"]
                for one in self.pod["spec"].get("imagePullSecrets") or []
                if one.get("name")
            ]
            space = f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/secrets"
            found = {name: await self.api.find(f"{space}/{name}") for name in names}
            if missing := [name for name, secret in found.items() if secret is None]:
                text = f"Unable to retrieve some image pull secrets ({', '.join(missing)}); attempting to pull the image may not succeed."
                self.events.pod(self.pod, "Warning", "FailedToRetrieveImagePullSecret", text)
            return logins_of([secret for secret in found.values() if secret])

        return await self.node.puller.pull(spec, logins, tell, images.declared(self.pod, spec))

    def load_seconds(self) -> float:
        """How long image and model take in a stub pod, from the lab's scenario."""
        return self.node.agent.load_seconds()

    def start(self) -> None:
        """Begins to run the pod."""
        self._tasks = [asyncio.ensure_future(self._report()), asyncio.ensure_future(self._run())]

    async def _run(self) -> None:
        self.changed()
        await self._mount_all()
        self.pod_ip = self.node.address if self.host_network else self.node.take_address()
        self.sandbox = True
        self.changed()
        for container in self.init:
            if not await self._run_init(container):
                return
        self.initialized = True
        self.changed()
        await asyncio.gather(*(container.run() for container in self.main))
        self.changed()

    async def _run_init(self, container: Container) -> bool:
        """One init container to its end (a sidecar: until it is up); False if the pod has failed
        with it.
        """
        if container.restart == "Always":
            self._tasks.append(asyncio.ensure_future(container.run()))
            await container.up.wait()
            container.state.ready = True
            return True
        await container.run()
        container.state.ready = container.state.exit_code == 0
        self.changed()
        return container.state.exit_code == 0

    async def _mount_all(self) -> None:
        """Every volume, each retried indefinitely with growing pauses; the reason is in the pod's
        events.
        """
        await asyncio.gather(
            *(self._mount(volume) for volume in self.pod["spec"].get("volumes") or [])
        )

    async def _mount(self, volume: Object) -> None:
        name, pause = volume["name"], MOUNT_RETRY_FIRST
        folder = self.folder / "volumes" / name
        if name.startswith("kube-api-access-") and self._without_process():
            folder.mkdir(parents=True, exist_ok=True)
        else:
            while True:
                try:
                    facts = {**self.facts, "cluster_id": self.node.instance.get("cluster_id")}
                    await self.node.agent.volumes.mount(self.pod, volume, folder, facts)
                    break
                except Exception as reason:  # whatever it is, the pod waits and its events say why
                    shown = await self._volume_name(volume)
                    self.events.pod(
                        self.pod,
                        "Warning",
                        "FailedMount",
                        f'MountVolume.SetUp failed for volume "{shown}" : {reason}',
                    )
                    await asyncio.sleep(pause)
                    pause = min(MOUNT_RETRY_LAST, pause * 2)
        self.volumes[name] = folder

    async def _volume_name(self, volume: Object) -> str:
        """The persistent volume's name where there is one, as the kubelet shows it."""
        claim = volume.get("persistentVolumeClaim")
        if claim:
            with contextlib.suppress(KubeError):
                path = f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/persistentvolumeclaims/{claim['claimName']}"
                found = await self.api.find(path)
                return (found or {}).get("spec", {}).get("volumeName") or volume["name"]
        return volume["name"]

    def _without_process(self) -> bool:
        """Whether nothing in the pod could read a token (pause containers only)."""
        try:
            return all(
                images.resolve(container.spec["image"]).kind == "pause" for container in self.main
            )
        except images.UnknownImageError:
            return False

    def update(self, pod: Object) -> None:
        """A newer object: its conditions, what others wrote over them (it is said again), and the
        wish to end.
        """
        self.pod = pod
        self.conditions = pod.get("status", {}).get("conditions") or self.conditions
        if int(pod["metadata"]["resourceVersion"]) > self._reported and overwritten(
            self._sent, self.conditions
        ):
            self._sent = {}
            self.changed()
        if pod["metadata"].get("deletionTimestamp") and not self.terminating:
            self.terminating = True
            self._tasks.append(
                asyncio.ensure_future(
                    self._terminate(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
                )
            )

    async def _terminate(self, grace: float) -> None:
        """Stops the containers within `grace`, reports the end, lets the object go."""
        await asyncio.gather(*(container.stop(grace) for container in self.main))
        await asyncio.gather(*(container.stop(grace) for container in self.init))
        self._tasks[1].cancel()
        self._tasks[0].cancel()
        await asyncio.gather(*self._tasks[:2], return_exceptions=True)
        for container in [*self.init, *self.main]:
            if container.state.exit_code is None:
                text = "The container could not be located when the pod was terminated"
                container.state.state = terminated(137, now(), "", "ContainerStatusUnknown", text)
        await self._send()
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self.pod["metadata"]["uid"]},
        }
        await self._persist(lambda: self.api.delete(pod_path(self.pod), body))
        self.clean()

    async def _persist(self, call: Any) -> None:
        """Repeats a call while the API server is away."""
        while True:
            try:
                await call()
                return
            except KubeError as error:
                if error.status < 500 and error.status != 429:
                    return
                await asyncio.sleep(1)

    async def _report(self) -> None:
        """Sends the status whenever it changed, changes close together as one."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(0.02)
            self._dirty.clear()
            if not await self._send():
                await asyncio.sleep(1)
                self._dirty.set()

    async def _send(self) -> bool:
        """One status patch if it says something new; False if it must be tried again."""
        body = pod_status(
            self.pod, [c.state for c in self.init], [c.state for c in self.main], host_ip=self.node.address, pod_ip=self.pod_ip,
            start_time=self.start_time, initialized=self.initialized, sandbox=self.sandbox, previous=self.conditions,
        )  # fmt: skip
        if body == self._sent:
            return True
        try:
            answer = await self.api.patch(pod_path(self.pod, "/status"), body)
        except KubeError as error:
            return error.status < 500 and error.status != 429
        self.conditions = answer.get("status", {}).get("conditions") or self.conditions
        self._sent, self._reported = body, int(answer["metadata"]["resourceVersion"])
        return True

    def kill(self) -> None:
        """Ends every process at once and forgets the pod; nothing is reported."""
        for container in [*self.init, *self.main]:
            container.kill()
        for task in self._tasks:
            task.cancel()
        self.clean()

    def clean(self) -> None:
        """Frees address and directory; the logs move to the node's `ended` directory."""
        if self.gone:
            return
        self.gone = True
        if self.pod_ip and not self.host_network:
            self.node.free_address(self.pod_ip)
        self.node.keep_logs(self.pod, self.folder)
        if (self.folder / "volumes").exists():
            ossmount.remove(self.folder / "volumes")
        shutil.rmtree(self.folder, ignore_errors=True)


def _restarts(before: Object | None) -> int:
    """A pod met again after the agent was restarted: its containers died with the agent."""
    return (
        before["restartCount"] + 1
        if before and ("running" in before.get("state", {}) or before.get("restartCount"))
        else 0
    )


async def evict(api: Any, pod: Object) -> None:
    """Deletes a pod whose machine is gone; KubeError if the API server cannot be reached."""
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": pod["metadata"]["uid"]},
    }
    await api.delete(pod_path(pod), body)
