"""What the handler does about nodes that are about to go, and nodes that are gone."""

from dataclasses import replace

import pytest

from interruption_handler import orphaned_pods, spot_notice
from interruption_handler.actions import Delete
from interruption_handler.snapshot import Pod, node_of, pod_of
from tests.unit.cluster_objects import NOW, config, detached, node, pod, snapshot, steps


def test_a_notice_cordons_the_node_and_detaches_its_pods_and_touches_no_other() -> None:
    seen = snapshot([node("n1", notice_at=NOW), node("n2")], [pod("a", "n1"), pod("b", "n2")], 2)
    assert steps(spot_notice.decide(seen, config(), NOW)) == [("Cordon", "n1"), ("Detach", "a")]


def test_a_detached_pod_keeps_serving_until_its_replacement_is_ready() -> None:
    nodes = [
        node("n1", notice_at=NOW, unschedulable=True, cordon_reason="notice"),
        node("n2"),
        node("n3"),
    ]
    waiting = snapshot(nodes, [detached("a", "n1"), pod("b", "n2"), pod("c", "n3", ready=False)], 2)
    assert steps(spot_notice.decide(waiting, config(), NOW + 100)) == []
    replaced = snapshot(nodes, [detached("a", "n1"), pod("b", "n2"), pod("c", "n3")], 2)
    assert steps(spot_notice.decide(replaced, config(), NOW + 100)) == [("Evict", "a")]


def test_pods_still_there_are_deleted_drain_seconds_before_the_release() -> None:
    seen = snapshot(
        [node("n1", notice_at=NOW, unschedulable=True), node("n2")],
        [detached("a", "n1"), pod("b", ready=False), pod("c", "n2")],
        2,
    )
    told_config = config(notice_seconds=300, drain_seconds=30)
    assert steps(spot_notice.decide(seen, told_config, NOW + 269)) == []
    (last,) = spot_notice.decide(seen, told_config, NOW + 270)
    assert isinstance(last, Delete) and last.pod.name == "a" and last.grace is None, (
        "with its own grace period"
    )


def test_a_handler_that_starts_late_detaches_first_and_deletes_at_the_next_look() -> None:
    nodes = [node("n1", notice_at=NOW)]
    assert steps(spot_notice.decide(snapshot(nodes, [pod("a", "n1")], 1), config(), NOW + 280)) == [
        ("Cordon", "n1"),
        ("Detach", "a"),
    ]
    nodes.append(node("n2"))
    assert ("Delete", "a") in steps(
        spot_notice.decide(
            snapshot(nodes, [detached("a", "n1"), pod("b", "n2")], 2), config(), NOW + 280
        )
    )


@pytest.mark.parametrize(
    ("percent", "elsewhere", "deleted"),
    [(50, 0, 10), (50, 4, 14), (50, 10, 20), (0, 0, 20), (100, 0, 0), (100, 3, 3), (33, 0, 13)],
)
def test_a_wrong_notice_on_all_nodes_leaves_the_wanted_share_serving(
    percent: float, elsewhere: int, deleted: int
) -> None:
    """20 pods on nodes under notice, and some replacements that are ready."""
    nodes = [node(f"s{n}", notice_at=NOW, unschedulable=True) for n in range(20)]
    stay = [node(f"n{n}") for n in range(elsewhere)]
    old = [detached(f"p{n}", f"s{n}") for n in range(20)]
    new = [pod(f"q{n}", f"n{n}") for n in range(elsewhere)]
    waiting = [pod(f"w{n}") for n in range(20 - elsewhere)]
    seen = snapshot([*nodes, *stay], [*old, *new, *waiting], 20)
    told = config(min_serving_percent=percent)
    acted = list(spot_notice.decide(seen, told, NOW + 270))
    assert [type(action) for action in acted] == [Delete] * deleted
    kept = spot_notice.kept_serving(seen, told, NOW + 270)
    assert len(kept) == 20 - deleted
    gone = {action.pod.name for action in acted if isinstance(action, Delete)}
    after = snapshot(seen.nodes.values(), [p for p in seen.pods.values() if p.name not in gone], 20)
    assert steps(spot_notice.decide(after, told, NOW + 900)) == [], "nor at any later look"


def test_the_last_pod_serves_until_its_instance_ends() -> None:
    seen = snapshot([node("n1", notice_at=NOW, unschedulable=True)], [detached("a", "n1")], 1)
    assert steps(spot_notice.decide(seen, config(), NOW + 299)) == []


