"""Orders instances for pods that fit nowhere, gives back nodes that stay empty. What it decides is in `node_rules`.

Looks whenever a waiting pod changes, and every few seconds; one look orders at most up to each pool's maximum.
"""

from __future__ import annotations

import argparse
import logging
import re
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from lab.cluster import node_rules, notify
from lab.cluster.kube import Kube, KubeError
from lab.cluster.node_rules import Plan, Pool
from lab.cluster.scheduling import Object, is_ready
from lab.environment import CLUSTER_ID, CONTROL_URL, clock_factor
from lab.nodes.nodes import node_object

LOOK_EVERY = 10.0  # modelled seconds between two looks without an event
DEFAULT_PATIENCE = 600.0  # modelled seconds: ACK's default for an unneeded node
SETTLE = 0.3  # seconds after an event, so that a burst of pods is one order
COMPONENT = "cluster-autoscaler"
log = logging.getLogger("node-autoscaler")


class Autoscaler:
    """Eyes and hands of the rules."""

    def __init__(self, home: Path) -> None:
        self.home, self.clock = home, clock_factor()
        self.kube = Kube(home, "node-autoscaler")
        self.cloud = httpx.Client(base_url=CONTROL_URL, trust_env=False, timeout=10)
        self.empty: dict[str, float] = {}
        self.told: set[tuple[str, str]] = set()
        self.wake = threading.Event()

    def look(self) -> None:
        """See, decide, act, once. Raises what the API server's or the cloud's answers raise."""
        pods = self.kube.call("GET", "/api/v1/pods?resourceVersion=0")["items"]
        nodes = self.kube.call("GET", "/api/v1/nodes?resourceVersion=0")["items"]
        rows = [row for row in self._cloud("GET", "/_lab/nodepools")["nodepools"] if scales_itself(row)]
        instances = self._cloud("GET", "/_lab/instances")["instances"]
        now = time.monotonic()
        self.empty = node_rules.note_empty(self.empty, nodes, pods, now)
        pools = [pool_of_row(row) for row in rows]
        made = node_rules.plan(pools, nodes, booting(rows, instances, nodes), pods, self.empty, now, self._patience())
        self._act(made, {pool.id: pool for pool in pools})

    def _act(self, made: Plan, pools: dict[str, Pool]) -> None:
        for pool_id, count in made.order.items():
            pool = pools[pool_id]
            try:
                self._cloud("POST", f"/_lab/nodepools/{pool_id}/scale", {"delta": count})
            except httpx.HTTPStatusError as error:
                log.warning("pool %s: %+d refused: %s", pool_id, count, error.response.text[:300])
                continue
            log.info("pool %s: %d -> %d instances (max %d)", pool_id, pool.alive, pool.alive + count, pool.high)
            for pod in made.helped.get(pool_id, []):
                text = f"pod triggered scale-up: [{{{pool_id} {pool.alive}->{pool.alive + count} (max: {pool.high})}}]"
                self._tell(pod, "Normal", "TriggeredScaleUp", text)
        for pod in made.hopeless:
            self._tell(pod, "Normal", "NotTriggerScaleUp", "pod didn't trigger scale-up: no node pool that may still grow would fit it")
        for node in made.release:
            self._give_back(node)

    def _give_back(self, node: Object) -> None:
        name, instance = node["metadata"]["name"], node_rules.instance_of(node)
        taint = {"key": node_rules.DELETION_TAINT, "value": str(int(time.time())), "effect": "NoSchedule"}
        spec = {"unschedulable": True, "taints": [*(node["spec"].get("taints") or []), taint]}
        body = {"metadata": {"resourceVersion": node["metadata"]["resourceVersion"]}, "spec": spec}
        try:
            self.kube.call("PATCH", f"/api/v1/nodes/{name}", body, "application/merge-patch+json")
        except KubeError as error:
            log.info("node %s stays for now: %s", name, error)  # it changed meanwhile; the next look decides anew
            return
        log.info("node %s is empty: releasing %s", name, instance)
        self._cloud("POST", f"/_lab/instances/{instance}/release")
        self.empty.pop(name, None)

    def _patience(self) -> float:
        """Seconds a node stays empty before it goes, from the cluster's autoscaling configuration."""
        cluster = self._cloud("GET", f"/_lab/clusters/{CLUSTER_ID}")
        config = cluster.get("autoscaling_config") or {}
        if config.get("scale_down_enabled") is False:
            return float("inf")
        return seconds(config.get("unneeded_duration"), DEFAULT_PATIENCE) / self.clock

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
            self.kube.call("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)
        except KubeError as error:
            log.info("event on %s: %s", metadata["name"], error)

    def _cloud(self, method: str, path: str, body: Any = None) -> Any:
        response = self.cloud.request(method, path, json=body)
        response.raise_for_status()
        return response.json()

    def watch(self) -> None:
        """In a thread of its own: wake the loop whenever a waiting pod changes."""
        kube = Kube(self.home, "node-autoscaler")
        while True:
            try:
                for _ in kube.watch("/api/v1/pods", 300, fieldSelector="status.phase=Pending"):
                    self.wake.set()
            except (OSError, KubeError, ValueError) as error:
                log.info("watch of pods: %s", error)
                time.sleep(1)

    def run(self) -> None:
        """Look again and again, until killed."""
        threading.Thread(target=self.watch, daemon=True).start()
        notify.ready()
        while True:
            try:
                self.look()
            except (OSError, KubeError, httpx.HTTPError) as error:
                log.warning("%s: %s", type(error).__name__, error)
                time.sleep(1)
            if self.wake.wait(LOOK_EVERY / self.clock):
                time.sleep(SETTLE)
                self.wake.clear()


def scales_itself(row: dict[str, Any]) -> bool:
    """Whether a node pool of the cloud is the autoscaler's to change."""
    return (
        bool(row["auto_scaling"])
        and row["cluster_id"] == CLUSTER_ID
        and row["state"] not in ("deleting", "initial")
        and row["instance_types"]
    )


def pool_of_row(row: dict[str, Any]) -> Pool:
    """A node pool as the rules see it; ordered instances count as alive."""
    return Pool(row["id"], row["min"], row["max"], row["desired"] + ordered(row), template(row))


def ordered(row: dict[str, Any]) -> int:
    """Instances that are ordered and don't exist yet."""
    return sum(activity["delta"] - len(activity.get("instances", [])) for activity in row.get("in_progress", []) if activity["delta"] > 0)


def template(row: dict[str, Any]) -> Object:
    """A node as the pool would get one: of its type with the least room, since any may come."""
    kind = min(row["instance_types"], key=lambda k: (k["gpu_count"], k["cpu"], k["memory_mib"]))
    return node_object(
        {
            **kind, "instance_id": "i-template", "cluster_id": row["cluster_id"], "nodepool_id": row["id"], "zone_id": "cn-shanghai-x",
            "scaling_group_id": row["scaling_group_id"], "private_ip": "10.0.0.0", "labels": row["labels"], "taints": row["taints"],
            "spot_strategy": row["spot_strategy"],
        }
    )  # fmt: skip


def booting(rows: list[dict[str, Any]], instances: list[dict[str, Any]], nodes: list[Object]) -> list[Object]:
    """The nodes to come: of instances that are not Ready nodes yet, and of orders still open."""
    there = {node_rules.instance_of(node) for node in nodes if is_ready(node)}
    pools = {row["id"] for row in rows}
    coming = [
        node_object(instance)
        for instance in instances
        if instance.get("nodepool_id") in pools
        and instance["status"] not in ("Stopping", "Deleted")
        and instance["instance_id"] not in there
    ]
    return coming + [template(row) for row in rows for _ in range(ordered(row))]


def seconds(text: Any, default: float) -> float:
    """Seconds of a duration such as "10m", "1h30m" or "90s"; `default` for none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|m|s)", str(text or ""))
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts) if parts else default


def main() -> None:
    """``python -m lab.cluster.node_autoscaler --home LAB_HOME``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    Autoscaler(arguments.home).run()


if __name__ == "__main__":
    main()
