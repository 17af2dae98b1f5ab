"""Pods of nodes that are no more. Kubernetes itself takes 40 to 60 seconds to delete them, and
makes no other ones before.
"""

from __future__ import annotations

from collections.abc import Iterator

from .actions import Action, ForceDelete
from .model import ClusterSnapshot, Config


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Pods whose node isn't seen; before a deletion the server is asked for the node itself."""
    for pod in snapshot.pods.values():
        if pod.node and pod.node not in snapshot.nodes:
            yield ForceDelete(pod)