def test_pods_of_nodes_that_nobody_reclaims_move_when_replaced_and_are_never_deleted_before() -> (
    None
):
    nodes = [node("n1", notice_at=NOW, unschedulable=True, spot=False), node("n2"), node("n3")]
    waiting = snapshot(nodes, [detached("a", "n1"), pod("b", "n2"), pod("c")], 2)
    assert steps(spot_notice.decide(waiting, config(), NOW + 900)) == []
    replaced = snapshot(nodes, [detached("a", "n1"), pod("b", "n2"), pod("c", "n3")], 2)
    assert steps(spot_notice.decide(replaced, config(), NOW + 900)) == [("Evict", "a")]


@pytest.mark.parametrize(
    "other",
    [
        pod("b", "n2", owned=False),
        pod("b", "n2", template_hash=""),
        pod("b", "n2", ready=False),
        pod("b", "n1"),
        pod("b", "gone"),
    ],
    ids=["nobody owns it", "detached", "not ready", "under notice as well", "its node is gone"],
)
def test_only_a_ready_pod_that_is_owned_and_stays_counts_as_a_replacement(other: Pod) -> None:
    nodes = [node("n1", notice_at=NOW, unschedulable=True), node("n2")]
    seen = snapshot(nodes, [detached("a", "n1"), other], 1)
    assert ("Evict", "a") not in steps(spot_notice.decide(seen, config(), NOW + 10))


def test_a_deployment_that_is_not_known_evicts_nobody() -> None:
    nodes = [node("n1", notice_at=NOW, unschedulable=True), node("n2")]
    pods = [detached("a", "n1"), pod("b", "n2")]
    assert steps(spot_notice.decide(snapshot(nodes, pods, None), config(), NOW)) == []
    assert steps(spot_notice.decide(snapshot(nodes, pods, 0), config(), NOW)) == [("Evict", "a")]


def test_a_withdrawn_notice_uncordons_the_node_and_attaches_the_pod_again() -> None:
    seen = snapshot(
        [node("n1", unschedulable=True, cordon_reason="notice")],
        [detached("a", "n1"), pod("b", ready=False)],
        1,
    )
    assert steps(spot_notice.decide(seen, config(), NOW)) == [("Uncordon", "n1"), ("Reattach", "a")]


def test_a_node_cordoned_by_somebody_else_stays_cordoned_but_gets_its_pod_back() -> None:
    seen = snapshot([node("n1", unschedulable=True)], [detached("a", "n1")], 1)
    assert steps(spot_notice.decide(seen, config(), NOW)) == [("Reattach", "a")]


def test_headroom_on_a_node_under_notice_moves_at_once() -> None:
    seen = snapshot(
        [node("n1", notice_at=NOW, unschedulable=True)],
        [pod("h", "n1", role="headroom", template_hash="x")],
        0,
    )
    (gone,) = spot_notice.decide(seen, config(), NOW)
    assert isinstance(gone, Delete) and gone.grace == 0


def test_another_stacks_nodes_are_left_alone_unless_one_of_our_pods_is_there() -> None:
    foreign = node(
        "n1", notice_at=NOW, labels={"inference": "tensorflow", "inference-pool": "other"}
    )
    assert steps(spot_notice.decide(snapshot([foreign], [], 1), config(), NOW)) == []
    old_pool = snapshot([foreign], [pod("a", "n1")], 1)
    assert steps(spot_notice.decide(old_pool, config(), NOW)) == [("Cordon", "n1"), ("Detach", "a")]


def test_terminating_pods_are_left_alone() -> None:
    seen = snapshot(
        [node("n1", notice_at=NOW, unschedulable=True)],
        [replace(pod("a", "n1"), terminating=True)],
        1,
    )
    assert steps(spot_notice.decide(seen, config(), NOW + 299)) == []


def test_all_preemptible_nodes_at_once_are_one_step() -> None:
    nodes = [node(f"s{n}", notice_at=NOW) for n in range(14)] + [
        node(f"d{n}", spot=False) for n in range(6)
    ]
    actions = steps(
        spot_notice.decide(
            snapshot(nodes, [pod(f"p-{each.name}", each.name) for each in nodes], 20), config(), NOW
        )
    )
    assert len(actions) == 28 and {name[-2:-1] for _, name in actions} <= {"s", "1"}


