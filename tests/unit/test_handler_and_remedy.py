"""The handler beside ACK's own remedy: it makes no difference to the users whether that acts, acts
in part, or fails.
"""

from __future__ import annotations

import pytest

from tests.unit.small_cluster import BOOT, LOAD, NOTICE, Small

SPOT, ON_DEMAND = 14, 6
WANTED = SPOT + ON_DEMAND


@pytest.mark.parametrize(
    "remedies", [SPOT, SPOT // 2, 0], ids=["remedy acts", "remedy acts in part", "remedy fails"]
)
def test_no_pod_is_missing_at_any_second_whether_acks_remedy_acts_or_fails(remedies: int) -> None:
    played = Small(SPOT, ON_DEMAND, remedies).lose_spot()
    assert min(played.serving) >= WANTED and played.serving[-1] == WANTED
    assert {each.node for each in played.pods.values()}.isdisjoint({f"s{n}" for n in range(SPOT)})


def test_every_node_goes_through_the_same_steps_whether_acks_remedy_acts_or_fails() -> None:
    acts, fails = (Small(SPOT, ON_DEMAND, remedies).lose_spot() for remedies in (SPOT, 0))
    for name in (f"s{n}" for n in range(SPOT)):
        steps = [
            [action for action, node_name in played.did if node_name == name]
            for played in (acts, fails)
        ]
        assert steps[0] == steps[1] == ["Cordon", "Detach", "Evict"]


def test_without_the_handler_the_remedy_alone_leaves_pods_missing_and_its_failure_more() -> None:
    acts, fails = (
        Small(SPOT, ON_DEMAND, remedies, handler=False).lose_spot() for remedies in (SPOT, 0)
    )
    assert min(acts.serving) < WANTED
    assert min(fails.serving) == ON_DEMAND, "of what is lost nothing was replaced before"


def test_evictions_wait_for_the_budget_and_what_it_never_grants_is_deleted_before_the_instance_goes() -> (
    None
):
    played = Small(SPOT, ON_DEMAND, SPOT, budget=-1).lose_spot()
    steps = [
        [action for action, node_name in played.did if node_name == f"s{n}"] for n in range(SPOT)
    ]
    assert steps == [["Cordon", "Detach", "Delete"]] * SPOT
    assert min(played.serving) >= WANTED, "they are replaced by then"
    assert NOTICE > BOOT + LOAD


def test_losing_every_preemptible_node_without_notice_leaves_the_on_demand_share_serving() -> None:
    played = Small(SPOT, ON_DEMAND)
    for name in [f"s{n}" for n in range(SPOT)]:
        played.nodes.pop(name)
        played.pods.pop(f"p-{name}")
    played._under_notice = []
    played.lose_spot()
    assert min(played.serving) == ON_DEMAND and played.serving[BOOT + LOAD + 2] == WANTED
