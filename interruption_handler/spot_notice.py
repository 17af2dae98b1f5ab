"""What the handler does when a preemptible node gets its reclaim notice: cordon the node, have its
pods replaced while they keep serving, and remove them before the instance is released.

Every serving pod on such a node is detached from its ReplicaSet, which creates a replacement at
once; the detached pod keeps the labels that the Service selects, so it keeps serving. Once the
Deployment has all its pods ready elsewhere, the detached pods are evicted, as the
PodDisruptionBudget allows. Pods still there `drain_seconds` before the release are deleted, so that
the ingress stops sending to them in time.

A notice may be wrong, on all nodes at once. So no pod is deleted without a replacement where less
than `min_serving_percent` of the wanted pods would go on serving, and none on a node that is not
preemptible: nobody reclaims that, and the condition also announces the end of a subscription. If
the notice is right, what is kept serves until its instance ends, which an early deletion would not
have prolonged.

The handler does not depend on ACK's own remedy. Where it works, the nodes it orders take the
replacements; where it fails, the node scaler orders nodes for the waiting pods. ACK's drain leaves
detached pods alone, because they have no owner: the handler moves them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .actions import Action, Cordon, Delete, Detach, Evict, Reattach, Uncordon
from .config import Config
from .snapshot import ClusterSnapshot, Node, Pod

NOTICE = "notice"
"""Reason written on nodes and pods; a value in the cluster."""


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Actions for notices that were given or withdrawn. `now` is seconds since 1970."""
    serving_nodes = {pod.node for pod in snapshot.serving}
    for node in snapshot.nodes.values():
        if node.notice_at is None:
            yield from _without_notice(node, snapshot)
        elif node.name in serving_nodes or config.pool_labels.items() <= node.labels.items():
            yield from _under_notice(node, snapshot)
    yield from _remove_detached(snapshot, config, now)


def _under_notice(node: Node, snapshot: ClusterSnapshot) -> Iterator[Action]:
    if not node.unschedulable:
        yield Cordon(node, NOTICE)
    for pod in _pods_on(node, snapshot):
        if pod.role == "serving" and pod.template_hash:
            yield Detach(pod, NOTICE)
        elif pod.role != "serving":
            # A headroom pod does nothing: its Deployment creates it again where there is room.
            yield Delete(pod, NOTICE, grace=0)


def _without_notice(node: Node, snapshot: ClusterSnapshot) -> Iterator[Action]:
    """Undo what a notice caused that has been withdrawn."""
    if node.cordon_reason == NOTICE:
        yield Uncordon(node, "the notice was withdrawn")
    for pod in _pods_on(node, snapshot):
        if pod.detach_reason == NOTICE and pod.detached_hash:
            yield Reattach(pod, "the notice was withdrawn")


def _remove_detached(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Detached pods that may go because they are replaced, or must go because the instance is
    released soon.
    """
    kept = {pod.uid for pod in kept_serving(snapshot, config, now)}
    for pod in snapshot.serving:
        node = snapshot.nodes.get(pod.node)
        if not pod.detach_reason or node is None:
            continue
        if _ends_soon(node, config, now) and node.spot and pod.uid not in kept:
            yield Delete(pod, "the instance is released soon")
        elif snapshot.replaced and (node.notice_at is not None or pod.detach_reason != NOTICE):
            yield Evict(pod, "it is replaced")


def kept_serving(snapshot: ClusterSnapshot, config: Config, now: float) -> list[Pod]:
    """Detached pods whose instance is released soon and that are kept all the same, because too
    few other pods serve.
    """
    if snapshot.replaced:
        return []
    wanted = len(snapshot.serving) if snapshot.desired is None else snapshot.desired
    room = sum(pod.ready for pod in snapshot.serving) - math.ceil(
        wanted * config.min_serving_percent / 100
    )
    ending = [
        pod
        for pod in snapshot.serving
        if pod.detach_reason
        and pod.ready
        and (node := snapshot.nodes.get(pod.node)) is not None
        and node.spot
        and _ends_soon(node, config, now)
    ]
    return ending[max(0, room) :]


def _ends_soon(node: Node, config: Config, now: float) -> bool:
    """Whether the instance is released within `drain_seconds`, if its notice is right."""
    if node.notice_at is None:
        return False
    return now >= node.notice_at + config.notice_seconds - config.drain_seconds


def _pods_on(node: Node, snapshot: ClusterSnapshot) -> list[Pod]:
    """Serving and headroom pods on `node` that are not terminating."""
    return [pod for pod in snapshot.pods_by_node.get(node.name, ()) if pod.role != "former"]
