"""One look at a stack as one row, and what happened between two."""

from __future__ import annotations

from typing import Any

from ops.record.sample import differences, sample


def node(name: str, spot: bool = True, ready: bool = True, notice: bool = False) -> dict[str, Any]:
    strategy = "SpotAsPriceGo" if spot else "NoSpot"
    conditions = [
        {"type": "Ready", "status": str(ready)},
        {"type": "InstanceExpired", "status": str(notice)},
    ]
    return {
        "metadata": {"name": name, "labels": {"node.alibabacloud.com/spot-strategy": strategy}},
        "status": {"conditions": conditions},
    }


def pod(name: str, on: str = "", ready: bool = True, **metadata: Any) -> dict[str, Any]:
    labels = {"pod-template-hash": "a"}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name, "labels": labels, **metadata},
        "spec": {"nodeName": on} if on else {},
        "status": {"conditions": conditions},
    }


def instance(spot: bool, price: float, status: str = "Running") -> dict[str, Any]:
    return {
        "status": status,
        "spot_strategy": "SpotAsPriceGo" if spot else "NoSpot",
        "price_per_hour": price,
        "list_price": 10.0,
    }


NODES = {
    found["metadata"]["name"]: found
    for found in (node("s"), node("d", spot=False), node("e", notice=True))
}
DEPLOYMENT = {"spec": {"replicas": 4}}
HPA = {
    "status": {
        "currentReplicas": 3,
        "desiredReplicas": 4,
        "currentMetrics": [{"type": "External", "external": {"current": {"averageValue": "9"}}}],
    }
}


def test_a_row_counts_ready_pods_by_the_charge_type_of_their_node() -> None:
    pods = [pod("a", "s"), pod("b", "d"), pod("c", "e", ready=False), pod("w", ready=False)]
    row = sample(pods, NODES, DEPLOYMENT, HPA, [], 12.5)
    expected = {
        "desired": 4,
        "total": 4,
        "ready": 2,
        "ready_spot": 1,
        "ready_on_demand": 1,
        "pending": 1,
        "detached": 0,
    }
    assert row["pods"] == expected and row["capacity_qps"] == 25.0
    assert row["nodes"] == {"ready": 3, "spot": 2, "on_demand": 1, "expiring": 1, "booting": 0}
    assert row["hpa"] == {"current": 3, "desired": 4, "metric": "9"}


def test_a_pod_whose_node_is_gone_serves_nobody_whatever_its_status_says() -> None:
    assert sample([pod("a", "vanished")], NODES, None, None, [], 10)["pods"]["ready"] == 0


def test_a_pod_on_its_way_out_still_serves_but_is_not_counted_as_there() -> None:
    row = sample(
        [pod("a", "s", deletionTimestamp="now"), pod("b", "s", labels={})],
        NODES,
        None,
        None,
        [],
        10,
    )
    assert (row["pods"]["ready"], row["pods"]["total"], row["pods"]["detached"]) == (2, 1, 1)


def test_instances_are_billed_from_creation_to_release() -> None:
    instances = [
        instance(True, 3.0),
        instance(False, 10.0, "Pending"),
        instance(True, 3.0, "Deleted"),
    ]
    row = sample([], {}, None, None, instances, 10)
    assert row["billed"] == {
        "spot": 1,
        "on_demand": 1,
        "cny_per_hour": 13.0,
        "cny_per_hour_on_demand": 20.0,
    }
    assert row["nodes"]["booting"] == 1


def test_events_are_what_changed_between_two_looks() -> None:
    before = {"a": node("a"), "b": node("b")}
    after = {"a": node("a", notice=True, ready=False), "c": node("c")}
    kinds = sorted(
        f"{event['kind']} {event['detail']}" for event in differences(before, after, "node")
    )
    assert kinds == ["node created c", "node gone b", "node notice a", "node unready a"]
