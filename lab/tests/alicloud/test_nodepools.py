"""Node pools in time: tasks, boot, the pay-as-you-go mix, minimum and maximum, stock, deletion."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.alicloud.protocol import Request
from lab.alicloud.seed import CLUSTER, seed
from lab.alicloud.services.cs.nodepools import delete as delete_pool
from lab.alicloud.services.cs.nodepools import make_pool
from lab.alicloud.state import Region
from lab.testing import clients
from lab.testing.cloud import CloudDouble, wait_for
from lab.testing.node_pools import BASE, GPU, create, delete, finished, running, wanted

ESS = ("ess.aliyuncs.com", "2014-08-28")


def test_a_pool_brings_up_its_minimum_and_its_instances_boot_in_order(lab: CloudDouble) -> None:
    before = lab.ask("instances")["rev"]
    pool = create(lab, wanted("minimum", low=2))
    nodes = running(lab, pool, 2)
    assert Counter(n["spot_strategy"] for n in nodes) == {"NoSpot": 1, "SpotAsPriceGo": 1}
    node = nodes[0]
    assert (node["gpu_count"], node["labels"], node["tags"]) == (
        1,
        {"inference": "tensorflow"},
        {"app": "inference"},
    )
    assert node["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert node["running_since"] >= node["created"] and lab.ask("instances")["rev"] >= before + 6
    status = clients.roa(lab, "GET", f"{BASE}/{pool}")["status"]
    assert (status["state"], status["total_nodes"], status["serving_nodes"]) == ("active", 2, 2)
    assert {n["private_ip"].rsplit(".", 2)[0] for n in nodes} <= {"10.0"} and len(
        {n["private_ip"] for n in nodes}
    ) == 2
    delete(lab, pool)
    assert lab.instances(pool) == []


def test_a_read_pool_shows_what_was_asked_and_no_size_of_its_own(lab: CloudDouble) -> None:
    body = wanted("echo", login_password="Secret-123")
    pool = create(lab, body)
    read = clients.roa(lab, "GET", f"{BASE}/{pool}")
    assert (
        read["auto_scaling"] == body["auto_scaling"]
        and read["kubernetes_config"] == body["kubernetes_config"]
    )
    group = {k: v for k, v in read["scaling_group"].items() if k != "scaling_group_id"}
    assert group == {k: v for k, v in body["scaling_group"].items() if k != "login_password"}
    assert read["nodepool_info"]["name"] == "echo" and "desired_size" not in read["scaling_group"]
    delete(lab, pool)


def test_thirty_percent_rounded_up_are_pay_as_you_go_at_every_size(lab: CloudDouble) -> None:
    pool = create(lab, wanted("mix"))
    for total, delta, paid in ((1, 1, 1), (3, 2, 1), (4, 1, 2), (10, 6, 3)):
        lab.ask(f"nodepools/{pool}/scale", {"delta": delta})
        nodes = running(lab, pool, total)
        assert Counter(n["spot_strategy"] for n in nodes)["NoSpot"] == paid, total
    spot = Counter(n["instance_type"] for n in nodes if n["spot_strategy"] != "NoSpot")
    assert (
        set(spot) == {"ecs.gn7i-c8g1.2xlarge", "ecs.gn6i-c8g1.2xlarge"}
        and max(spot.values()) - min(spot.values()) <= 1
    )
    assert {n["instance_type"] for n in nodes if n["spot_strategy"] == "NoSpot"} == {
        "ecs.gn7i-c8g1.2xlarge"
    }
    zones = Counter(n["zone_id"] for n in nodes)
    assert len(zones) == 3 and max(zones.values()) - min(zones.values()) <= 1
    delete(lab, pool)


def test_scaling_beyond_the_bounds_is_refused(lab: CloudDouble) -> None:
    pool = create(lab, wanted("bounds", high=2))
    with pytest.raises(Exception, match="400"):
        lab.ask(f"nodepools/{pool}/scale", {"delta": 3})
    with pytest.raises(Exception, match="400"):
        lab.ask(f"nodepools/{pool}/scale", {"delta": -1})
    assert lab.instances(pool) == []
    delete(lab, pool)


def test_a_change_is_merged_and_a_higher_minimum_orders_instances(lab: CloudDouble) -> None:
    pool = create(lab, wanted("change"))
    body = {
        "kubernetes_config": {},
        "nodepool_info": {},
        "scaling_group": {"spot_instance_pools": 3},
    }
    limits = {
        "enable": True,
        "is_bond_eip": False,
        "max_instances": 12,
        "min_instances": 1,
        "type": "gpu",
    }
    answer = clients.roa(lab, "PUT", f"{BASE}/{pool}", {**body, "auto_scaling": limits})
    finished(lab, answer["task_id"])
    read = clients.roa(lab, "GET", f"{BASE}/{pool}")
    assert (read["auto_scaling"], read["scaling_group"]["spot_instance_pools"]) == (limits, 3)
    assert (
        read["scaling_group"]["instance_types"] == GPU
        and read["kubernetes_config"]["cms_enabled"] is True
    )
    running(lab, pool, 1)
    delete(lab, pool)


@pytest.mark.parametrize(
    "change, code",
    [
        (
            {"auto_scaling": {"enable": True, "min_instances": 5, "max_instances": 2}},
            "InvalidParameter.MinInstances",
        ),
        (
            {"scaling_group": {"on_demand_percentage_above_base_capacity": 300}},
            "InvalidParameter.OnDemandPercentage",
        ),
        ({"scaling_group": {"spot_strategy": "Bad"}}, "InvalidParameter.SpotStrategy"),
        ({"scaling_group": {"vswitch_ids": []}}, "InvalidParameter.VswitchIds"),
        (
            {"kubernetes_config": {"taints": [{"key": "a", "effect": "Nope"}]}},
            "InvalidParameter.Taints",
        ),
    ],
)
def test_what_the_plugin_lets_pass_the_service_refuses(
    lab: CloudDouble, change: dict[str, Any], code: str
) -> None:
    body = wanted("refused")
    for key, value in change.items():
        body[key] = {**body[key], **value}
    with pytest.raises(ServerException, match=code):
        clients.roa(lab, "POST", BASE, body)


def test_deleting_twice_joins_the_deletion_under_way(tmp_path: Path) -> None:
    """No time passes while nobody runs the timers, so the first deletion stays under way."""
    region = Region(tmp_path)
    try:
        with region.store.transaction():
            seed(region)
            pool = make_pool(region, CLUSTER, wanted("twice"))["nodepool_info"]["nodepool_id"]
        path = f"{BASE}/{pool}"
        request = Request("DELETE", "https", "cs.aliyuncs.com", path, path, "force=true", {})
        request.vars = {"c": CLUSTER, "n": pool}
        first, second = (delete_pool(region, request)["task_id"] for _ in range(2))
        assert first == second
        assert len(region.store.all("task")) == 1, "the second call starts no task of its own"
    finally:
        region.store.close()


def test_a_deleted_pool_is_404(lab: CloudDouble) -> None:
    pool = create(lab, wanted("gone", low=1))
    running(lab, pool, 1)
    first = clients.roa(lab, "DELETE", f"{BASE}/{pool}", force="true")["task_id"]
    finished(lab, first)
    for method in ("GET", "DELETE", "PUT"):
        with pytest.raises(ServerException, match="ErrorNodePoolNotFound") as caught:
            clients.roa(lab, method, f"{BASE}/{pool}", {} if method == "PUT" else None)
        assert caught.value.http_status == 404
    gone = [i for i in lab.ask("instances")["instances"] if i["nodepool_id"] == pool]
    assert [i["status"] for i in gone] in (["Deleted"], [])


def test_the_long_poll_answers_at_once_after_a_change_and_waits_without_one(
    lab: CloudDouble,
) -> None:
    pool = create(lab, wanted("poll"))
    rev = lab.ask("instances")["rev"]
    assert lab.ask(f"instances?since={rev}&wait=0.3")["rev"] == rev
    lab.ask(f"nodepools/{pool}/scale", {"delta": 1})
    states = []
    while not states or states[-1] != "Running":
        answer = lab.ask(f"instances?since={rev}&wait=10")
        assert answer["rev"] > rev
        rev = answer["rev"]
        states += [i["status"] for i in answer["instances"] if i["nodepool_id"] == pool]
    assert sorted(set(states), key=states.index) in (
        ["Pending", "Starting", "Running"],
        ["Pending", "Running"],
        ["Starting", "Running"],
        ["Running"],
    )
    delete(lab, pool)


def test_scaling_services_see_the_pool_and_release_its_instances(lab: CloudDouble) -> None:
    pool = create(lab, wanted("ess"))
    group = clients.roa(lab, "GET", f"{BASE}/{pool}")["scaling_group"]["scaling_group_id"]
    ask = {
        "ScalingGroupId": group,
        "AdjustmentType": "QuantityChangeInCapacity",
        "AdjustmentValue": 2,
    }
    activity = clients.rpc(lab, *ESS, "ScaleWithAdjustment", **ask)["ScalingActivityId"]
    nodes = running(lab, pool, 2)
    listed = clients.rpc(lab, *ESS, "DescribeScalingInstances", ScalingGroupId=group)[
        "ScalingInstances"
    ]["ScalingInstance"]
    assert {i["InstanceId"] for i in listed} == {n["instance_id"] for n in nodes} and {
        i["LifecycleState"] for i in listed
    } == {"InService"}
    done = clients.rpc(lab, *ESS, "DescribeScalingActivities", ScalingGroupId=group)[
        "ScalingActivities"
    ]["ScalingActivity"]
    assert [(a["ScalingActivityId"], a["StatusCode"]) for a in done] == [(activity, "Successful")]
    ecs = clients.rpc(
        lab,
        "ecs.cn-shanghai.aliyuncs.com",
        "2014-05-26",
        "DescribeInstances",
        InstanceIds=f'["{nodes[0]["instance_id"]}"]',
    )
    row = ecs["Instances"]["Instance"][0]
    assert (row["Status"], row["SpotStrategy"], row["GPUAmount"], row["OperationLocks"]) == (
        "Running",
        nodes[0]["spot_strategy"],
        1,
        {"LockReason": []},
    )
    clients.rpc(
        lab,
        *ESS,
        "RemoveInstances",
        **{"ScalingGroupId": group, "InstanceId.1": nodes[0]["instance_id"]},
    )
    assert [n["instance_id"] for n in running(lab, pool, 1)] == [nodes[1]["instance_id"]]
    delete(lab, pool)


def test_a_reclaim_gives_notice_orders_a_replacement_and_releases_in_the_end(
    lab: CloudDouble,
) -> None:
    pool = create(
        lab,
        wanted("reclaim", spot_instance_remedy=True, on_demand_percentage_above_base_capacity=0),
    )
    lab.ask(f"nodepools/{pool}/scale", {"delta": 1})
    spot = running(lab, pool, 1)[0]["instance_id"]
    assert lab.ask(f"instances/{spot}/reclaim", {})["lock_reason"] == "Recycling"
    row = clients.rpc(
        lab,
        "ecs.cn-shanghai.aliyuncs.com",
        "2014-05-26",
        "DescribeInstances",
        InstanceIds=f'["{spot}"]',
    )["Instances"]["Instance"][0]
    assert (
        row["OperationLocks"] == {"LockReason": [{"LockReason": "Recycling"}]}
        and row["Status"] == "Running"
    )
    running(lab, pool, 2)
    wait_for(lambda: spot not in [i["instance_id"] for i in lab.instances(pool)])
    delete(lab, pool)


def test_the_node_autoscaler_sees_bounds_labels_taints_and_sizes(lab: CloudDouble) -> None:
    pool = create(lab, wanted("row", low=0, high=7))
    row = next(p for p in lab.ask("nodepools")["nodepools"] if p["id"] == pool)
    assert (row["min"], row["max"], row["desired"], row["labels"]) == (
        0,
        7,
        0,
        {"inference": "tensorflow"},
    )
    assert (
        row["taints"][0]["key"] == "nvidia.com/gpu" and row["instance_types"][0]["gpu_count"] == 1
    )
    system = next(p for p in lab.ask("nodepools")["nodepools"] if p["name"] == "default-nodepool")
    assert system["auto_scaling"] is False and system["desired"] == 1
    delete(lab, pool)
