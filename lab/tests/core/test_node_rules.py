"""When the node autoscaler orders an instance, and when it gives one back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.controlplane import node_rules, nodepool_rows
from lab.quantities import quantity
from lab.tests.core.cluster_objects import ROW, TAINT, grow, node, pod, pool


def test_one_waiting_pod_orders_one_instance() -> None:
    assert grow([pool()], [], [], [pod("a")]) == {"gpu": 1}


def test_each_gpu_pod_needs_an_instance_of_its_own_up_to_the_maximum() -> None:
    made = node_rules.grow([pool(high=3)], [], [], [pod(str(number)) for number in range(5)])
    assert made.order == {"gpu": 3}
    assert len(made.helped["gpu"]) == 3 and len(made.hopeless) == 2


def test_pods_that_share_an_instance_order_one() -> None:
    small = [
        pod(
            str(number),
            gpus="0",
            containers=[{"name": "c", "resources": {"requests": {"cpu": "900m"}}}],
        )
        for number in range(4)
    ]
    assert grow([pool()], [], [], small) == {"gpu": 1}
    assert grow(
        [pool()],
        [],
        [],
        [*small, pod("5", containers=[{"name": "c", "resources": {"requests": {"cpu": "900m"}}}])],
    ) == {"gpu": 2}


def test_an_instance_on_its_way_counts() -> None:
    assert grow([pool(alive=1)], [], [node("coming")], [pod("a")]) == {}
    assert grow([pool(alive=1)], [], [node("coming")], [pod("a"), pod("b")]) == {"gpu": 1}


def test_room_on_a_ready_node_counts_until_the_scheduler_uses_it() -> None:
    assert grow([pool(alive=1)], [node()], [], [pod("a")]) == {}
    assert grow([pool(alive=1)], [node()], [], [pod("there", on="n1"), pod("a")]) == {"gpu": 1}


def test_a_finished_pod_takes_no_room() -> None:
    done = pod("done", on="n1")
    done["status"]["phase"] = "Succeeded"
    assert grow([pool(alive=1)], [node()], [], [done, pod("a")]) == {}


def test_a_cordoned_node_offers_no_room() -> None:
    assert grow([pool(alive=1)], [node(unschedulable=True)], [], [pod("a")]) == {"gpu": 1}


@pytest.mark.parametrize(
    "unfit",
    [
        pod("selector", nodeSelector={"inference": "pytorch"}),
        pod("taint", tolerations=[]),
        pod("gpus", gpus="2"),
        pod("memory", containers=[{"name": "c", "resources": {"requests": {"memory": "14Gi"}}}]),
        pod(
            "affinity",
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {
                                        "key": "inference",
                                        "operator": "NotIn",
                                        "values": ["tensorflow"],
                                    }
                                ]
                            }
                        ]
                    }
                }
            },
        ),
    ],
    ids=lambda unfit: unfit["metadata"]["name"],
)
def test_a_pod_that_would_not_fit_a_new_node_orders_nothing(unfit: dict[str, Any]) -> None:
    made = node_rules.grow([pool()], [], [], [unfit])
    assert made.order == {} and made.hopeless == [unfit]


def test_pods_that_are_not_said_to_be_unschedulable_order_nothing() -> None:
    going = {
        **pod("going"),
        "metadata": {**pod("going")["metadata"], "deletionTimestamp": "2026-11-22T21:00:00Z"},
    }
    assert grow([pool()], [], [], [pod("young", waiting=False), going]) == {}


def test_the_minimum_is_ordered_without_any_pod() -> None:
    assert grow([pool(low=2)], [], [], []) == {"gpu": 2}
    assert grow([pool(low=2)], [], [], [pod("a")]) == {"gpu": 2}


def test_a_pod_without_gpu_need_takes_the_pool_without_gpus() -> None:
    plain = node("template", "plain", gpus=0)
    anywhere = pod("a", containers=[{"name": "c", "resources": {"requests": {"cpu": "1"}}}])
    assert grow([pool(name="a-gpu"), pool(name="plain", template=plain)], [], [], [anywhere]) == {
        "plain": 1
    }


def waits(seconds: float, *pods: dict[str, Any]) -> dict[str, float]:
    return {one["metadata"]["uid"]: seconds for one in pods}


WAITS = node_rules.Waits(2, 30)
SMALL: dict[str, Any] = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}


def test_a_pod_with_a_gpu_is_let_wait_thirty_seconds_and_one_without_two() -> None:
    gpu, small = pod("gpu"), pod("cpu", **SMALL)
    assert node_rules.grow([pool()], [], [], [gpu], waits(29, gpu), WAITS).waiting
    assert node_rules.grow([pool()], [], [], [gpu], waits(30, gpu), WAITS).order == {"gpu": 1}
    assert node_rules.grow([pool()], [], [], [small], waits(1, small), WAITS).waiting
    assert node_rules.grow([pool()], [], [], [small], waits(2, small), WAITS).order == {"gpu": 1}


def test_new_pods_with_gpus_hold_up_older_ones_without_until_one_gpu_pod_is_old() -> None:
    gpu, small = pod("gpu"), pod("cpu", **SMALL)
    ages = {**waits(5, gpu), **waits(300, small)}
    assert node_rules.grow([pool()], [], [], [gpu, small], ages, WAITS).order == {}
    old = pod("old", nodeSelector={"never": "there"})
    made = node_rules.grow([pool()], [], [], [gpu, old], {**ages, **waits(31, old)}, WAITS)
    assert made.order == {"gpu": 1} and made.hopeless == [old]


def test_a_pod_that_may_be_sacrificed_orders_nothing_and_a_placeholder_does() -> None:
    assert grow([pool()], [], [], [pod("sacrificed", priority=-11)]) == {}
    assert grow([pool()], [], [], [pod("placeholder", priority=-5)]) == {"gpu": 1}


def test_a_pod_for_which_another_makes_room_orders_nothing() -> None:
    nominated = pod("serving")
    nominated["status"]["nominatedNodeName"] = "n1"
    assert grow([pool()], [node()], [], [pod("placeholder", on="n1"), nominated]) == {}


def test_a_node_that_is_ready_but_not_open_yet_counts_as_on_its_way() -> None:
    young = node()
    young["spec"]["taints"] = [
        TAINT,
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
    ]
    instance = {
        "instance_id": "i-n1",
        "nodepool_id": "np1",
        "status": "Running",
        "zone_id": "cn-shanghai-e",
        "private_ip": "10.0.32.9",
    }
    instance |= {
        "cluster_id": "c",
        "instance_type": "ecs.gn6i-c4g1.xlarge",
        "cpu": 4,
        "memory_mib": 15360,
        "gpu_count": 1,
    }
    coming = nodepool_rows.booting([{**ROW, "in_progress": []}], [instance], [young])
    assert (
        len(coming) == 1
        and grow([pool(alive=1)], [young], coming, [pod("a", nodeSelector={})]) == {}
    )


def test_a_node_under_notice_offers_no_room() -> None:
    expiring = node()
    expiring["status"]["conditions"].append({"type": "InstanceExpired", "status": "True"})
    assert grow([pool(alive=1)], [expiring], [], [pod("a")]) == {"gpu": 1}


def test_a_thousand_pods_on_five_hundred_nodes_are_looked_through_quickly() -> None:
    nodes = [node(f"n{number}", gpus=2) for number in range(500)]
    there = [pod(f"p{number}", on=f"n{number // 2}") for number in range(990)]
    started = time.process_time()
    template = node("template", gpus=2)
    waiting = [pod(f"w{number:03}") for number in range(500)]
    made = node_rules.grow(
        [pool(alive=500, high=1000, template=template)], nodes, [], there + waiting
    )
    assert made.order == {"gpu": 245}
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("text", "value"), [("10m", 600), ("1h30m", 5400), ("90s", 90), (None, 7), ("", 7)]
)
def test_durations_are_read_as_the_cloud_writes_them(text: str | None, value: float) -> None:
    assert nodepool_rows.seconds(text, 7) == value


@pytest.mark.parametrize(
    ("text", "value"), [("500m", 0.5), ("2", 2), ("1Ki", 1024), ("1.5Gi", 1610612736), ("2k", 2000)]
)
def test_quantities_are_numbers(text: str, value: float) -> None:
    assert quantity(text) == value
