"""One sample of a stack as a row, and the events between two samples; pure functions of Kubernetes
objects and instances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]
SPOT_LABEL = "node.alibabacloud.com/spot-strategy"
POOL_LABEL = "alibabacloud.com/nodepool-id"
HASH_LABEL = "pod-template-hash"


def is_spot(node: Object | None) -> bool:
    """Whether a node is preemptible."""
    return (
        node is not None
        and (node["metadata"].get("labels") or {}).get(SPOT_LABEL, "NoSpot") != "NoSpot"
    )


def condition(thing: Object, kind: str) -> bool:
    """Whether the object's condition of this type has status True."""
    return any(
        c["type"] == kind and c["status"] == "True"
        for c in (thing.get("status") or {}).get("conditions") or []
    )


def sample(
    pods: Iterable[Object],
    nodes: Mapping[str, Object],
    deployment: Object | None,
    hpa: Object | None,
    instances: Iterable[Object],
    pod_qps: float,
) -> dict[str, Any]:
    """A sample without its time. A pod counts as ready when its condition says so and its node
    still exists.
    """
    pods = list(pods)
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    ready = [
        pod for pod in pods if condition(pod, "Ready") and pod["spec"].get("nodeName") in nodes
    ]
    spot = sum(is_spot(nodes[pod["spec"]["nodeName"]]) for pod in ready)
    return {
        "pods": {
            "desired": ((deployment or {}).get("spec") or {}).get("replicas", 0),
            "total": len(living),
            "ready": len(ready),
            "ready_spot": spot,
            "ready_on_demand": len(ready) - spot,
            "pending": sum(not pod["spec"].get("nodeName") for pod in living),
            "detached": sum(
                HASH_LABEL not in (pod["metadata"].get("labels") or {}) for pod in living
            ),
        },
        "nodes": _nodes(nodes.values(), instances := list(instances)),
        "hpa": _hpa(hpa),
        "capacity_qps": round(len(ready) * pod_qps, 3),
        "billed": _billed(instances),
    }


def _nodes(nodes: Iterable[Object], instances: list[Object]) -> dict[str, int]:
    ready = [node for node in nodes if condition(node, "Ready")]
    spot = sum(map(is_spot, ready))
    booting = sum(i["status"] in ("Pending", "Starting") for i in instances)
    return {
        "ready": len(ready),
        "spot": spot,
        "on_demand": len(ready) - spot,
        "expiring": sum(condition(node, "InstanceExpired") for node in ready),
        "booting": booting,
    }


def _hpa(hpa: Object | None) -> dict[str, Any]:
    status = (hpa or {}).get("status") or {}
    current = next(
        (
            m["external"]["current"]
            for m in status.get("currentMetrics") or []
            if m and m.get("external")
        ),
        {},
    )
    return {
        "current": status.get("currentReplicas", 0),
        "desired": status.get("desiredReplicas", 0),
        "metric": current.get("averageValue") or current.get("value"),
    }


def _billed(instances: list[Object]) -> dict[str, Any]:
    """Instances are billed from their creation to their release, booting included."""
    billed = [i for i in instances if i["status"] not in ("Stopping", "Deleted")]
    spot = [i for i in billed if i.get("spot_strategy", "NoSpot") != "NoSpot"]
    return {
        "spot": len(spot),
        "on_demand": len(billed) - len(spot),
        "cny_per_hour": round(sum(float(i.get("price_per_hour") or 0) for i in billed), 4),
        "cny_per_hour_on_demand": round(
            sum(float(i.get("list_price") or i.get("price_per_hour") or 0) for i in billed), 4
        ),
    }


def differences(
    before: Mapping[str, Object], after: Mapping[str, Object], kind: str
) -> list[dict[str, Any]]:
    """Events between two looks at objects by name: created, gone, ready, unready, notice
    (nodes).
    """
    events = []
    for name in after.keys() - before.keys():
        events.append({"kind": f"{kind} created", "detail": name})
    for name in before.keys() - after.keys():
        events.append({"kind": f"{kind} gone", "detail": name})
    for name in before.keys() & after.keys():
        for state, yes, no in (
            ("Ready", "ready", "unready"),
            ("InstanceExpired", "notice", "notice withdrawn"),
        ):
            was, now = condition(before[name], state), condition(after[name], state)
            if was != now:
                events.append({"kind": f"{kind} {yes if now else no}", "detail": name})
    return events
