"""Nodes, pods and snapshots of a cluster, as the handler sees them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from interruption_handler.actions import Action
from interruption_handler.config import Config
from interruption_handler.snapshot import ClusterSnapshot, Node, Pod

POOL = {"inference-pool": "inference-local-1"}
NOW = 1_800_000_000.0


def config(**changes: Any) -> Config:
    """The handler's settings, with changes."""
    base = Config(
        name="bert-interruption-handler",
        own_namespace="inference-interruption",
        namespace="inference",
        deployment="bert",
        hpa="bert-hpa",
        selector={"app": "tensorflow-serving", "release": "bert-v1"},
        node_labels={"inference": "tensorflow"},
        pool_labels=POOL,
    )
    return replace(base, **changes)


def node(name: str, **changes: Any) -> Node:
    """A preemptible node of the pool."""
    base = Node(
        name,
        NOW - 7200,
        notice_at=None,
        unschedulable=False,
        cordon_reason="",
        spot=True,
        labels={"inference": "tensorflow", **POOL},
    )
    return replace(base, **changes)


def pod(name: str, on: str = "", **changes: Any) -> Pod:
    """A Ready pod of the model server."""
    base = Pod(
        name,
        uid=f"uid-{name}",
        role="serving",
        node=on,
        ready=bool(on),
        created=NOW - 3600,
        terminating=False,
        template_hash="abc",
        detach_reason="",
        detached_hash="",
        deletion_cost="",
    )
    return replace(base, **changes)


def detached(name: str, on: str, why: str = "notice", **changes: Any) -> Pod:
    """A pod that was taken off its ReplicaSet."""
    base = {
        "template_hash": "",
        "detached_hash": "abc",
        "detach_reason": why,
        "owned": False,
        "detached_by": "bert-interruption-handler",
    }
    return pod(name, on, **{**base, **changes})


def snapshot(
    nodes: Iterable[Node], pods: Iterable[Pod], desired: int | None, **more: Any
) -> ClusterSnapshot:
    """A snapshot of these nodes and pods."""
    return ClusterSnapshot(
        {each.name: each for each in nodes}, {each.name: each for each in pods}, desired, **more
    )


def steps(actions: Iterable[Action]) -> list[tuple[str, str]]:
    """(type, object) of each action."""
    return [
        (
            type(action).__name__,
            getattr(getattr(action, "pod", None) or getattr(action, "node", None), "name", ""),
        )
        for action in actions
    ]