@pytest.mark.parametrize("role", ["serving", "headroom"])
def test_pods_of_nodes_that_are_not_seen_are_looked_into_and_waiting_ones_are_not(
    role: str,
) -> None:
    seen = snapshot([node("n1")], [pod("a", "n1"), pod("b", "gone", role=role), pod("c")], 3)
    assert steps(orphaned_pods.decide(seen, config(), NOW)) == [("ForceDelete", "b")]


def test_a_terminating_pod_of_a_lost_node_is_looked_into_too() -> None:
    seen = snapshot([], [replace(pod("a", "gone"), terminating=True)], 1)
    assert steps(orphaned_pods.decide(seen, config(), NOW)) == [("ForceDelete", "a")]


def test_objects_are_read_as_kubernetes_writes_them() -> None:
    known_node = node_of(
        {
            "metadata": {
                "name": "n1",
                "labels": {"node.alibabacloud.com/spot-strategy": "SpotAsPriceGo"},
                "annotations": {"elastic-inference/cordoned": "notice"},
                "creationTimestamp": "2027-01-15T08:00:00Z",
            },
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [
                    {
                        "type": "InstanceExpired",
                        "status": "True",
                        "lastTransitionTime": "2027-01-15T08:00:00Z",
                    },
                ]
            },
        }
    )
    assert (
        known_node.notice_at,
        known_node.unschedulable,
        known_node.cordon_reason,
        known_node.spot,
    ) == (
        1_800_000_000.0,
        True,
        "notice",
        True,
    )
    plain_node = node_of(
        {
            "metadata": {"name": "n2"},
            "status": {"conditions": [{"type": "InstanceExpired", "status": "Unknown"}]},
        }
    )
    assert plain_node.notice_at is None and not plain_node.spot


def test_no_notice_is_older_than_its_node() -> None:
    stale = {
        "type": "InstanceExpired",
        "status": "True",
        "lastTransitionTime": "2027-01-15T07:00:00Z",
    }
    renewed = node_of(
        {
            "metadata": {"name": "n1", "creationTimestamp": "2027-01-15T08:00:00Z"},
            "status": {"conditions": [stale]},
        }
    )
    assert renewed.notice_at == 1_800_000_000.0


def test_what_else_is_read_of_nodes_and_pods() -> None:
    bare = node_of({"metadata": {"name": "n", "resourceVersion": "7"}})
    assert (bare.ready, bare.detector_reports, bare.version) == (False, False, "7")
    quiet = [{"type": "InstanceExpired", "status": "False"}, {"type": "Ready", "status": "True"}]
    told = node_of({"metadata": {"name": "n"}, "status": {"conditions": quiet}})
    assert (told.ready, told.detector_reports) == (True, True)
    assert bare == replace(bare, version="8"), "a heartbeat alone is no change"
    meta = {"name": "p", "uid": "u", "labels": dict(config().selector)}
    owner = {"kind": "ReplicaSet", "controller": True}
    owned, orphan = (
        pod_of({"metadata": {**meta, "ownerReferences": owners}}, config().selector)
        for owners in ([owner], [{"kind": "Node"}])
    )
    assert owned is not None and owned.owned and orphan is not None and not orphan.owned
    by = {"elastic-inference/detached-by": "bert-interruption-handler"}
    former = pod_of({"metadata": {**meta, "labels": {}, "annotations": by}}, config().selector)
    assert former is not None and (former.role, former.detached_by) == (
        "former", "bert-interruption-handler",
    )  # fmt: skip


def test_only_pods_of_the_model_server_and_the_headroom_are_seen() -> None:
    def labelled(**labels: str) -> dict:
        return {
            "metadata": {
                "name": "p",
                "uid": "u",
                "labels": {key.replace("_", "-"): value for key, value in labels.items()},
            }
        }

    selector = config().selector
    serving = pod_of(
        labelled(app="tensorflow-serving", release="bert-v1", pod_template_hash="abc"), selector
    )
    assert serving is not None and (serving.role, serving.template_hash, serving.node) == (
        "serving",
        "abc",
        "",
    )
    assert pod_of(labelled(app="interruption-handler"), selector) is None
    herald = {"metadata": {"name": "h", "uid": "u", "labels": {"elastic-inference/role": "herald"}}}
    assert pod_of(herald, selector) is None
