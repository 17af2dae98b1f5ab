"""One node: registration, heartbeat, its pods, its end."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from lab.kube import MERGE, KubeError
from lab.kubelet.addresses import Addresses
from lab.kubelet.contexts import NodeContext
from lab.kubelet.nodes import (
    conditions,
    is_ready,
    labels,
    lease_object,
    micro_now,
    node_name,
    node_object,
    own_labels,
    taints,
)
from lab.kubelet.pod import Pod, evict
from lab.kubelet.pulling import Puller
from lab.labels import kubelet_refusal

Object = dict[str, Any]
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Node:
    """An ECS instance seen as a kubelet's machine."""

    def __init__(self, agent: NodeContext, instance: Object) -> None:
        self.agent, self.instance = agent, instance
        self.name, self.address = node_name(instance), instance["private_ip"]
        self.folder: Path = agent.home / "data" / "nodes" / self.name
        self.pods: dict[str, Pod] = {}
        self.addresses: Addresses | None = None
        self.uid = ""
        self.seen: Object = {}
        self.lease_due = 0.0
        self.ready = asyncio.Event()
        self.puller = Puller(self.name, self.folder, agent)

    def refusal(self) -> str:
        """Why the kubelet does not even start with what the pool gives it, "" when it does."""
        return kubelet_refusal(own_labels(self.instance), taints(self.instance))

    async def register(self) -> None:
        """Creates the Node object and its lease, waits for the podCIDR; KubeError if the API server
        refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        found = await self._create()
        self.uid = found["metadata"]["uid"]
        await self._lease()
        while not found["spec"].get("podCIDR"):
            await asyncio.sleep(0.2)
            found = await self.agent.api.get(f"/api/v1/nodes/{self.name}")
        self.addresses = Addresses(found["spec"]["podCIDR"])
        self.agent.events.node(self.name, "Starting", "Starting kubelet.")
        self.ready.set()

    async def _create(self) -> Object:
        api, body = self.agent.api, node_object(self.instance)
        try:
            return await api.post("/api/v1/nodes", body)
        except KubeError as error:
            if error.status != 409:
                raise
        found = await api.get(f"/api/v1/nodes/{self.name}")
        if (
            found["metadata"]["labels"].get("alibabacloud.com/ecs-instance-id")
            != self.instance["instance_id"]
        ):
            # Another machine had this address before: its Node must not speak for this one.
            await api.delete(f"/api/v1/nodes/{self.name}")
            return await api.post("/api/v1/nodes", body)
        await api.patch(
            f"/api/v1/nodes/{self.name}", {"metadata": {"labels": body["metadata"]["labels"]}}
        )
        return await api.patch(
            f"/api/v1/nodes/{self.name}/status",
            {"status": {**body["status"], "addresses": None} | self._addresses(body)},
        )

    @staticmethod
    def _addresses(body: Object) -> Object:
        return {"addresses": [{"$patch": "replace"}, *body["status"]["addresses"]]}

    async def _lease(self) -> None:
        try:
            await self.agent.api.post(_LEASES, lease_object(self.name, self.uid))
        except KubeError as error:
            if error.status != 409:
                raise
            await self.heartbeat()

    async def heartbeat(self) -> None:
        """Renews the lease; a missing one is made again."""
        try:
            await self.agent.api.patch(
                f"{_LEASES}/{self.name}", {"spec": {"renewTime": micro_now()}}, MERGE
            )
        except KubeError as error:
            if error.status == 404:
                await self.agent.api.post(_LEASES, lease_object(self.name, self.uid))

    async def refresh(self, instance: Object | None = None) -> None:
        """Posts the conditions again (every five minutes, and when the instance changes)."""
        changed = instance is not None and labels(instance) != labels(self.instance)
        self.instance = instance or self.instance
        await self.agent.api.patch(
            f"/api/v1/nodes/{self.name}/status",
            {"status": {"conditions": conditions(self.instance, self._known())}},
        )
        if changed:
            await self.agent.api.patch(
                f"/api/v1/nodes/{self.name}", {"metadata": {"labels": labels(self.instance)}}
            )

    def _known(self) -> list[Object]:
        """The conditions as the API server has them."""
        return self.seen.get("status", {}).get("conditions") or []

    async def reconcile(self, found: Object) -> None:
        """The Node object changed: a node that was taken for dead says that it lives."""
        self.seen = found
        if not is_ready(found):
            await self.refresh()

    def take_address(self) -> str:
        """A free pod address of this node; RuntimeError if all are taken."""
        assert self.addresses is not None
        return self.addresses.take()

    def free_address(self, address: str) -> None:
        """Gives a pod address back."""
        if self.addresses is not None:
            self.addresses.free(address)

    def keep_logs(self, pod: Object, folder: Path) -> None:
        """Set aside what an ended pod's containers wrote below its `folder`, until the node
        goes.
        """
        ended, meta = self.folder / "ended", pod["metadata"]
        for path in folder.glob("containers/*/*.log"):
            if path.stat().st_size:
                ended.mkdir(exist_ok=True)
                path.rename(
                    ended / f"{meta['namespace']}_{meta['name']}_{path.parent.name}_{path.name}"
                )

    def on_pod_event(self, event: str, pod: Object) -> None:
        """A pod bound to this node was added, changed or removed."""
        uid = pod["metadata"]["uid"]
        known = self.pods.get(uid)
        if event == "DELETED":
            if known:
                self.pods.pop(uid).kill()
            return
        if known is not None:
            known.update(pod)
        elif pod["metadata"].get("deletionTimestamp"):
            # It ended, or its processes died with an agent before this one: nothing is left to
            # stop.
            self.agent.spawn(self.agent.log_api_errors(evict(self.agent.api, pod)))
        elif pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self.pods[uid] = Pod(self, pod)
            self.pods[uid].start()

    async def terminate(self) -> None:
        """The machine is gone: processes die, and the cloud controller removes the Node. The pods'
        objects stay, as in life, until the pod garbage collector or the interruption handler
        removes them.
        """
        for pod in self.pods.values():
            pod.kill()
        self.pods.clear()
        await self.agent.api.delete(f"/api/v1/nodes/{self.name}")
        shutil.rmtree(self.folder, ignore_errors=True)
