"""When the node autoscaler takes a node away, and when it leaves it."""

from __future__ import annotations

from typing import Any

import pytest

from lab.controlplane import scale_down, spot_remedy
from lab.controlplane.scale_down import Limits
from lab.tests.core.test_node_rules import node, pod

OWNED = [{"kind": "ReplicaSet", "name": "rs", "controller": True}]
LIMITS = Limits(unneeded=600, after_add=600)


def small(name: str, on: str, cpu: str = "500m", **metadata: Any) -> dict[str, Any]:
    """A pod without a GPU that a ReplicaSet owns."""
    made = pod(name, on=on, containers=[{"name": "c", "resources": {"requests": {"cpu": cpu}}}])
    made["metadata"] |= {"ownerReferences": OWNED, "labels": {"app": "small"}, **metadata}
    return made


def found(
    nodes: list[Any], pods: list[Any], budgets: list[Any] | None = None, limits: Limits = LIMITS
) -> set[str]:
    return set(scale_down.unneeded(nodes, scale_down.by_node(pods), budgets or [], limits))


def chosen(
    nodes: list[Any],
    since: dict[str, float],
    now: float,
    spare: int = 9,
    pods: list[Any] | None = None,
) -> list[str]:
    pool_of = {one["metadata"]["name"]: "gpu" for one in nodes}
    unneeded = scale_down.unneeded(nodes, scale_down.by_node(pods or []), [], LIMITS)
    leaving = scale_down.choose(nodes, {"gpu": spare}, pool_of, unneeded, since, now, LIMITS)
    return [one["metadata"]["name"] for one in leaving.empty + [one for one, _ in leaving.drain]]


def test_a_node_with_a_pod_on_its_gpu_is_needed_and_an_empty_one_is_not() -> None:
    assert found([node("busy"), node("idle")], [pod("a", on="busy")]) == {"idle"}


def test_a_daemon_pod_does_not_make_a_node_needed() -> None:
    daemon = small("d", "n1", ownerReferences=[{"kind": "DaemonSet", "name": "d"}])
    assert found([node()], [daemon]) == {"n1"}


def test_a_node_with_little_to_do_goes_when_its_pods_fit_elsewhere() -> None:
    both = [node("a"), node("b")]
    assert found(both, [small("p", "a"), pod("serving", on="b")]) == {"a"}
    assert found([node("a")], [small("p", "a")]) == set()
    assert found(both, [small("p", "a", cpu="3"), pod("serving", on="b")]) == set()


@pytest.mark.parametrize(
    "change", [{"ownerReferences": []}, {"annotations": {scale_down.SAFE_TO_EVICT: "false"}}]
)
def test_a_pod_that_nobody_would_make_again_or_that_forbids_it_keeps_its_node(
    change: dict[str, Any],
) -> None:
    assert (
        found([node("a"), node("b")], [small("p", "a", **change), pod("serving", on="b")]) == set()
    )


def test_local_storage_keeps_a_node_only_where_the_configuration_says_so() -> None:
    local = small("p", "a")
    local["spec"]["volumes"] = [{"name": "x", "emptyDir": {}}]
    pods = [local, pod("serving", on="b")]
    assert found([node("a"), node("b")], pods) == {"a"}
    assert found([node("a"), node("b")], pods, limits=Limits(local_storage=True)) == set()


def test_a_disruption_budget_without_room_keeps_the_node() -> None:
    budget = {
        "metadata": {"namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "small"}}},
    }
    pods = [small("p", "a"), pod("serving", on="b")]
    assert (
        found([node("a"), node("b")], pods, [{**budget, "status": {"disruptionsAllowed": 0}}])
        == set()
    )
    assert found(
        [node("a"), node("b")], pods, [{**budget, "status": {"disruptionsAllowed": 1}}]
    ) == {"a"}


def test_a_node_must_stay_unneeded_without_a_break() -> None:
    since = scale_down.note({}, ["n1"], 100)
    assert scale_down.note(since, ["n1"], 300) == {"n1": 100}
    assert scale_down.note(scale_down.note(since, [], 300), ["n1"], 500) == {"n1": 500}


def test_the_longest_unneeded_goes_first_and_the_pool_keeps_its_minimum() -> None:
    nodes, since = [node("young"), node("old")], {"young": 50.0, "old": 0.0}
    assert chosen(nodes, since, now=1000, spare=1) == ["old"]
    assert chosen(nodes, since, now=1000, spare=0) == []
    assert chosen(nodes, since, now=640) == ["old"]


def test_empty_nodes_go_ten_at_a_time_and_others_one_at_a_time() -> None:
    many = [node(f"n{number}") for number in range(15)]
    assert (
        len(chosen(many, {one["metadata"]["name"]: 0.0 for one in many}, now=1000, spare=12)) == 10
    )
    three = [node("a"), node("b"), node("c")]
    moving = [small("p", "a"), small("q", "b")]
    assert chosen(
        three, dict.fromkeys("ab", 0.0), now=1000, pods=[*moving, pod("serving", on="c")]
    ) == ["a"]


def instance(name: str, **more: Any) -> dict[str, Any]:
    return {"instance_id": f"i-{name}", "lock_reason": "Recycling", "remedied_by": "", **more}


def test_a_reclaimed_node_is_drained_only_once_its_replacement_is_ready() -> None:
    told = instance("old", remedied_by="i-new")
    nodes = [node("old"), node("new")]
    for one in nodes:
        one["metadata"]["labels"][spot_remedy.INSTANCE_LABEL] = f"i-{one['metadata']['name']}"
    assert spot_remedy.relieved([told], nodes)[0]["metadata"]["name"] == "old"
    nodes[1]["status"]["conditions"][0]["status"] = "False"
    assert spot_remedy.relieved([told], nodes) == []
    assert spot_remedy.relieved([instance("old")], nodes) == []


def test_a_drain_stops_at_a_pod_without_an_owner() -> None:
    owned, loose = small("owned", "n1"), small("loose", "n1", ownerReferences=[])
    assert spot_remedy.to_evict(node(), [owned]) == [owned]
    assert spot_remedy.to_evict(node(), [owned, loose]) == []
