"""Node pools that were ordered twice: an order whose answer is lost is sent again by the provider, and ACK lets two pools have one name."""

from __future__ import annotations

import json
import subprocess
import sys

from ops import recover
from ops.events import Report
from ops.lookup import CLOCKS_DIFFER, NODE_POOL, container_service, epoch, pools
from ops.pulumi import ROOT, Stack, environment


def release(stack: Stack, report: Report, started: float) -> None:
    """Deletes pools of the run's own name that were made during the run and are not in the state; says so."""
    tried = [resource for resource in report.created if resource["type"] == NODE_POOL]
    tried += [failure.resource for failure in report.failures if failure.kind == NODE_POOL and failure.step.startswith("create")]
    if not tried:
        return
    held = {resource.get("id", "") for resource in recover.export(stack)["deployment"].get("resources") or []}
    for resource in tried:
        cluster, name = resource["inputs"]["clusterId"], resource["inputs"]["nodePoolName"]
        ours = [identity for identity in held if identity.startswith(f"{cluster}:")]
        question = [sys.executable, "-m", "ops.doubles", cluster, name, json.dumps(ours), str(started - CLOCKS_DIFFER)]
        answer = subprocess.run(stack.inside(*question), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
        if answer.returncode != 0:
            look = f"look at the node pools of cluster {cluster}: of two with this name only the one in the state is ours"
            print(f"{answer.stderr}\nwarning: whether node pool {name} was ordered twice is not known; {look}", file=sys.stderr)
            return
        for pool in json.loads(answer.stdout.splitlines()[-1]):
            print(
                f"node pool {name} was ordered twice, because an answer was lost: the second one, {pool}, is being released",
                file=sys.stderr,
            )


def release_all_but(cluster: str, name: str, ours: str, since: str) -> list[str]:
    """Deletes the cluster's pools of this name, made since then, but ours. Nothing goes when none of them is ours."""
    from alibabacloud_cs20151215.models import DeleteClusterNodepoolRequest

    found, kept = pools(cluster, name), set(json.loads(ours))
    if not any(f"{cluster}:{pool.nodepool_id}" in kept for pool in found):
        return []
    extra = [pool for pool in found if f"{cluster}:{pool.nodepool_id}" not in kept and epoch(pool.created) >= float(since)]
    for pool in extra:
        container_service().delete_cluster_nodepool(cluster, pool.nodepool_id, DeleteClusterNodepoolRequest(force=True))
    return [pool.nodepool_id for pool in extra]


if __name__ == "__main__":
    print(json.dumps(release_all_but(*sys.argv[1:5])))
