"""Keeping the mix of charge types, and what the HPA takes away first."""

import json
from dataclasses import replace
from typing import Any

import pytest

from interruption_handler import capacity_mix
from interruption_handler.actions import SaveNote, SetDeletionCost
from interruption_handler.config import CapacityMix
from interruption_handler.pool_sizing import on_demand_nodes
from interruption_handler.snapshot import ClusterSnapshot
from tests.unit.cluster_objects import NOW, config, detached, node, pod, snapshot, steps

MIX = CapacityMix(base=0, percent=30, points=4, after_seconds=300, max_nodes=40)
CONFIG = config(capacity_mix=MIX)


def cluster(
    spot: int,
    on_demand: int,
    note: dict[str, Any] | None = None,
    more: tuple = (),
    pods: tuple = (),
) -> ClusterSnapshot:
    """`spot` and `on_demand` nodes with a pod each."""
    nodes = [node(f"s{n}") for n in range(spot)] + [
        node(f"d{n}", spot=False) for n in range(on_demand)
    ]
    serving = [pod(f"p-{each.name}", each.name) for each in nodes]
    memory = {capacity_mix.NOTE: json.dumps(note)} if note is not None else {}
    return snapshot([*nodes, *more], [*serving, *pods], len(serving), notes=memory)


def noted(actions: list) -> dict[str, Any]:
    """The note that is written."""
    (save,) = [action for action in actions if isinstance(action, SaveNote)]
    return json.loads(save.value or "{}")


@pytest.mark.parametrize(
    ("total", "wanted"), [(1, 1), (3, 1), (4, 2), (10, 3), (20, 6), (21, 7), (0, 0)]
)
def test_the_wanted_number_is_rounded_up_as_the_scaling_group_does(total: int, wanted: int) -> None:
    assert on_demand_nodes(total, 0, 30) == wanted
    assert on_demand_nodes(total, 2, 0) == min(2, total)


def test_the_right_mix_is_left_alone() -> None:
    assert list(capacity_mix.decide(cluster(14, 6), CONFIG, NOW)) == []


@pytest.mark.parametrize(
    ("total", "on_demand", "too_many"),
    [
        (3, 1, 0), (4, 2, 0), (4, 3, 1), (20, 6, 0), (20, 7, 1), (24, 9, 1), (25, 8, 0), (25, 9, 1), (30, 10, 0), (31, 11, 1),
        (100, 34, 0), (100, 35, 5),
    ],
)  # fmt: skip
def test_the_share_is_at_most_the_points_above_the_wanted_one_unless_rounding_makes_it_so(
    total: int, on_demand: int, too_many: int
) -> None:
    kept = list(cluster(total - on_demand, on_demand).nodes.values())
    assert capacity_mix.surplus(kept, MIX) == too_many
    assert capacity_mix.surplus(kept, replace(MIX, percent=100)) == 0


def test_the_base_is_no_surplus() -> None:
    kept = list(cluster(7, 5).nodes.values())
    assert (
        capacity_mix.surplus(kept, replace(MIX, base=2)) == 0
        and capacity_mix.surplus(kept, replace(MIX, base=0)) == 1
    )


def test_too_many_pay_as_you_go_nodes_are_only_noted_at_first() -> None:
    actions = list(capacity_mix.decide(cluster(6, 14), CONFIG, NOW))
    assert steps(actions) == [("SaveNote", "")] and noted(actions) == {"over": NOW}


def test_after_a_while_one_is_replaced_as_a_probe() -> None:
    actions = list(capacity_mix.decide(cluster(6, 14, {"over": NOW - 300}), CONFIG, NOW))
    assert [kind for kind, _ in steps(actions)] == ["SaveNote", "Cordon"] and noted(actions)[
        "size"
    ] == 1


def test_a_cordoned_nodes_pod_is_detached_only_then() -> None:
    marked = node("marked", spot=False, unschedulable=True, cordon_reason="mix")
    seen = cluster(6, 13, {"over": 1, "started": NOW, "size": 1}, (marked,), (pod("x", "marked"),))
    assert steps(capacity_mix.decide(seen, CONFIG, NOW + 1)) == [("Detach", "x")]


