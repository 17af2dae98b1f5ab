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

from .actions import Action, Close, Delete, Detach, Evict, Reattach, Reopen
from .model import Config, Node, Pod, View

NOTICE = "notice"


def decide(view: View, config: Config, now: float) -> Iterator[Action]:
    """What to do because of notices given and withdrawn. `now` is seconds since 1970."""
    ours = {pod.node for pod in view.serving}
    for node in view.nodes.values():
        mine = node.name in ours or config.pool_labels.items() <= node.labels.items()
        if node.expiring is not None and mine:
            yield from _under_notice(node, view)
        elif node.expiring is None:
            yield from _without_notice(node, view)
    yield from _leave(view, config, now)


def _under_notice(node: Node, view: View) -> Iterator[Action]:
    if not node.closed:
        yield Close(node, NOTICE)
    for pod in _on(node, view):
        if pod.role == "serving" and pod.hash:
            yield Detach(pod, NOTICE)
        elif pod.role != "serving":
            yield Delete(
                pod, NOTICE, grace=0
            )  # nothing runs in it; it comes back where there is room


def _without_notice(node: Node, view: View) -> Iterator[Action]:
    """Nothing, unless a notice was withdrawn."""
    if node.closed_for == NOTICE:
        yield Reopen(node, "the notice was withdrawn")
    for pod in _on(node, view):
        if pod.detached == NOTICE and pod.old_hash:
            yield Reattach(pod, "the notice was withdrawn")


def _leave(view: View, config: Config, now: float) -> Iterator[Action]:
    """Detached pods that may or must go."""
    replaced = sum(pod.ready and bool(pod.hash) for pod in view.serving) >= view.desired
    for pod in view.serving:
        node = view.nodes.get(pod.node)
        if not pod.detached or node is None:
            continue
        if (
            node.expiring is not None
            and now >= node.expiring + config.notice_seconds - config.drain_seconds
        ):
            yield Delete(pod, "the instance goes soon")
        elif replaced and (node.expiring is not None or pod.detached != NOTICE):
            yield Evict(pod, "it is replaced")


def _on(node: Node, view: View) -> list[Pod]:
    return [pod for pod in view.pods.values() if pod.node == node.name and not pod.leaving]
