"""A node and the pods it is told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.kubelet import node as module
from lab.kubelet.node import Node
from lab.tests.kubelet.test_nodes import INSTANCE


class FakeAgent:
    """Collects what would run beside the rest."""

    def __init__(self, home: Path) -> None:
        self.home, self.api, self.spawned = home, object(), []

    def spawn(self, work: Any) -> None:
        """Records."""
        self.spawned.append(work)

    def log_api_errors(self, work: Any) -> Any:
        """As it is."""
        return work


class FakePod:
    """Records what the node does with a pod."""

    def __init__(self, node: Node, pod: dict[str, Any]) -> None:
        self.node, self.pod, self.did = node, pod, []

    def start(self) -> None:
        self.did.append("start")

    def update(self, pod: dict[str, Any]) -> None:
        self.did.append("update")

    def kill(self) -> None:
        self.did.append("kill")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(module, "Pod", FakePod)
    monkeypatch.setattr(module, "evict", lambda api, pod: f"evict {pod['metadata']['uid']}")
    return Node(FakeAgent(tmp_path), INSTANCE)  # type: ignore[arg-type]  # a double with the methods that are called


def pod(phase: str = "Pending", deleted: bool = False) -> dict[str, Any]:
    meta: dict[str, Any] = {"uid": "u", "name": "p", "namespace": "n"}
    return {
        "metadata": meta | ({"deletionTimestamp": "t"} if deleted else {}),
        "spec": {},
        "status": {"phase": phase},
    }


def test_a_new_pod_is_started_once_and_then_updated(node: Node) -> None:
    node.on_pod_event("ADDED", pod())
    node.on_pod_event("MODIFIED", pod("Running"))
    assert node.pods["u"].did == ["start", "update"]  # type: ignore[attr-defined]  # a FakePod


def test_a_removed_pod_is_killed_at_once(node: Node) -> None:
    node.on_pod_event("ADDED", pod())
    known: Any = node.pods["u"]
    node.on_pod_event("DELETED", pod())
    assert known.did == ["start", "kill"]
    assert node.pods == {}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_not_run_again(node: Node, phase: str) -> None:
    node.on_pod_event("ADDED", pod(phase))
    assert node.pods == {}


@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded"])
def test_an_unknown_pod_on_its_way_out_is_let_go_without_being_started(
    node: Node, phase: str
) -> None:
    node.on_pod_event("ADDED", pod(phase, deleted=True))
    assert node.pods == {}
    assert node.agent.spawned == ["evict u"]  # type: ignore[attr-defined]  # a FakeAgent