def test_a_probe_that_brings_a_preemptible_node_is_followed_by_more() -> None:
    marked = node("marked", spot=False, unschedulable=True, cordon_reason="mix")
    seen = cluster(
        6, 13, {"over": 1, "started": NOW, "size": 1}, (marked, node("new", created=NOW + 60))
    )
    assert noted(list(capacity_mix.decide(seen, CONFIG, NOW + 120))) == {
        "over": 1,
        "size": 4,
        "next": NOW + 150,
        "ended": NOW + 120,
    }


def test_a_probe_that_brings_pay_as_you_go_again_is_taken_back_and_the_next_comes_later_and_later() -> (
    None
):
    marked, bought = (
        node("marked", spot=False, unschedulable=True, cordon_reason="mix"),
        node("new", spot=False, created=NOW + 60),
    )
    pauses = []
    note: dict[str, Any] = {"over": 1, "started": NOW, "size": 4}
    for _ in range(3):
        actions = list(
            capacity_mix.decide(
                cluster(6, 13, note, (marked, bought), (detached("x", "marked", "mix"),)),
                CONFIG,
                NOW + 90,
            )
        )
        assert steps(actions)[:2] == [("Uncordon", "marked"), ("Reattach", "x")]
        note = {**noted(actions), "started": NOW}
        pauses.append(note["pause"])
        assert note["size"] == 1
    assert pauses == [300, 600, 600]


def test_no_replacement_starts_while_something_else_is_in_progress() -> None:
    note = {"over": NOW - 1000}
    under_notice = node("e", notice_at=NOW)
    busy = [
        cluster(6, 14, note, pods=(pod("waiting"),)),
        cluster(6, 14, note, pods=(detached("x", "s0"),)),
        cluster(6, 14, note, (under_notice,), (pod("y", "e"),)),
        cluster(6, 14, {**note, "next": NOW + 1}),
    ]
    for seen in busy:
        assert steps(capacity_mix.decide(seen, CONFIG, NOW)) == []


def test_the_pool_must_have_room_for_the_replacement() -> None:
    full = config(capacity_mix=replace(MIX, max_nodes=20))
    assert steps(capacity_mix.decide(cluster(6, 14, {"over": 1}), full, NOW)) == []


def test_a_node_that_the_scaler_did_not_remove_is_uncordoned() -> None:
    marked = node("marked", spot=False, unschedulable=True, cordon_reason="mix")
    seen = cluster(14, 6, {"ended": NOW - 1801}, (marked,))
    assert steps(capacity_mix.decide(seen, CONFIG, NOW)) == [("Uncordon", "marked")]


def test_a_note_that_can_not_be_read_is_no_note() -> None:
    seen = snapshot([node("s0")], [pod("a", "s0")], 1, notes={capacity_mix.NOTE: "{"})
    assert list(capacity_mix.decide(seen, CONFIG, NOW)) == []


def test_without_the_setting_nothing_is_moved_or_ranked() -> None:
    assert (
        list(capacity_mix.decide(cluster(0, 20), config(), NOW))
        == []
        == list(capacity_mix.rank_pods(cluster(0, 20), config(), NOW))
    )


@pytest.mark.parametrize(("spot", "on_demand"), [(14, 6), (10, 10), (20, 0), (6, 14)])
def test_whatever_the_hpa_leaves_has_the_wanted_mix_as_far_as_there_are_such_pods(
    spot: int, on_demand: int
) -> None:
    costs = {
        action.pod.node: action.cost
        for action in capacity_mix.rank_pods(cluster(spot, on_demand), CONFIG, NOW)
        if isinstance(action, SetDeletionCost)
    }
    dearest = sorted(costs, key=lambda name: costs[name], reverse=True)
    assert len(dearest) == spot + on_demand
    for left in range(1, len(dearest) + 1):
        paid = sum(name.startswith("d") for name in dearest[:left])
        wanted_paid = min(on_demand_nodes(left, 0, 30), on_demand)
        assert paid == max(wanted_paid, left - spot)


def test_a_rank_that_stands_is_not_written_again() -> None:
    first = snapshot([node("s0")], [pod("a", "s0", deletion_cost="-2")], 1)
    assert [
        action.cost
        for action in capacity_mix.rank_pods(first, CONFIG, NOW)
        if isinstance(action, SetDeletionCost)
    ] == []
