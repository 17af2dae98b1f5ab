"""Kubernetes events of the kubelet: repeated ones are counted, floods are dropped, nothing waits
for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from lab.kube import MERGE, Kube, KubeError
from lab.kubelet.nodes import now

Object = dict[str, Any]
_LIMIT = 5000


class Events:
    """A queue of events and the task that writes them (core v1, source kubelet)."""

    def __init__(self, api: Kube) -> None:
        self.api = api
        self.queue: asyncio.Queue[tuple[Object, str, str, str, str]] = asyncio.Queue(_LIMIT)
        self.known: dict[tuple[str, str, str], tuple[str, int]] = {}

    def pod(self, pod: Object, kind: str, reason: str, message: str, container: str = "") -> None:
        """An event about a pod or one of its containers; `kind` is Normal or Warning."""
        meta = pod["metadata"]
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        }
        if container:
            involved["fieldPath"] = f"spec.containers{{{container}}}"
        self.put(involved, kind, reason, message, pod["spec"].get("nodeName", ""))

    def node(self, name: str, reason: str, message: str, kind: str = "Normal") -> None:
        """An event about a node."""
        self.put(
            {"apiVersion": "v1", "kind": "Node", "name": name, "uid": name},
            kind,
            reason,
            message,
            name,
        )

    def put(self, involved: Object, kind: str, reason: str, message: str, host: str) -> None:
        """Queues; a full queue drops."""
        if not self.queue.full():
            self.queue.put_nowait((involved, kind, reason, message[:1024], host))

    async def run(self) -> None:
        """Write queued events until cancelled."""
        while True:
            item = await self.queue.get()
            try:
                await self._write(*item)
            except KubeError as error:
                # A namespace on its way out refuses new events; the API server being away is waited
                # out elsewhere.
                if error.status == 503:
                    await asyncio.sleep(0.5)

    async def _write(
        self, involved: Object, kind: str, reason: str, message: str, host: str
    ) -> None:
        key, space = (involved["uid"], reason, message), involved.get("namespace", "default")
        name, count = self.known.get(key, ("", 0))
        if name:
            try:
                await self.api.patch(
                    f"/api/v1/namespaces/{space}/events/{name}",
                    {"count": count + 1, "lastTimestamp": now()},
                    MERGE,
                )
                self.known[key] = (name, count + 1)
                return
            except KubeError as error:
                if error.status != 404:
                    raise
        if len(self.known) > _LIMIT:
            self.known.clear()
        name = f"{involved['name']}.{time.time_ns():x}"
        await self.api.post(
            f"/api/v1/namespaces/{space}/events",
            {
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": space}, "involvedObject": involved,
                "type": kind, "reason": reason, "message": message, "count": 1, "firstTimestamp": now(), "lastTimestamp": now(),
                "source": {"component": "kubelet", "host": host}, "reportingComponent": "kubelet", "reportingInstance": host,
            },
        )  # fmt: skip
        self.known[key] = (name, 1)
