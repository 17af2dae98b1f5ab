"""Node pools, instances and durations as the cloud tells them, in the node autoscaler's terms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lab.controlplane import node_rules
from lab.controlplane.node_rules import Pool
from lab.controlplane.scheduling import Object, is_ready
from lab.kubelet.nodes import node_object

LABEL_TAG = "k8s.io/cluster-autoscaler/node-template/label/"
RESOURCE_TAG = "k8s.io/cluster-autoscaler/node-template/resource/"
MOST_TAGS = 12


def scales_itself(row: dict[str, Any]) -> bool:
    """Whether a node pool of the cloud is the autoscaler's to change. Pools of every cluster: all
    are the lab's one control plane.
    """
    return bool(
        row["auto_scaling"]
        and row["state"] not in ("deleting", "initial")
        and row["instance_types"]
    )


def pool_of_row(row: dict[str, Any]) -> Pool:
    """A node pool as the rules see it; ordered instances count as alive."""
    return Pool(
        row["id"],
        row["min"],
        row["max"],
        row["desired"] + ordered(row),
        template(row),
        row["scaling_group_id"],
    )


def ordered(row: Object) -> int:
    """Instances that are ordered and don't exist yet."""
    return sum(
        activity["delta"] - len(activity.get("instances", []))
        for activity in row.get("in_progress", [])
        if activity["delta"] > 0
    )


def template(row: Object) -> Object:
    """A node as the scaler expects one of this pool: of every resource the least among its types,
    since any of them may come.

    It learns labels and taints from the scaling group's tags, of which it reads twelve: labels,
    taints and the user's own tags together. What lies beyond is on the nodes anyway; a pod
    that needs it orders nothing.
    """
    known = [
        *(("label", key, value) for key, value in row["labels"].items()),
        *(("taint", "", taint) for taint in row["taints"]),
    ]
    known = [*known, *(("tag", key, value) for key, value in row.get("tags", {}).items())][
        :MOST_TAGS
    ]
    tags = {key: value for kind, key, value in known if kind == "tag"}
    labels = {key: value for kind, key, value in known if kind == "label"} | _stripped(
        tags, LABEL_TAG
    )
    kinds = row["instance_types"]
    made = node_object(
        {
            **kinds[0], **{name: min(kind[name] for kind in kinds) for name in ("cpu", "memory_mib", "gpu_count")},
            "instance_id": "i-template", "cluster_id": row["cluster_id"], "nodepool_id": row["id"], "zone_id": "cn-shanghai-x",
            "scaling_group_id": row["scaling_group_id"], "private_ip": "10.0.0.0", "labels": labels,
            "taints": [taint for kind, _, taint in known if kind == "taint"], "spot_strategy": row["spot_strategy"],
        }
    )  # fmt: skip
    for place in ("capacity", "allocatable"):
        made["status"][place] = {**made["status"][place], **_stripped(tags, RESOURCE_TAG)}
    return made


def _stripped(tags: dict[str, str], prefix: str) -> dict[str, str]:
    return {
        key.removeprefix(prefix): value for key, value in tags.items() if key.startswith(prefix)
    }


def booting(
    rows: Sequence[Object], instances: Sequence[Object], nodes: Sequence[Object]
) -> list[Object]:
    """The nodes to come: of instances that are not Ready nodes yet, and of orders still open."""
    there = {node_rules.instance_of(node) for node in nodes if is_ready(node)}
    pools = {row["id"] for row in rows}
    coming = [
        node_object(dict(instance))
        for instance in instances
        if instance.get("nodepool_id") in pools
        and instance["status"] not in ("Stopping", "Deleted")
        and not instance.get("lock_reason")
        and instance["instance_id"] not in there
    ]
    return coming + [template(row) for row in rows for _ in range(ordered(row))]


def overdue(
    row: Object,
    instances: Sequence[Object],
    nodes: Sequence[Object],
    now: float,
    clock: float,
    most: float,
) -> list[str]:
    """Instances of a pool that are no node although they were ordered more than `most` seconds ago;
    the pool keeps its minimum.

    Modelled seconds until an instance runs. From then on it is this machine that makes it a node:
    those are seconds of the wall, or a busy machine under a fast clock would have its nodes taken
    away.
    """
    there = {node_rules.instance_of(node) for node in nodes}
    own = [
        one
        for one in instances
        if one.get("nodepool_id") == row["id"] and one["status"] not in ("Stopping", "Deleted")
    ]
    late = []
    for one in own:
        age = now - datetime.fromisoformat(one["created"]).timestamp()
        waited = age if one["status"] == "Running" else age * clock
        if waited > most and one["instance_id"] not in there and not one.get("lock_reason"):
            late.append(one["instance_id"])
    return late[: max(0, len(own) - row["min"])]


def seconds(text: Any, default: float) -> float:
    """Seconds of a duration such as "10m", "1h30m" or "90s"; `default` for none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|m|s)", str(text or ""))
    return (
        sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)
        if parts
        else default
    )
