"""Auto Scaling: the groups behind node pools, their instances and activities."""

from __future__ import annotations

import re
from typing import Any

from lab.alicloud.clock import iso_minutes
from lab.alicloud.documents import all_instances
from lab.alicloud.elastic import scale
from lab.alicloud.ids import new_id
from lab.alicloud.instances import living, release
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import page
from lab.alicloud.services.tagging import long_tags, store_tags
from lab.alicloud.state import Region
from lab.alicloud.store import Document


def _listed(request: Request, name: str) -> list[str]:
    return [v for k, v in request.params.items() if re.fullmatch(rf"{name}s?(\.\d+)?", k) and v]


def _page(request: Request, rows: list[Any], wrapper: str, name: str) -> Answer:
    shown, numbers = page(request, rows)
    return {wrapper: {name: shown}, **numbers}


def _pool(region: Region, request: Request) -> Document:
    wanted = request.need("ScalingGroupId")
    for pool in region.store.all("nodepool"):
        if pool["scaling_group"]["scaling_group_id"] == wanted:
            return pool
    raise ApiError(
        404, "InvalidScalingGroupId.NotFound", f"The scaling group {wanted!r} does not exist."
    )


def group_row(region: Region, pool: Document) -> Answer:
    """A node pool as scaling group."""
    group, limits = pool["scaling_group"], pool.get("auto_scaling") or {}
    instances = living(region, pool["nodepool_info"]["nodepool_id"])
    running = sum(i["status"] == "Running" for i in instances)
    return {
        "ScalingGroupId": group["scaling_group_id"],
        "ScalingGroupName": f"{pool['cluster_id']}-{pool['nodepool_info']['name']}",
        "RegionId": region.name,
        "MinSize": limits.get("min_instances", 0),
        "MaxSize": limits.get("max_instances", 1000),
        "DesiredCapacity": len(instances),
        "TotalCapacity": len(instances),
        "ActiveCapacity": running,
        "PendingCapacity": len(instances) - running,
        "LifecycleState": "Active",
        "MultiAZPolicy": group.get("multi_az_policy") or "PRIORITY",
        "OnDemandBaseCapacity": group.get("on_demand_base_capacity"),
        "OnDemandPercentageAboveBaseCapacity": group.get(
            "on_demand_percentage_above_base_capacity"
        ),
        "CompensateWithOnDemand": bool(group.get("compensate_with_on_demand")),
        "SpotInstanceRemedy": bool(group.get("spot_instance_remedy")),
        "SpotInstancePools": group.get("spot_instance_pools"),
        "VSwitchIds": {"VSwitchId": group.get("vswitch_ids") or []},
        "ScalingPolicy": group.get("scaling_policy") or "release",
        "Tags": {
            "Tag": [{"TagKey": key, "TagValue": value} for key, value in group_tags(pool).items()]
        },
    }


@rpc("ess", "DescribeScalingGroups")
def describe_groups(region: Region, request: Request) -> Answer:
    """The groups of all node pools and those of none, or the named ones."""
    wanted = _listed(request, "ScalingGroupId")
    rows = [*(group_row(region, pool) for pool in region.store.all("nodepool")), *alone(region)]
    found = [row for row in rows if not wanted or row["ScalingGroupId"] in wanted]
    return _page(request, found, "ScalingGroups", "ScalingGroup")


@rpc("ess", "DescribeScalingInstances")
def describe_instances(region: Region, request: Request) -> Answer:
    """Instances of a group, with how they are paid."""
    wanted, ids = request.params.get("ScalingGroupId"), _listed(request, "InstanceId")
    rows = []
    for instance in all_instances(region):
        if (
            instance["status"] == "Deleted"
            or wanted not in (None, "", instance["scaling_group_id"])
            or (ids and instance["instance_id"] not in ids)
        ):
            continue
        state = {"Running": "InService", "Stopping": "Removing"}.get(instance["status"], "Pending")
        rows.append(
            {
                "InstanceId": instance["instance_id"],
                "ScalingGroupId": instance["scaling_group_id"],
                "LifecycleState": state,
                "HealthStatus": "Healthy",
                "CreationType": "AutoCreated",
                "CreationTime": iso_minutes(instance["created"]),
                "ZoneId": instance["zone_id"],
                "PrivateIpAddress": instance["private_ip"],
                "SpotStrategy": instance["spot_strategy"],
            }
        )
    return _page(request, rows, "ScalingInstances", "ScalingInstance")


