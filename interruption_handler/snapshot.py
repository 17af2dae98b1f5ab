"""The cluster at one moment, reduced to what the decisions need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

Object = dict[str, Any]
TEMPLATE_HASH_LABEL = "pod-template-hash"
"""Label by which a ReplicaSet owns its pods."""
DETACHED_LABEL = "elastic-inference/detached"
"""Label of a pod that the handler took off its ReplicaSet; the value is the reason: notice or
mix.
"""
DETACHED_HASH_ANNOTATION = "elastic-inference/template-hash"
"""Annotation with a detached pod's former template hash, so that the pod can be attached again."""
DETACHED_BY_ANNOTATION = "elastic-inference/detached-by"
"""Annotation of a pod that was detached: the name of the handler. It stays when the pod is attached
again, so that one that nobody adopts is known for what it is.
"""
CORDONED_ANNOTATION = "elastic-inference/cordoned"
"""Annotation of a node that the handler cordoned; the value is the reason. A node cordoned by
anybody else carries none, and the handler never uncordons it.
"""
ROLE_LABEL = "elastic-inference/role"
"""Label of headroom pods."""
DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
SPOT_STRATEGY_LABEL = "node.alibabacloud.com/spot-strategy"


@dataclass(frozen=True)
class Node:
    """A node of the stack's pools. Times are seconds since 1970."""

    name: str
    created: float
    notice_at: float | None
    """When the reclaim notice was given; None without a notice."""
    unschedulable: bool
    """Whether the node is cordoned, by anybody."""
    cordon_reason: str
    """Why the handler cordoned the node; empty when it did not."""
    spot: bool
    """Preemptible; otherwise pay-as-you-go."""
    labels: Mapping[str, str] = field(repr=False)
    ready: bool = True
    detector_reports: bool = True
    """Whether the condition InstanceExpired is there at all, whatever it says."""
    instance: str = field(default="", compare=False)
    """Id of its ECS instance; empty where the node names none."""
    uid: str = field(default="", compare=False)
    version: str = field(default="", compare=False)
    """Resource version. Two nodes that differ in nothing else are equal."""


@dataclass(frozen=True)
class Pod:
    """A pod of the model server or of the headroom."""

    name: str
    uid: str
    role: str
    """`serving`, `headroom`, or `former`: a pod that was detached and does not belong to the
    Deployment that is served now.
    """
    node: str
    """Name of its node; empty while the pod is not scheduled."""
    ready: bool
    created: float
    """Seconds since 1970."""
    terminating: bool
    """Being deleted, or in a final phase."""
    template_hash: str
    """Value of the label by which a ReplicaSet owns the pod; empty when detached."""
    detach_reason: str
    """Why the handler detached the pod; empty when it did not."""
    detached_hash: str
    """The template hash it had before it was detached."""
    deletion_cost: str
    """Value of its pod-deletion-cost annotation."""
    owned: bool = True
    """Whether a controller owns it: a ReplicaSet creates a successor when it is gone."""
    detached_by: str = ""
    """Name of the handler that detached it once; empty when none did."""
    version: str = field(default="", compare=False)
    """Resource version. Two pods that differ in nothing else are equal."""
    address: str = ""
    """Its IP address; empty while it has none."""


