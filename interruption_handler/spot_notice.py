"""A reclaim notice: close the node, have its pods replaced, let them serve meanwhile, and have them
gone before the instance is.

Every pod on a node under notice is detached from its ReplicaSet, which makes another one at once;
the old one keeps its labels of the Service and goes on serving. When the Deployment has all its
pods ready elsewhere, the detached ones are evicted, as the disruption budget allows. What is left
`drain_seconds` before the instance goes is deleted, so that the ingress learns of it in time.

It makes no difference whether ACK's own remedy works: nodes it orders take the new pods in; where
it fails, the node scaler orders them for the waiting pods. A drain by ACK stops at detached pods,
because they have no owner: they are the handler's to move.
"""

from __future__ import annotations

from collections.abc import Iterator

from .actions import Action, Cordon, Delete, Detach, Evict, Reattach, Uncordon
from .model import ClusterSnapshot, Config, Node, Pod

NOTICE = "notice"


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """What to do because of notices given and withdrawn. `now` is seconds since 1970."""
    ours = {pod.node for pod in snapshot.serving}
    for node in snapshot.nodes.values():
        mine = node.name in ours or config.pool_labels.items() <= node.labels.items()
        if node.notice_at is not None and mine:
            yield from _under_notice(node, snapshot)
        elif node.notice_at is None:
            yield from _without_notice(node, snapshot)
    yield from _leave(snapshot, config, now)


def _under_notice(node: Node, snapshot: ClusterSnapshot) -> Iterator[Action]:
    if not node.unschedulable:
        yield Cordon(node, NOTICE)
    for pod in _on(node, snapshot):
        if pod.role == "serving" and pod.template_hash:
            yield Detach(pod, NOTICE)
        elif pod.role != "serving":
            yield Delete(
                pod, NOTICE, grace=0
            )  # nothing runs in it; it comes back where there is room


def _without_notice(node: Node, snapshot: ClusterSnapshot) -> Iterator[Action]:
    """Nothing, unless a notice was withdrawn."""
    if node.cordon_reason == NOTICE:
        yield Uncordon(node, "the notice was withdrawn")
    for pod in _on(node, snapshot):
        if pod.detach_reason == NOTICE and pod.detached_hash:
            yield Reattach(pod, "the notice was withdrawn")


def _leave(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Detached pods that may or must go."""
    replaced = (
        sum(pod.ready and bool(pod.template_hash) for pod in snapshot.serving) >= snapshot.desired
    )
    for pod in snapshot.serving:
        node = snapshot.nodes.get(pod.node)
        if not pod.detach_reason or node is None:
            continue
        if (
            node.notice_at is not None
            and now >= node.notice_at + config.notice_seconds - config.drain_seconds
        ):
            yield Delete(pod, "the instance goes soon")
        elif replaced and (node.notice_at is not None or pod.detach_reason != NOTICE):
            yield Evict(pod, "it is replaced")


def _on(node: Node, snapshot: ClusterSnapshot) -> list[Pod]:
    return [pod for pod in snapshot.pods.values() if pod.node == node.name and not pod.terminating]
