"""What the handler knows of the cluster, reduced to what decisions need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Object = dict[str, Any]
HASH = "pod-template-hash"
DETACHED = "elastic-inference/detached"
"""Label of a pod that was taken off its ReplicaSet; the value says why: notice or mix."""
OLD_HASH = "elastic-inference/template-hash"
"""Annotation with the hash label a detached pod had, to give it back."""
CORDONED = "elastic-inference/cordoned"
"""Annotation of a node that the handler closed; the value says why. A node closed by others carries
none and stays closed.
"""
ROLE = "elastic-inference/role"
"""Label of headroom pods."""
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
SPOT = "node.alibabacloud.com/spot-strategy"


@dataclass(frozen=True)
class Node:
    """A node of the pool. Times are seconds since 1970."""

    name: str
    created: float
    ready: bool
    notice_at: float | None
    """Since when the reclaim notice stands; None without one."""
    unschedulable: bool
    """No new pod may come (cordoned)."""
    cordon_reason: str
    """Why the handler closed it; empty when it didn't."""
    spot: bool
    labels: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Pod:
    """A pod of the model server or of the headroom."""

    name: str
    uid: str
    role: str
    """serving or headroom."""
    node: str
    """Empty while the scheduler has found none."""
    ready: bool
    created: float
    terminating: bool
    """Being deleted, or ended."""
    template_hash: str
    """Value of the label by which a ReplicaSet owns it; empty when detached."""
    detach_reason: str
    """Why it was detached; empty when it wasn't."""
    detached_hash: str
    deletion_cost: str
    """Its deletion cost as annotated."""


@dataclass(frozen=True)
class ClusterSnapshot:
    """One moment of the cluster."""

    nodes: Mapping[str, Node]
    pods: Mapping[str, Pod]
    desired: int
    """Pods the Deployment asks for."""
    hpa: Object = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    """What the handler wrote down for itself on its Lease."""

    @property
    def serving(self) -> list[Pod]:
        """Pods of the model server that are not on their way out."""
        return [pod for pod in self.pods.values() if pod.role == "serving" and not pod.terminating]


def seconds(stamp: str | None) -> float:
    """Seconds since 1970 of a Kubernetes time; 0 for none."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else 0.0


def node_of(raw: Object) -> Node:
    """A Node object, reduced."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    labels, conditions = (
        meta.get("labels") or {},
        {one["type"]: one for one in status.get("conditions") or []},
    )
    expired, created = (
        conditions.get("InstanceExpired") or {},
        seconds(meta.get("creationTimestamp")),
    )
    return Node(
        name=meta["name"],
        created=created,
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        # No notice is older than its node: a time left over from a machine that had the name before
        # must not end this one early.
        notice_at=max(created, seconds(expired.get("lastTransitionTime")))
        if expired.get("status") == "True"
        else None,
        unschedulable=bool(spec.get("unschedulable")),
        cordon_reason=(meta.get("annotations") or {}).get(CORDONED, ""),
        spot=labels.get(SPOT, "NoSpot") != "NoSpot",
        labels=labels,
    )


def pod_of(raw: Object, selector: Mapping[str, str]) -> Pod | None:
    """A Pod object, reduced; None if it is none of ours. `selector` are the labels of the model
    server's pods.
    """
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    role = "serving" if selector.items() <= labels.items() else labels.get(ROLE, "")
    if role not in ("serving", "headroom"):
        return None
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        role=role,
        node=spec.get("nodeName") or "",
        ready=(conditions.get("Ready") or {}).get("status") == "True"
        and not meta.get("deletionTimestamp"),
        created=seconds(meta.get("creationTimestamp")),
        terminating=bool(meta.get("deletionTimestamp"))
        or status.get("phase") in ("Succeeded", "Failed"),
        template_hash=labels.get(HASH, ""),
        detach_reason=labels.get(DETACHED, ""),
        detached_hash=notes.get(OLD_HASH, ""),
        deletion_cost=notes.get(DELETION_COST, ""),
    )


@dataclass(frozen=True)
class Config:
    """What the program told the handler: `settings.json` beside the code, keys as here."""

    name: str
    namespace: str
    deployment: str
    hpa: str
    selector: Mapping[str, str]
    """Labels of the model server's pods."""
    node_labels: Mapping[str, str]
    """Labels of the nodes to watch; older pools of this stack share them."""
    pool_labels: Mapping[str, str]
    """Labels that only the pool's nodes carry."""
    notice_seconds: float = 300
    drain_seconds: float = 30
    mix: Mapping[str, Any] | None = None
    """base, percent, points, after_seconds, most_nodes; None: the mix is left alone."""
    floors: Mapping[str, Any] | None = None
    """base, schedules, outage; None: the HPA's minimum is left alone."""

    @classmethod
    def read(cls, text: str) -> Config:
        """From JSON. Raises TypeError for a key that is missing or unknown."""
        return cls(**json.loads(text))
