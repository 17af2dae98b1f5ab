"""The agent: instances of the region in, nodes and pods out. One process, one loop, shared
watches.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from lab.alicloud.scenario import Scenario, ScenarioError, load
from lab.environment import clock_factor
from lab.kube import Kube, KubeError
from lab.kubelet.container import Container
from lab.kubelet.events import Events
from lab.kubelet.logserver import LogServer
from lab.kubelet.node import Node
from lab.kubelet.ossmount import Account
from lab.kubelet.pod import evict
from lab.kubelet.volumes import Volumes

Object = dict[str, Any]
LEASE_SECONDS, STATUS_SECONDS = 10.0, 300.0
CONTROL = "http://10.0.0.2:9090"
REGISTRATIONS_AT_ONCE = 20
log = logging.getLogger("lab.kubelet")


class Agent:
    """All nodes of one lab. `control` is the base address of the region's control API."""

    def __init__(self, home: Path, api: Kube, cluster_id: str, control: str = CONTROL) -> None:
        self.home, self.api, self.cluster_id, self.control = home, api, cluster_id, control
        self.events = Events(api)
        self.volumes = Volumes(api, Account(_account_id(home), cluster_id))
        self.nodes: dict[str, Node] = {}
        self.by_name: dict[str, Node] = {}
        self.waiting: dict[str, dict[str, Object]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._scenario: Scenario | None = None
        self._stamp = 0
        self.failed_pulls: Counter[int] = Counter()
        self._loads = 0
        self._gate = asyncio.Semaphore(REGISTRATIONS_AT_ONCE)
        self._tasks: set[asyncio.Future[Any]] = set()

    @property
    def scenario(self) -> Scenario:
        """The lab's scenario; a file that has changed since is read again, one that is wrong now
        leaves the last good one.
        """
        path = self.home / "scenario.yaml"
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if self._scenario is None or stamp != self._stamp:
            try:
                self._scenario = load(path)
            except ScenarioError as error:
                if self._scenario is None:
                    raise
                log.error("%s", error)
            self._stamp = stamp
        return self._scenario

    def load_seconds(self) -> float:
        """Wall seconds that image and model of the next stub pod take: the scenario's delay
        `model_load`.
        """
        self._loads += 1
        return self.scenario.delay("model_load", self._loads) / clock_factor()

    @property
    def session(self) -> aiohttp.ClientSession:
        """For probes, hooks and the control API: no connection is kept."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True)
            )
        return self._session

    def spawn(self, work: Any) -> None:
        """Runs something beside the rest; its failure is logged."""

        def done(task: asyncio.Future[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception():
                log.error("unexpected: %s", task.exception(), exc_info=task.exception())

        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(done)

    async def run(self) -> None:
        """Follow instances, nodes and pods until cancelled."""
        await asyncio.gather(
            self._follow_instances(),
            self._follow_nodes(),
            self._follow_pods(),
            self._heartbeats(),
            self._conditions(),
            self.events.run(),
            LogServer(self).run(),
        )

    async def _follow_instances(self) -> None:
        """Long-polls the region; an answer is the whole truth, so nothing is lost by missing
        one.
        """
        revision = -1
        while True:
            try:
                limits = aiohttp.ClientTimeout(total=60)
                query = {"since": str(revision), "wait": "30"}
                async with self.session.get(
                    f"{self.control}/_lab/instances", params=query, timeout=limits
                ) as response:
                    response.raise_for_status()
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, ValueError) as reason:
                log.warning("the region's control API does not answer: %s", reason)
                await asyncio.sleep(1)
                continue
            first, revision = revision == -1, answer["rev"]
            self.sync_instances(answer["instances"])
            if first:
                self.spawn(self._sweep())

    def sync_instances(self, instances: list[Object]) -> None:
        """Compares the instances with the nodes and starts what follows from it."""
        running = {
            one["instance_id"]: one
            for one in instances
            if one["status"] == "Running" and one.get("cluster_id")
        }
        for gone in [key for key in self.nodes if key not in running]:
            node = self.nodes.pop(gone)
            self.by_name.pop(node.name, None)
            log.info("instance %s is gone: node %s ends", gone, node.name)
            self.spawn(self._end(node))
        for key, instance in running.items():
            if key not in self.nodes:
                node = self.nodes[key] = Node(self, instance)
                self.by_name[node.name] = node
                self.spawn(self._register(node))
            elif instance != self.nodes[key].instance and self.nodes[key].ready.is_set():
                self.spawn(self.log_api_errors(self.nodes[key].refresh(instance)))

    async def _register(self, node: Node) -> None:
        """Until it works or the instance is gone."""
        if refusal := node.refusal():
            # systemd would start it again and again; the machine runs, is paid for, and no node
            # comes of it.
            log.error(
                "instance %s: its kubelet ends, no node registers: %s",
                node.instance["instance_id"],
                refusal,
            )
            return
        async with self._gate:
            while self.nodes.get(node.instance["instance_id"]) is node:
                try:
                    await node.register()
                    break
                except KubeError as error:
                    log.warning("node %s cannot register: %s", node.name, error)
                    await asyncio.sleep(1)
        log.info("node %s registered (%s)", node.name, node.instance["instance_id"])
        for pod in self.waiting.pop(node.name, {}).values():
            node.on_pod_event("ADDED", pod)

    async def _end(self, node: Node) -> None:
        while True:
            try:
                await node.terminate()
                return
            except KubeError as error:
                log.warning("node %s cannot be removed: %s", node.name, error)
                await asyncio.sleep(1)

    async def _sweep(self) -> None:
        """Removes nodes whose instance went while the agent was away, and their pods."""
        while True:
            try:
                for found in (await self.api.get("/api/v1/nodes"))["items"]:
                    name = found["metadata"]["name"]
                    if (
                        "alibabacloud.com/ecs-instance-id" in found["metadata"].get("labels", {})
                        and name not in self.by_name
                    ):
                        log.info("node %s has no instance any more: removed", name)
                        await self.api.delete(f"/api/v1/nodes/{name}")
                        pods = await self.api.get(
                            "/api/v1/pods", fieldSelector=f"spec.nodeName={name}"
                        )
                        await asyncio.gather(*(evict(self.api, pod) for pod in pods["items"]))
                return
            except KubeError as error:
                log.warning("%s", error)
                await asyncio.sleep(1)

    async def log_api_errors(self, work: Any) -> None:
        """An update that the next one repeats anyway."""
        try:
            await work
        except KubeError as error:
            log.warning("%s", error)

    async def _follow_pods(self) -> None:
        async for event, pod in self.api.watch("/api/v1/pods", fieldSelector="spec.nodeName!="):
            if event == "SYNCED":
                continue
            name, uid = pod["spec"]["nodeName"], pod["metadata"]["uid"]
            node = self.by_name.get(name)
            if node is not None and node.ready.is_set():
                node.on_pod_event(event, pod)
            elif event == "DELETED":
                self.waiting.get(name, {}).pop(uid, None)
            else:
                self.waiting.setdefault(name, {})[uid] = pod

    async def _follow_nodes(self) -> None:
        """One watch over all Node objects."""
        async for event, found in self.api.watch("/api/v1/nodes"):
            node = self.by_name.get(found["metadata"]["name"]) if event != "SYNCED" else None
            if node is not None and event != "DELETED" and node.ready.is_set():
                self.spawn(self.log_api_errors(node.reconcile(found)))

    async def _heartbeats(self) -> None:
        """Every lease once in ten seconds, whatever else the loop has to do; calls at once are
        bounded by the pool.
        """
        while True:
            now = asyncio.get_running_loop().time()
            for node in self.nodes.values():
                if node.ready.is_set() and node.lease_due <= now:
                    node.lease_due = now + LEASE_SECONDS * random.uniform(0.8, 1.0)
                    self.spawn(self.log_api_errors(node.heartbeat()))
            await asyncio.sleep(0.5)

    async def _conditions(self) -> None:
        """Every node's conditions once in five minutes, evenly spread."""
        while True:
            nodes = [node for node in self.nodes.values() if node.ready.is_set()]
            for node in nodes:
                await asyncio.sleep(STATUS_SECONDS / len(nodes))
                if (
                    self.nodes.get(node.instance["instance_id"]) is node
                ):  # else its name may be another machine's by now
                    self.spawn(self.log_api_errors(node.refresh()))
            if not nodes:
                await asyncio.sleep(1)

    def find_container(self, namespace: str, pod: str, container: str) -> Container | None:
        """A container by names, for its log."""
        for node in self.nodes.values():
            for known in node.pods.values():
                meta = known.pod["metadata"]
                if (meta["namespace"], meta["name"]) == (namespace, pod):
                    return next(
                        (one for one in [*known.init, *known.main] if one.name == container), None
                    )
        return None


def _account_id(home: Path) -> str:
    """The lab's account id."""
    try:
        return str(json.loads((home / "credentials.json").read_text())["account_id"])
    except (OSError, KeyError, ValueError):
        return "1234567890123456"
