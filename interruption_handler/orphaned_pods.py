"""Pods whose Node no longer exists. Kubernetes takes 40 to 60 seconds to delete them, and their
ReplicaSet creates no replacements before that.
"""

from __future__ import annotations

from collections.abc import Iterator

from .actions import Action, ForceDelete
from .config import Config
from .snapshot import ClusterSnapshot


def decide(snapshot: ClusterSnapshot, _config: Config, _now: float) -> Iterator[Action]:
    """A `ForceDelete` for each pod whose node is not in the snapshot; before it deletes the pod,
    the executor asks the server for the node.
    """
    for pod in snapshot.pods.values():
        if pod.node and pod.node not in snapshot.nodes:
            yield ForceDelete(pod)
