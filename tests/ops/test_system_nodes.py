"""Where the interruption handler's pods can run, as `make doctor` tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ops.prerequisites import system_nodes

SPOT = {"node.alibabacloud.com/spot-strategy": "SpotAsPriceGo"}
ON_DEMAND = {"node.alibabacloud.com/spot-strategy": "NoSpot"}
TAINT = {"key": "gpu", "effect": "NoSchedule"}
NOT_ELIGIBLE = [
    ({"inference-pool": "inference-dev-0a1b2c"}, {}),
    (SPOT, {}),
    ({}, {"unschedulable": True}),
    ({}, {"taints": [TAINT]}),
]


def node(name: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def told(nodes: list[Any], *, enabled: bool = True, replicas: int = 2) -> Any:
    interruption = SimpleNamespace(enabled=enabled, replicas=replicas)
    reader = SimpleNamespace(items=lambda path: nodes if path == "/api/v1/nodes" else [])
    return system_nodes(SimpleNamespace(interruption=interruption), reader)


@pytest.mark.parametrize(("labels", "spec"), NOT_ELIGIBLE)
def test_without_an_eligible_node_the_handler_would_wait(
    labels: dict[str, str], spec: dict[str, Any]
) -> None:
    finding = told([node("n1", labels, spec)])
    assert not finding.good and "Pending" in finding.remedy
    assert told([node("n1", labels, spec)], enabled=False).good


def test_a_single_eligible_node_is_named() -> None:
    rows = [node(f"n{n}", *one) for n, one in enumerate(NOT_ELIGIBLE)]
    finding = told([*rows, node("system", ON_DEMAND, {})])
    assert (
        finding.good and "all 2 pods of the interruption handler start on system" in finding.found
    )
    assert "lost with it" not in told([node("system", {}, {})], replicas=1).found


def test_two_eligible_nodes_are_enough() -> None:
    soft = {"taints": [{"key": "x", "effect": "PreferNoSchedule"}]}
    finding = told([node("a", {}, soft), node("b", ON_DEMAND, {})])
    assert finding.good and finding.found == "2 for the interruption handler's 2 pods"
