"""Node pools that were ordered twice: an order whose answer is lost is sent again by the provider,
and ACK lets two pools have one name.

The provider tells nobody that it sent an order again, so the pools are looked at after every
creation of one: as soon as it is made, while the engine goes on with what comes after it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from ops.engine import pending_operations
from ops.engine.cli import ROOT, Stack, environment
from ops.engine.cloud_resources import CLOCKS_DIFFER, NODE_POOL, container_service, epoch, pools
from ops.engine.events import Report

LONGEST = 120
"""Seconds that one look may take."""


class Looks:
    """The looks of one run of the engine, begun at `started` (epoch seconds)."""

    def __init__(self, stack: Stack, started: float) -> None:
        self._stack, self._started = stack, started
        self._asked: dict[str, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def made(self, resource: dict[str, Any]) -> None:
        """Begins a look if what was made is a node pool whose id is known."""
        if resource["type"] == NODE_POOL and resource.get("id"):
            self._begin(resource, [resource["id"]])

    def settle(self, report: Report) -> None:
        """Deletes pools of the run's own name that were made during the run and are not in the
        state; says so.
        """
        for resource in report.created:
            self.made(resource)
        failed = [
            failure.resource
            for failure in report.failures
            if failure.kind == NODE_POOL and failure.step.startswith("create")
        ]
        if failed:  # what was adopted after a lost answer is in the state
            held = [
                one.get("id", "")
                for one in pending_operations.export(self._stack)["deployment"].get("resources")
                or []
            ]
            for resource in failed:
                self._begin(
                    resource,
                    [one for one in held if one.startswith(f"{resource['inputs']['clusterId']}:")],
                )
        for resource in [*report.created, *failed]:
            if (process := self._asked.get(resource["urn"])) and not _told(
                process, resource["inputs"]
            ):
                return

    def _begin(self, resource: dict[str, Any], ours: list[str]) -> None:
        cluster, name = resource["inputs"]["clusterId"], resource["inputs"]["nodePoolName"]
        question = [
            sys.executable,
            "-m",
            "ops.engine.duplicate_node_pools",
            cluster,
            name,
            json.dumps(ours),
            str(self._started - CLOCKS_DIFFER),
        ]
        with self._lock:
            if resource["urn"] not in self._asked:
                # In a session of its own: Ctrl-C ends the engine in order, and what that leaves is
                # looked at all the same.
                self._asked[resource["urn"]] = subprocess.Popen(
                    self._stack.inside(*question),
                    cwd=ROOT,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )


def _told(process: subprocess.Popen[str], inputs: dict[str, Any]) -> bool:
    """Waits for a look and says what it did; False when nothing is known."""
    cluster, name = inputs["clusterId"], inputs["nodePoolName"]
    try:
        printed, errors = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, errors = process.communicate()
    if process.returncode != 0:
        look = f"look at the node pools of cluster {cluster}: of two with this name only the one in the state is ours"
        print(
            f"{errors}\nwarning: whether node pool {name} was ordered twice is not known; {look}",
            file=sys.stderr,
        )
        return False
    for pool in json.loads(printed.splitlines()[-1]):
        print(
            f"node pool {name} was ordered twice, because an answer was lost: the second one, {pool}, is being released",
            file=sys.stderr,
        )
    return True


def release_all_but(cluster: str, name: str, ours: str, since: str) -> list[str]:
    """Deletes the cluster's pools of this name, made since then, but ours. Nothing goes when none
    of them is ours.
    """
    from alibabacloud_cs20151215.models import DeleteClusterNodepoolRequest

    found, kept = pools(cluster, name), set(json.loads(ours))
    if not any(f"{cluster}:{pool.nodepool_id}" in kept for pool in found):
        return []
    extra = [
        pool
        for pool in found
        if f"{cluster}:{pool.nodepool_id}" not in kept and epoch(pool.created) >= float(since)
    ]
    for pool in extra:
        container_service().delete_cluster_nodepool(
            cluster, pool.nodepool_id, DeleteClusterNodepoolRequest(force=True)
        )
    return [pool.nodepool_id for pool in extra]


if __name__ == "__main__":
    print(json.dumps(release_all_but(*sys.argv[1:5])))
