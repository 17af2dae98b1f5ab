"""Would this pod fit on that node? The scheduler's main rules, on plain objects: selector,
affinity, taints, resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lab.quantities import quantity

Object = Mapping[str, Any]


def requests(pod: Object) -> dict[str, Decimal]:
    """What a pod asks of a node: its containers together, or its largest init container, and one
    pod slot.
    """
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers") or []:
        for name, value in _requested(container).items():
            total[name] = total.get(name, Decimal(0)) + value
    for container in pod["spec"].get("initContainers") or []:
        for name, value in _requested(container).items():
            total[name] = max(total.get(name, Decimal(0)), value)
    total["pods"] = Decimal(1)
    return total


def _requested(container: Object) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    return {
        name: quantity(value)
        for name, value in {
            **(resources.get("limits") or {}),
            **(resources.get("requests") or {}),
        }.items()
    }


@dataclass
class Room:
    """A node, there already or only thought of, and what is still free on it."""

    node: Object
    free: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def on(cls, node: Object, pods: Iterable[Object] = ()) -> Room:
        """The room that `pods` leave on `node`."""
        room = cls(
            node,
            {
                name: quantity(value)
                for name, value in (node["status"].get("allocatable") or {}).items()
            },
        )
        for pod in pods:
            room.take(pod)
        return room

    def take(self, pod: Object) -> None:
        """Count a pod in."""
        for name, value in requests(pod).items():
            self.free[name] = self.free.get(name, Decimal(0)) - value

    def fits(self, pod: Object) -> bool:
        """Whether the scheduler could put the pod here."""
        if any(
            value > self.free.get(name, Decimal(0))
            for name, value in requests(pod).items()
            if value > 0
        ):
            return False
        return selected(pod, self.node) and tolerated(pod, self.node)


def selected(pod: Object, node: Object) -> bool:
    """Whether node selector and required node affinity choose this node."""
    labels = node["metadata"].get("labels") or {}
    if any(
        labels.get(name) != value for name, value in (pod["spec"].get("nodeSelector") or {}).items()
    ):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms"
    )
    return not terms or any(
        all(_matches(rule, labels) for rule in term.get("matchExpressions") or []) for term in terms
    )


def _matches(rule: Object, labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(rule["key"]), rule.get("values") or []
    match rule["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(wanted[0])
        case "Lt":
            return value is not None and int(value) < int(wanted[0])
    return False


def tolerated(pod: Object, node: Object) -> bool:
    """Whether the pod tolerates every taint that keeps pods off."""
    if node["spec"].get("unschedulable"):
        return False
    hard = [
        taint
        for taint in node["spec"].get("taints") or []
        if taint["effect"] in ("NoSchedule", "NoExecute")
    ]
    return all(
        any(_tolerates(given, taint) for given in pod["spec"].get("tolerations") or [])
        for taint in hard
    )


def _tolerates(given: Object, taint: Object) -> bool:
    if given.get("effect") and given["effect"] != taint["effect"]:
        return False
    if given.get("operator") == "Exists":
        return not given.get("key") or given["key"] == taint["key"]
    return given.get("key") == taint["key"] and (given.get("value") or "") == (
        taint.get("value") or ""
    )


NOT_READY_TAINT = "node.kubernetes.io/not-ready"


def is_ready(node: Object) -> bool:
    """Whether the node reports Ready, and is open: the taint of a node that isn't goes a moment
    after the report.
    """
    if any(taint["key"] == NOT_READY_TAINT for taint in node["spec"].get("taints") or []):
        return False
    return any(
        c["type"] == "Ready" and c["status"] == "True"
        for c in node["status"].get("conditions") or []
    )


def is_waiting_for_a_node(pod: Object) -> bool:
    """Whether the scheduler has said that no node fits."""
    if pod["metadata"].get("deletionTimestamp") or pod["spec"].get("nodeName"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(
        c["type"] == "PodScheduled"
        and c["status"] == "False"
        and c.get("reason") == "Unschedulable"
        for c in conditions
    )


def occupies(pod: Object) -> bool:
    """Whether the pod holds resources of its node."""
    return bool(pod["spec"].get("nodeName")) and (pod.get("status") or {}).get("phase") not in (
        "Succeeded",
        "Failed",
    )


DAEMON_ANNOTATION, MIRROR_ANNOTATION = (
    "cluster-autoscaler.kubernetes.io/daemonset-pod",
    "kubernetes.io/config.mirror",
)
EXPENDABLE = -10
"""Pods of a lower priority order nothing and keep nothing (`--expendable-pods-priority-cutoff`)."""


def is_daemon(pod: Object) -> bool:
    """Whether the pod belongs to its node and goes with it: a DaemonSet's, a mirror pod, or one
    that says it is to count as such.
    """
    said = pod["metadata"].get("annotations") or {}
    if said.get(DAEMON_ANNOTATION) == "true" or MIRROR_ANNOTATION in said:
        return True
    return any(
        owner.get("kind") in ("DaemonSet", "Node")
        for owner in pod["metadata"].get("ownerReferences") or []
    )


def is_expendable(pod: Object) -> bool:
    """Whether the pod may be killed without a thought, so that the scaler doesn't see it."""
    return (pod["spec"].get("priority") or 0) < EXPENDABLE


def chosen_by(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses these labels: none chooses nothing, an empty one
    everything.
    """
    if selector is None:
        return False
    if any(
        labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()
    ):
        return False
    return all(_matches(rule, labels) for rule in selector.get("matchExpressions") or [])
