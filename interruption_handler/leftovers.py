"""Traces of work that nobody continues: cordons for a reason that no longer exists, pods that were
detached from a Deployment that is no longer served, pods that no ReplicaSet adopted again. They are
found by the handler's own label and annotations alone, at each look, also at the first one.

`at_end` is what remains to be done when the handler itself is removed.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import capacity_mix, spot_notice
from .actions import Action, Evict, Reattach, Uncordon
from .config import Config
from .snapshot import ClusterSnapshot


def decide(snapshot: ClusterSnapshot, config: Config, _now: float) -> Iterator[Action]:
    """Clean up what no other decision continues."""
    reasons = {spot_notice.NOTICE} | ({capacity_mix.MIX} if config.capacity_mix else set())
    for node in snapshot.nodes.values():
        if node.cordon_reason and node.cordon_reason not in reasons and node.notice_at is None:
            yield Uncordon(node, f"no decision cordons for the reason {node.cordon_reason}")
    if not snapshot.replaced:
        return
    for pod in snapshot.pods.values():
        if pod.terminating or pod.detached_by != config.name or pod.owned:
            continue
        if pod.role == "former":
            yield Evict(pod, "it was detached from a Deployment that is no longer served")
        elif not pod.detach_reason:
            yield Evict(pod, "no ReplicaSet adopted it again, and it is replaced")


def at_end(snapshot: ClusterSnapshot, config: Config) -> Iterator[Action]:
    """Undo what would outlive the handler. Nodes under notice stay as they are: they end with their
    instance, and a pod attached again would cost a replacement that is on its way.
    """
    for node in snapshot.nodes.values():
        if node.cordon_reason and node.notice_at is None:
            yield Uncordon(node, "the handler is removed")
    for pod in snapshot.pods.values():
        node = snapshot.nodes.get(pod.node)
        ours = pod.role == "serving" or pod.detached_by == config.name
        if (
            ours
            and pod.detach_reason
            and pod.detached_hash
            and not pod.terminating
            and (node is None or node.notice_at is None)
        ):
            yield Reattach(pod, "the handler is removed")
