"""The Node object of an instance."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kubelet.nodes import (
    conditions,
    is_ready,
    labels,
    lease_object,
    node_name,
    node_object,
    resources,
    taints,
)

INSTANCE: dict[str, Any] = {
    "instance_id": "i-1",
    "cluster_id": "c1",
    "nodepool_id": "np1",
    "nodepool_name": "gpu",
    "scaling_group_id": "asg-1",
    "status": "Running",
    "private_ip": "10.0.48.7",
    "zone_id": "cn-shanghai-g",
    "instance_type": "ecs.gn6i-c4g1.xlarge",
    "gpu_count": 1,
    "gpu_model": "Tesla-T4",
    "gpu_memory_mib": 15109,
    "cpu": 4,
    "memory_mib": 15360,
    "spot_strategy": "SpotAsPriceGo",
    "instance_charge_type": "PostPaid",
    "labels": {"inference": "tensorflow"},
    "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
    "lock_reason": "",
}


def test_the_name_is_region_and_address_as_on_ack() -> None:
    assert node_name(INSTANCE) == "cn-shanghai.10.0.48.7"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("inference", "tensorflow"),
        ("node.alibabacloud.com/spot-strategy", "SpotAsPriceGo"),
        ("node.alibabacloud.com/instance-charge-type", "PostPaid"),
        ("alibabacloud.com/nodepool-id", "np1"),
        ("node.alibabacloud.com/nodepool-id", "np1"),
        ("alibabacloud.com/ecs-instance-id", "i-1"),
        ("ack.aliyun.com", "c1"),
        ("k8s.aliyun.com", "true"),
        ("node.kubernetes.io/instance-type", "ecs.gn6i-c4g1.xlarge"),
        ("topology.kubernetes.io/zone", "cn-shanghai-g"),
        ("topology.kubernetes.io/region", "cn-shanghai"),
        ("aliyun.accelerator/nvidia_name", "Tesla-T4"),
        ("aliyun.accelerator/nvidia_count", "1"),
        ("aliyun.accelerator/nvidia_mem", "15109MiB"),
    ],
)
def test_a_pools_node_carries_the_labels_ack_adds(label: str, value: str) -> None:
    assert labels(INSTANCE)[label] == value


def test_the_system_pools_node_is_neither_a_scalers_nor_a_gpus() -> None:
    system = {
        **INSTANCE,
        "nodepool_name": "default-nodepool",
        "gpu_count": 0,
        "gpu_model": "",
        "spot_strategy": "NoSpot",
        "labels": [],
    }
    found = labels(system)
    assert "k8s.aliyun.com" not in found
    assert not [key for key in found if "nvidia" in key]
    assert found["node.alibabacloud.com/spot-strategy"] == "NoSpot"


def test_capacity_counts_gpus_and_the_system_keeps_its_share() -> None:
    capacity, allocatable = resources(INSTANCE)
    assert (capacity["cpu"], capacity["memory"], capacity["nvidia.com/gpu"], capacity["pods"]) == (
        "4",
        f"{14796 * 1024}Ki",
        "1",
        "110",
    )
    assert (allocatable["cpu"], allocatable["memory"], allocatable["nvidia.com/gpu"]) == (
        "3920m",
        f"{13031 * 1024}Ki",
        "1",
    )
    assert "nvidia.com/gpu" not in resources({**INSTANCE, "gpu_count": 0})[0]


def test_taints_come_from_the_pool() -> None:
    assert taints(INSTANCE) == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert node_object(INSTANCE)["spec"]["providerID"] == "cn-shanghai.i-1"


def test_a_reclaim_notice_becomes_the_condition_that_others_watch() -> None:
    quiet = {item["type"]: item for item in conditions(INSTANCE)}
    notice = {item["type"]: item for item in conditions({**INSTANCE, "lock_reason": "Recycling"})}
    assert (quiet["InstanceExpired"]["status"], quiet["InstanceExpired"]["reason"]) == (
        "False",
        "InstanceNotToBeTerminated",
    )
    assert (notice["InstanceExpired"]["status"], notice["InstanceExpired"]["reason"]) == (
        "True",
        "InstanceToBeTerminated",
    )
    assert notice["Ready"]["status"] == "True"


def test_without_the_problem_detector_nobody_tells_of_a_reclaim() -> None:
    blind = {**INSTANCE, "lock_reason": "Recycling", "problem_detector": False}
    assert [item["type"] for item in conditions(blind)] == [
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "Ready",
    ]


def test_transition_times_stay_while_a_status_stays() -> None:
    before = [
        {**item, "lastTransitionTime": "2026-01-01T00:00:00Z"} for item in conditions(INSTANCE)
    ]
    before[3] = {**before[3], "status": "Unknown"}
    after = conditions(INSTANCE, before)
    assert [item["lastTransitionTime"] == "2026-01-01T00:00:00Z" for item in after] == [
        True,
        True,
        True,
        False,
        True,
    ]


def test_ready_is_read_from_the_condition() -> None:
    assert is_ready(node_object(INSTANCE))
    assert not is_ready({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})


def test_the_lease_belongs_to_the_node() -> None:
    lease = lease_object("n", "uid1")
    assert lease["metadata"]["ownerReferences"][0]["uid"] == "uid1"
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseDurationSeconds"]) == ("n", 40)
