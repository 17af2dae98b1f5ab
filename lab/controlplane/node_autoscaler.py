"""The node scaler's eyes and hands. What it decides is in `node_rules` and `scale_down`.

As ACK's cluster-autoscaler it looks every `scan_interval`, and whenever a waiting pod appears. As
node instant scaling (`goatscaler`) it waits for nothing and does not look at the preemptible stock.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from lab import readiness
from lab.alicloud.scenario import load
from lab.controlplane import node_rules, scale_down, spot_remedy
from lab.controlplane.backoff import PROVISION_TIME, Backoff
from lab.controlplane.certificates import cluster_pki
from lab.controlplane.expanders import LEAST_WASTE
from lab.controlplane.node_rules import Choice, Growth, Pool, Waits
from lab.controlplane.nodepool_rows import booting, overdue, pool_of_row, scales_itself, seconds
from lab.controlplane.scheduling import Object, is_daemon, is_waiting_for_a_node
from lab.environment import CLUSTER_ID, CONTROL_URL, clock_factor
from lab.kube import MERGE, BlockingKube, Kube, KubeError

SCAN = 30.0  # modelled seconds between two looks, unless the cluster's configuration says otherwise
DEFAULT_PATIENCE = 600.0  # modelled seconds: ACK's default for an unneeded node
SETTLE = 0.1  # seconds after an event, so that a burst of pods is one look
INSTANT = 2.0  # modelled seconds that node instant scaling takes to see a pod
# seconds of the wall for which a node that is not Ready counts as just starting: how long that
# takes is the machine's
STARTUP = 900.0
UNREADY, AFTER_FAILURE = (
    1200.0,
    180.0,
)  # modelled seconds; upstream's defaults, which ACK's configuration has no field for
COMPONENT = "cluster-autoscaler"
log = logging.getLogger("node-autoscaler")


class Autoscaler:
    """Eyes and hands of the rules."""

    def __init__(self, home: Path) -> None:
        self.home, self.clock = home, clock_factor()
        self._kubeconfig = cluster_pki(home).kubeconfig("node-autoscaler")
        self.kube = BlockingKube(self._kubeconfig)
        self.cloud = httpx.Client(base_url=CONTROL_URL, trust_env=False, timeout=10)
        scenario = load(home / "scenario.yaml")
        self.waits = Waits(scenario.delay("new_pod"), scenario.delay("new_gpu_pod"))
        self.config: dict[str, Any] = {}
        self.unneeded: dict[str, float] = {}
        self.first_seen: dict[str, float] = {}
        self.draining: dict[str, tuple[float, float]] = {}
        """When a node's drain began, and when its last pod was on its way out (never yet:
        infinity).
        """
        self.last_add = self.last_failure = -float("inf")
        self.backoff = Backoff()
        self.ordered: set[str] = set()
        """Pools whose last order has neither come nor failed yet."""
        self.told: set[tuple[str, str]] = set()
        self.wake = threading.Event()

    @property
    def instant(self) -> bool:
        """Whether node instant scaling is on, not the cluster-autoscaler."""
        return self.config.get("scaler_type") == "goatscaler"

    def run_once(self) -> None:
        """See, decide, act, once. Raises what the API server's or the cloud's answers raise."""
        self.config = (
            self._cloud("GET", f"/_lab/clusters/{CLUSTER_ID}").get("autoscaling_config") or {}
        )
        pods = self.kube.get("/api/v1/pods?resourceVersion=0")["items"]
        nodes = self.kube.get("/api/v1/nodes?resourceVersion=0")["items"]
        rows = [
            row for row in self._cloud("GET", "/_lab/nodepools")["nodepools"] if scales_itself(row)
        ]
        instances = self._cloud("GET", "/_lab/instances")["instances"]
        spot_remedy.drain(self.kube, instances, nodes, pods)
        pools, now = [pool_of_row(row) for row in rows], time.monotonic()
        ages = None if self.instant else self._ages(pods, now)
        if not node_rules.can_order(
            nodes,
            self.config.get("scaler_type") or "cluster-autoscaler",
            self.config.get("scale_up_from_zero"),
        ):
            log.warning("no node is Ready: nothing is ordered")
            return
        if not self.instant and not node_rules.healthy(nodes, self._young(nodes)):
            log.warning("too many nodes are not Ready: nothing is ordered and nothing taken away")
            self.unneeded = {}
            return
        if not self.instant:
            instances = self._give_up(rows, instances, nodes, now)
        coming = {row["id"]: booting([row], instances, nodes) for row in rows}
        for arrived in [name for name in self.ordered if not coming.get(name)]:
            self.ordered.discard(arrived)
            self.backoff.worked(arrived)
        growth = node_rules.grow(
            pools,
            nodes,
            [node for more in coming.values() for node in more],
            pods,
            ages,
            self.waits,
            self._choice(now),
        )
        self._order(growth, {pool.id: pool for pool in pools})
        self._take_away(pools, nodes, pods, now, busy=bool(growth.order) or growth.waiting)

    def _choice(self, now: float) -> Choice:
        """How a pool is chosen among several."""
        expander = LEAST_WASTE if self.instant else self.config.get("expander") or LEAST_WASTE
        held = set() if self.instant else self.backoff.held(now * self.clock)
        return Choice(
            expander, self.config.get("priorities") or {}, held, one_pool=not self.instant
        )

    def _young(self, nodes: list[Object]) -> set[str]:
        """Nodes made so short a time ago that they may still be starting."""
        made = {
            node["metadata"]["name"]: node["metadata"].get("creationTimestamp") for node in nodes
        }
        ages = {
            name: time.time() - datetime.fromisoformat(moment).timestamp()
            for name, moment in made.items()
            if moment
        }
        return {name for name, age in ages.items() if age < STARTUP}

    def _give_up(
        self, rows: list[Object], instances: list[Object], nodes: list[Object], now: float
    ) -> list[Object]:
        """Release what was ordered and never became a node, and leave its pool alone for a while;
        the instances that are left.
        """
        gone: set[str] = set()
        for row in rows:
            for name in overdue(row, instances, nodes, time.time(), self.clock, PROVISION_TIME):
                log.warning(
                    "pool %s: %s is no node after %d minutes: releasing it",
                    row["id"],
                    name,
                    PROVISION_TIME / 60,
                )
                self._cloud("POST", f"/_lab/instances/{name}/release")
                self.backoff.failed(row["id"], now * self.clock)
                self.ordered.discard(row["id"])
                gone.add(name)
        return [one for one in instances if one["instance_id"] not in gone]

    def _ages(self, pods: list[Object], now: float) -> dict[str, float]:
        """Modelled seconds that each waiting pod has been seen waiting."""
        waiting = {pod["metadata"]["uid"] for pod in pods if is_waiting_for_a_node(pod)}
        self.first_seen = {uid: self.first_seen.get(uid, now) for uid in waiting}
        return {uid: (now - since) * self.clock for uid, since in self.first_seen.items()}

    def _order(self, made: Growth, pools: dict[str, Pool]) -> None:
        for pool_id, count in made.order.items():
            pool, body = (
                pools[pool_id],
                {"delta": count, "market": "any" if self.instant else "mix"},
            )
            try:
                self._cloud("POST", f"/_lab/nodepools/{pool_id}/scale", body)
            except httpx.HTTPStatusError as error:
                log.warning("pool %s: %+d refused: %s", pool_id, count, error.response.text[:300])
                self.backoff.failed(pool_id, time.monotonic() * self.clock)
                continue
            self.last_add = time.monotonic()
            self.ordered.add(pool_id)
            log.info(
                "pool %s: %d -> %d instances (max %d)",
                pool_id,
                pool.alive,
                pool.alive + count,
                pool.high,
            )
            for pod in made.helped.get(pool_id, []):
                text = f"pod triggered scale-up: [{{{pool_id} {pool.alive}->{pool.alive + count} (max: {pool.high})}}]"
                self._tell(pod, "Normal", "TriggeredScaleUp", text)
        for pod in made.hopeless:
            self._tell(
                pod,
                "Normal",
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up: no node pool that may still grow would fit it",
            )

    def _take_away(
        self, pools: list[Pool], nodes: list[Object], pods: list[Object], now: float, busy: bool
    ) -> None:
        held, limits = scale_down.by_node(pods), self._limits()
        self._finish_drains(nodes, held, now)
        own = [
            node
            for node in nodes
            if node_rules.pool_of(node) in {pool.id for pool in pools}
            and not node_rules.leaves(node)
        ]
        budgets = self.kube.get("/apis/policy/v1/poddisruptionbudgets?resourceVersion=0")["items"]
        stays = [node for node in nodes if not node_rules.leaves(node)]
        found = scale_down.unneeded(own, held, budgets, limits, stays)
        self.unneeded = scale_down.note(self.unneeded, found, now)
        if (
            busy
            or not limits.enabled
            or now - self.last_add < limits.after_add
            or now - self.last_failure < limits.after_failure
        ):
            return
        spare = {pool.id: pool.alive - pool.low for pool in pools}
        pool_of = {node["metadata"]["name"]: node_rules.pool_of(node) for node in own}
        leaving = scale_down.choose(own, spare, pool_of, found, self.unneeded, now, limits)
        for node in leaving.empty:
            if self._mark(node):
                self._release(node)
        for node, moving in [] if self.draining else leaving.drain:
            if self._mark(node):
                self.draining[node["metadata"]["name"]] = (now, float("inf"))
                spot_remedy.evict(self.kube, moving)

    def _finish_drains(
        self, nodes: list[Object], held: dict[str, list[Object]], now: float
    ) -> None:
        """A drained node goes; one that can't be drained in time stays, and takes pods again."""
        for node in nodes:
            name = node["metadata"]["name"]
            if name not in self.draining:
                continue
            left = [pod for pod in held.get(name, []) if not is_daemon(pod)]
            began, last = self.draining[name]
            last = (
                min(last, now)
                if all(pod["metadata"].get("deletionTimestamp") for pod in left)
                else float("inf")
            )
            self.draining[name] = (began, last)
            failed = scale_down.drain_failed(
                left,
                (now - began) * self.clock,
                (now - last) * self.clock,
                self._limits().longest_grace,
            )
            if left and not failed:
                spot_remedy.evict(self.kube, left)
                continue
            self.draining.pop(name)
            if left:
                log.info("node %s could not be drained and stays", name)
                self.last_failure = now
                kept = [
                    taint
                    for taint in node["spec"].get("taints") or []
                    if taint["key"] != node_rules.DELETION_TAINT
                ]
                self.kube.request(
                    "PATCH",
                    f"/api/v1/nodes/{name}",
                    {"spec": {"taints": kept, "unschedulable": None}},
                    MERGE,
                )
            else:
                self._release(node)

    def _mark(self, node: Object) -> bool:
        """Keep new pods off a node that goes; False when it changed meanwhile and the next look
        must decide anew.
        """
        name = node["metadata"]["name"]
        taint = {
            "key": node_rules.DELETION_TAINT,
            "value": str(int(time.time())),
            "effect": "NoSchedule",
        }
        spec = {"unschedulable": True, "taints": [*(node["spec"].get("taints") or []), taint]}
        body = {"metadata": {"resourceVersion": node["metadata"]["resourceVersion"]}, "spec": spec}
        try:
            self.kube.request("PATCH", f"/api/v1/nodes/{name}", body, MERGE)
        except KubeError as error:
            log.info("node %s stays for now: %s", name, error)
            return False
        return True

    def _release(self, node: Object) -> None:
        name, instance = node["metadata"]["name"], node_rules.instance_of(node)
        log.info("node %s is not needed: releasing %s", name, instance)
        self._cloud("POST", f"/_lab/instances/{instance}/release")
        self.unneeded.pop(name, None)

    def _limits(self) -> scale_down.Limits:
        """The cluster's configuration, in wall seconds."""
        config = self.config
        return scale_down.Limits(
            enabled=config.get("scale_down_enabled") is not False,
            utilization=float(config.get("utilization_threshold") or 0.5),
            gpu_utilization=float(config.get("gpu_utilization_threshold") or 0.5),
            unneeded=seconds(config.get("unneeded_duration"), DEFAULT_PATIENCE) / self.clock,
            unready=UNREADY / self.clock,
            after_add=seconds(config.get("cool_down_duration"), DEFAULT_PATIENCE) / self.clock,
            after_failure=AFTER_FAILURE / self.clock,
            local_storage=bool(config.get("skip_nodes_with_local_storage")),
            system_pods=config.get("skip_nodes_with_system_pods") is not False,
            longest_grace=float(config.get("max_graceful_termination_sec") or 14400),
        )

    def _tell(self, pod: Object, kind: str, reason: str, message: str) -> None:
        """An event on the pod, once for each reason."""
        metadata = pod["metadata"]
        if (metadata["uid"], reason) in self.told:
            return
        self.told.add((metadata["uid"], reason))
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1", "kind": "Event", "type": kind, "reason": reason, "message": message, "count": 1,
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", **{key: metadata[key] for key in ("name", "namespace", "uid")}},
            "source": {"component": COMPONENT}, "reportingComponent": COMPONENT, "firstTimestamp": moment, "lastTimestamp": moment,
        }  # fmt: skip
        try:
            self.kube.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)
        except KubeError as error:
            log.info("event on %s: %s", metadata["name"], error)

    def _cloud(self, method: str, path: str, body: Any = None) -> Any:
        response = self.cloud.request(method, path, json=body)
        response.raise_for_status()
        return response.json()

    async def watch(self) -> None:
        """In a thread of its own: wake the loop whenever a pod that waits for a node changes."""
        async with Kube(self._kubeconfig) as kube:
            async for event, _ in kube.watch("/api/v1/pods", fieldSelector="status.phase=Pending"):
                if event != "SYNCED":
                    self.wake.set()

    def run(self) -> None:
        """Run once each `scan_interval`, and when a pod waits, until killed."""
        threading.Thread(target=lambda: asyncio.run(self.watch()), daemon=True).start()
        readiness.ready()
        while True:
            try:
                self.run_once()
            except (OSError, KubeError, httpx.HTTPError) as error:
                log.warning("%s: %s", type(error).__name__, error)
                time.sleep(1)
            pause = INSTANT if self.instant else seconds(self.config.get("scan_interval"), SCAN)
            if self.wake.wait(pause / self.clock):
                time.sleep(max(SETTLE, INSTANT / self.clock if self.instant else 0.0))
                self.wake.clear()


def main() -> None:
    """``python -m lab.controlplane.node_autoscaler --home LAB_HOME``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    Autoscaler(arguments.home).run()


if __name__ == "__main__":
    main()