@dataclass(frozen=True)
class ClusterSnapshot:
    """The objects that the informers and the Lease hold at one moment."""

    nodes: Mapping[str, Node]
    """By name."""
    pods: Mapping[str, Pod]
    """By name."""
    desired: int | None
    """`spec.replicas` of the Deployment; None while the Deployment is not known."""
    hpa: Object = field(default_factory=dict)
    """`spec`, `conditions` and `metric` of the HPA; empty where the handler does not watch it."""
    unseen_seconds: float = 0.0
    """For how long the HPA's metric has read 0 while the pods served requests."""
    locks: Mapping[str, float] | None = None
    """Instances that ECS is about to reclaim, and since when that is known; None where ECS is not
    asked, or has not answered yet.
    """
    locks_age: float | None = None
    """Seconds since ECS last answered; None where it is not asked."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the Lease: what the handler saved for later decisions."""

    @cached_property
    def serving(self) -> list[Pod]:
        """Pods of the model server that are not terminating."""
        return [pod for pod in self.pods.values() if pod.role == "serving" and not pod.terminating]

    @cached_property
    def pods_by_node(self) -> Mapping[str, list[Pod]]:
        """Pods that are not terminating, by the name of their node."""
        placed: defaultdict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods.values():
            if pod.node and not pod.terminating:
                placed[pod.node].append(pod)
        return placed

    @cached_property
    def ready_to_stay(self) -> int:
        """Ready pods that a ReplicaSet owns, on nodes that stay: only they replace others."""
        return sum(
            pod.ready and pod.owned and bool(pod.template_hash) and self._stays(pod.node)
            for pod in self.serving
        )

    @property
    def replaced(self) -> bool:
        """Whether all wanted pods are ready on nodes that stay. False while the Deployment is not
        known.
        """
        return self.desired is not None and self.ready_to_stay >= self.desired

    def serving_on(self, node: Node) -> list[Pod]:
        """Pods of the model server on `node` that are not terminating."""
        return [pod for pod in self.pods_by_node.get(node.name, ()) if pod.role == "serving"]

    def _stays(self, name: str) -> bool:
        node = self.nodes.get(name)
        return node is not None and node.notice_at is None


def timestamp(text: str | None) -> float:
    """Seconds since 1970 of a Kubernetes time; 0 for None and for an empty text."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def node_of(raw: Object) -> Node:
    """The `Node` of a Kubernetes Node object."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    labels = meta.get("labels") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    expired = conditions.get("InstanceExpired") or {}
    created = timestamp(meta.get("creationTimestamp"))
    notice_at = None
    if expired.get("status") == "True":
        # No notice is older than its node: a time left over from an earlier instance of the same
        # name must not end this one early.
        notice_at = max(created, timestamp(expired.get("lastTransitionTime")))
    return Node(
        name=meta["name"],
        created=created,
        notice_at=notice_at,
        unschedulable=bool(spec.get("unschedulable")),
        cordon_reason=(meta.get("annotations") or {}).get(CORDONED_ANNOTATION, ""),
        spot=labels.get(SPOT_STRATEGY_LABEL, "NoSpot") != "NoSpot",
        labels=labels,
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        detector_reports="InstanceExpired" in conditions,
        # ACK writes REGION.INSTANCE; a cloud controller may put a scheme before it.
        instance=str(spec.get("providerID") or "").rpartition("/")[2].rpartition(".")[2],
        uid=meta.get("uid", ""),
        version=meta.get("resourceVersion", ""),
    )


def pod_of(raw: Object, selector: Mapping[str, str]) -> Pod | None:
    """The `Pod` of a Kubernetes Pod object; None if it belongs neither to the model server, whose
    pods carry the labels `selector`, nor to the headroom, and was never detached.
    """
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    role = "serving" if selector.items() <= labels.items() else labels.get(ROLE_LABEL, "")
    detached_by = annotations.get(DETACHED_BY_ANNOTATION, "")
    if role not in ("serving", "headroom"):
        if not detached_by:
            return None
        role = "former"
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    deleted = bool(meta.get("deletionTimestamp"))
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        role=role,
        node=spec.get("nodeName") or "",
        ready=(conditions.get("Ready") or {}).get("status") == "True" and not deleted,
        created=timestamp(meta.get("creationTimestamp")),
        terminating=deleted or status.get("phase") in ("Succeeded", "Failed"),
        template_hash=labels.get(TEMPLATE_HASH_LABEL, ""),
        detach_reason=labels.get(DETACHED_LABEL, ""),
        detached_hash=annotations.get(DETACHED_HASH_ANNOTATION, ""),
        deletion_cost=annotations.get(DELETION_COST_ANNOTATION, ""),
        owned=any(owner.get("controller") for owner in meta.get("ownerReferences") or ()),
        detached_by=detached_by,
        version=meta.get("resourceVersion", ""),
        address=status.get("podIP") or "",
    )