@rpc("ess", "DescribeScalingActivities")
def describe_activities(region: Region, request: Request) -> Answer:
    """What a group did and why it failed, newest first."""
    wanted, ids = request.params.get("ScalingGroupId"), _listed(request, "ScalingActivityId")
    rows = []
    for activity in reversed(region.store.all("activity")):
        if wanted not in (None, "", activity["ScalingGroupId"]) or (
            ids and activity["ScalingActivityId"] not in ids
        ):
            continue
        done = activity["StatusCode"] != "InProgress"
        shown = {k: v for k, v in activity.items() if k[0].isupper()}
        rows.append(
            {
                **shown,
                "Progress": 100 if done else 0,
                "Description": f"{activity['delta']:+d} instances",
                "ScalingInstanceNumber": abs(activity["delta"]),
            }
        )
    return _page(request, rows, "ScalingActivities", "ScalingActivity")


@rpc("ess", "ScaleWithAdjustment")
def scale_with_adjustment(region: Region, request: Request) -> Answer:
    """Order more instances, or fewer, or an exact number."""
    pool, kind = _pool(region, request), request.need("AdjustmentType")
    value, current = (
        int(request.need("AdjustmentValue")),
        len(living(region, _pool_id(region, request))),
    )
    if kind == "QuantityChangeInCapacity":
        delta = value
    elif kind == "TotalCapacity":
        delta = value - current
    else:
        raise ApiError(
            400,
            "InvalidParameter",
            f"AdjustmentType {kind} is not supported by the lab: use QuantityChangeInCapacity or TotalCapacity",
        )
    return {
        "ScalingActivityId": scale(region, pool, delta, "ScaleWithAdjustment")["ScalingActivityId"]
    }


def _pool_id(region: Region, request: Request) -> str:
    return _pool(region, request)["nodepool_info"]["nodepool_id"]


@rpc("ess", "ModifyScalingGroup")
def modify_group(region: Region, request: Request) -> Answer:
    """Set a scaling group's minimum and maximum size."""
    pool = _pool(region, request)
    limits = pool.setdefault("auto_scaling", {"enable": True})
    for parameter, field in (("MinSize", "min_instances"), ("MaxSize", "max_instances")):
        if request.params.get(parameter):
            limits[field] = int(request.params[parameter])
    region.store.put("nodepool", pool["nodepool_info"]["nodepool_id"], pool)
    return {}


@rpc("ess", "RemoveInstances")
def remove_instances(region: Region, request: Request) -> Answer:
    """Release named instances of a group."""
    pool = _pool(region, request)
    names = set(_listed(request, "InstanceId"))
    for instance in living(region, pool["nodepool_info"]["nodepool_id"]):
        if instance["instance_id"] in names:
            release(region, instance["instance_id"])
    return {"ScalingActivityId": f"asa-{len(names)}"}


def group_tags(pool: Document) -> dict[str, str]:
    """Tags of the group behind a node pool: the pool's own, and the cluster's mark."""
    given = pool["scaling_group"].get("tags") or []
    own = {
        row.get("Key", row.get("key", "")): row.get("Value", row.get("value", "")) for row in given
    }
    return {**own, "ack.aliyun.com": pool["cluster_id"]}


def alone(region: Region) -> list[Answer]:
    """Groups without a node pool, as DescribeScalingGroups shows them."""
    empty = {
        "TotalCapacity": 0,
        "ActiveCapacity": 0,
        "PendingCapacity": 0,
        "DesiredCapacity": 0,
        "LifecycleState": "Active",
    }
    return [
        {**one, **empty, "RegionId": region.name, "Tags": long_tags(region, one["ScalingGroupId"])}
        for one in region.store.all("scaling_group")
    ]


@rpc("ess", "CreateScalingGroup")
def create_group(region: Region, request: Request) -> Answer:
    """A scaling group that belongs to no node pool, without instances."""
    identity = new_id("asg-")
    sizes = {name: int(request.params.get(name) or 0) for name in ("MinSize", "MaxSize")}
    name = request.params.get("ScalingGroupName", "")
    region.store.put(
        "scaling_group", identity, {"ScalingGroupId": identity, "ScalingGroupName": name, **sizes}
    )
    store_tags(region, identity, request)
    return {"ScalingGroupId": identity}


@rpc("ess", "DeleteScalingGroup")
def delete_group(region: Region, request: Request) -> Answer:
    """Remove a group that belongs to no node pool."""
    identity = request.need("ScalingGroupId")
    if not region.store.delete("scaling_group", identity):
        raise ApiError(
            404, "InvalidScalingGroupId.NotFound", f"The scaling group {identity!r} does not exist."
        )
    region.store.delete("tags", identity)
    return {}
