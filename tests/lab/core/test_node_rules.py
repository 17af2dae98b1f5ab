"""When the node autoscaler orders an instance, and when it gives one back."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cluster import node_autoscaler, node_rules, scheduling
from lab.cluster.node_rules import Pool

TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}


def node(name: str = "n1", pool: str = "gpu", gpus: int = 1, ready: bool = True, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {node_rules.POOL_LABEL: pool, "inference": "tensorflow", node_rules.INSTANCE_LABEL: f"i-{name}"},
        },
        "spec": {"taints": [TAINT], **spec},
        "status": {
            "allocatable": {"cpu": "3900m", "memory": "13Gi", "pods": "110", "nvidia.com/gpu": str(gpus)},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(name: str, on: str = "", waiting: bool = True, gpus: str = "1", **spec: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    full = {
        "nodeSelector": {"inference": "tensorflow"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": gpus}}}],
        **spec,
    }
    if on:
        full["nodeName"] = on
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "creationTimestamp": "2026-11-22T21:00:00Z"},
        "spec": full,
        "status": {"phase": "Running" if on else "Pending", "conditions": [condition] if waiting and not on else []},
    }


def pool(alive: int = 0, low: int = 0, high: int = 3, name: str = "gpu", template: dict[str, Any] | None = None) -> Pool:
    return Pool(name, low, high, alive, template or node("template", name))


def grow(pools: list[Pool], nodes: list[Any], booting: list[Any], pods: list[Any]) -> dict[str, int]:
    return node_rules.grow(pools, nodes, booting, pods).order


def test_one_waiting_pod_orders_one_instance() -> None:
    assert grow([pool()], [], [], [pod("a")]) == {"gpu": 1}


def test_each_gpu_pod_needs_an_instance_of_its_own_up_to_the_maximum() -> None:
    made = node_rules.grow([pool(high=3)], [], [], [pod(str(number)) for number in range(5)])
    assert made.order == {"gpu": 3}
    assert len(made.helped["gpu"]) == 3 and len(made.hopeless) == 2


def test_pods_that_share_an_instance_order_one() -> None:
    small = [pod(str(number), gpus="0", containers=[{"name": "c", "resources": {"requests": {"cpu": "900m"}}}]) for number in range(4)]
    assert grow([pool()], [], [], small) == {"gpu": 1}
    assert grow([pool()], [], [], [*small, pod("5", containers=[{"name": "c", "resources": {"requests": {"cpu": "900m"}}}])]) == {"gpu": 2}


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
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "inference", "operator": "NotIn", "values": ["tensorflow"]}]}]
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
    going = {**pod("going"), "metadata": {**pod("going")["metadata"], "deletionTimestamp": "2026-11-22T21:00:00Z"}}
    assert grow([pool()], [], [], [pod("young", waiting=False), going]) == {}


def test_the_minimum_is_ordered_without_any_pod() -> None:
    assert grow([pool(low=2)], [], [], []) == {"gpu": 2}
    assert grow([pool(low=2)], [], [], [pod("a")]) == {"gpu": 2}


def test_a_pod_without_gpu_need_takes_the_pool_without_gpus() -> None:
    plain = node("template", "plain", gpus=0)
    anywhere = pod("a", containers=[{"name": "c", "resources": {"requests": {"cpu": "1"}}}])
    assert grow([pool(name="a-gpu"), pool(name="plain", template=plain)], [], [], [anywhere]) == {"plain": 1}


def released(pools: list[Pool], nodes: list[Any], since: dict[str, float], now: float) -> list[str]:
    return [found["metadata"]["name"] for found in node_rules.shrink(pools, nodes, since, now, patience=600)]


def test_a_node_is_given_back_after_it_stayed_empty_and_not_before() -> None:
    since = node_rules.note_empty({}, [node()], [], now=100)
    assert released([pool(alive=1)], [node()], since, now=699) == []
    assert released([pool(alive=1)], [node()], since, now=700) == ["n1"]


def test_a_pod_in_between_starts_the_wait_anew() -> None:
    since = node_rules.note_empty({}, [node()], [], now=100)
    since = node_rules.note_empty(since, [node()], [pod("a", on="n1")], now=300)
    since = node_rules.note_empty(since, [node()], [], now=500)
    assert since == {"n1": 500}


def test_daemon_pods_do_not_keep_a_node() -> None:
    daemon = pod("d", on="n1")
    daemon["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "d"}]
    assert node_rules.note_empty({}, [node()], [daemon], now=1) == {"n1": 1}


def test_the_pool_keeps_its_minimum_and_the_longest_empty_goes_first() -> None:
    nodes = [node("young"), node("old")]
    since = {"young": 50.0, "old": 0.0}
    assert released([pool(alive=2, low=1)], nodes, since, now=1000) == ["old"]
    assert released([pool(alive=2, low=2)], nodes, since, now=1000) == []


def test_nodes_of_other_pools_stay() -> None:
    assert released([pool(alive=1)], [node("sys", pool="system")], {"sys": 0.0}, now=1000) == []


def test_while_something_is_ordered_nothing_is_given_back() -> None:
    nodes = [node("empty", pool="other")]
    pools = [pool(), pool(alive=1, name="other", template=node("template", "other", gpus=0))]
    made = node_rules.plan(
        pools, nodes, [], [pod("a", nodeSelector={node_rules.POOL_LABEL: "gpu"})], {"empty": 0.0}, now=1000, patience=600
    )
    assert made.order == {"gpu": 1} and made.release == []


ROW = {
    "id": "np1", "cluster_id": "c", "state": "active", "auto_scaling": True, "min": 0, "max": 4, "desired": 1,
    "labels": {"inference": "tensorflow"},
    "taints": [TAINT], "scaling_group_id": "asg-1", "spot_strategy": "SpotAsPriceGo", "in_progress": [{"delta": 2, "instances": []}],
    "instance_types": [
        {"instance_type": "ecs.gn6i-c8g1.2xlarge", "cpu": 8, "memory_mib": 31744, "gpu_count": 1, "gpu_model": "Tesla-T4"},
        {"instance_type": "ecs.gn6i-c4g1.xlarge", "cpu": 4, "memory_mib": 15360, "gpu_count": 1, "gpu_model": "Tesla-T4"},
    ],
}  # fmt: skip


def test_a_pool_of_the_cloud_counts_ordered_instances_and_promises_its_smallest_type() -> None:
    found = node_autoscaler.pool_of_row(ROW)
    assert (found.id, found.low, found.high, found.alive) == ("np1", 0, 4, 3)
    assert found.template["status"]["capacity"]["cpu"] == "4"
    assert scheduling.Room.on(found.template).fits(pod("a"))
    assert node_rules.pool_of(found.template) == "np1"


def test_what_is_booting_is_every_instance_without_a_ready_node_and_every_open_order() -> None:
    there = {
        "instance_id": "i-n1", "nodepool_id": "np1", "status": "Running", "zone_id": "cn-shanghai-e", "private_ip": "10.0.32.9",
        "cluster_id": "c",
        "instance_type": "ecs.gn6i-c4g1.xlarge", "cpu": 4, "memory_mib": 15360, "gpu_count": 1,
    }  # fmt: skip
    starting = {**there, "instance_id": "i-n2", "status": "Starting"}
    gone = {**there, "instance_id": "i-n3", "status": "Stopping"}
    foreign = {**there, "instance_id": "i-n4", "nodepool_id": "other"}
    assert len(node_autoscaler.booting([ROW], [there, starting, gone, foreign], [node("n1")])) == 1 + 2


@pytest.mark.parametrize(("text", "value"), [("10m", 600), ("1h30m", 5400), ("90s", 90), (None, 7), ("", 7)])
def test_durations_are_read_as_the_cloud_writes_them(text: str | None, value: float) -> None:
    assert node_autoscaler.seconds(text, 7) == value


@pytest.mark.parametrize(("text", "value"), [("500m", 0.5), ("2", 2), ("1Ki", 1024), ("1.5Gi", 1610612736), ("2k", 2000)])
def test_quantities_are_numbers(text: str, value: float) -> None:
    assert scheduling.quantity(text) == value
