"""ECS: instances, those of node pools and those that somebody orders alone."""

from __future__ import annotations

import re

from lab.alicloud.catalog import TYPES, sold
from lab.alicloud.clock import iso_minutes
from lab.alicloud.documents import Instance, all_instances
from lab.alicloud.instances import create_instance, release
from lab.alicloud.market import NO_SPOT
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.regions import region_of
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import requested_ids
from lab.alicloud.services.tagging import request_tags, wanted_tags
from lab.alicloud.services.vpc.vswitches import vswitch_of, wanted_address
from lab.alicloud.state import Region


def instance_row(instance: Instance) -> Answer:
    """An instance as DescribeInstances shows it."""
    locks = [{"LockReason": instance["lock_reason"]}] if instance["lock_reason"] else []
    tags = [{"TagKey": k, "TagValue": v} for k, v in instance["tags"].items()]
    marks = {
        "ack.aliyun.com": instance["cluster_id"],
        "acs:autoscaling:scalingGroupId": instance["scaling_group_id"],
    }
    tags += [{"TagKey": key, "TagValue": value} for key, value in marks.items() if value]
    address = {"IpAddress": [instance["private_ip"]]}
    return {
        "InstanceId": instance["instance_id"],
        "InstanceName": instance["nodepool_name"],
        "HostName": instance["instance_id"],
        "Status": instance["status"],
        "RegionId": region_of(instance["zone_id"]),
        "ZoneId": instance["zone_id"],
        "InstanceType": instance["instance_type"],
        "InstanceTypeFamily": TYPES[instance["instance_type"]].family,
        "Cpu": instance["cpu"],
        "Memory": instance["memory_mib"],
        "GPUAmount": instance["gpu_count"],
        "GPUSpec": instance["gpu_model"],
        "InstanceChargeType": instance["instance_charge_type"],
        "SpotStrategy": instance["spot_strategy"],
        "SpotPriceLimit": 0.0,
        "SpotDuration": 1,
        "CreationTime": iso_minutes(instance["created"]),
        "StartTime": iso_minutes(instance["running_since"] or instance["created"]),
        "ExpiredTime": "2099-12-31T15:59Z",
        "OperationLocks": {"LockReason": locks},
        "Tags": {"Tag": tags},
        "InnerIpAddress": {"IpAddress": []},
        "PublicIpAddress": {"IpAddress": []},
        "InstanceNetworkType": "vpc",
        "ImageId": "aliyun_3_x64_20G_container_optimized",
        "DeletionProtection": False,
        "VpcAttributes": {
            "VpcId": "",
            "VSwitchId": instance["vswitch_id"],
            "PrivateIpAddress": address,
            "NatIpAddress": "",
        },
        "SecurityGroupIds": {"SecurityGroupId": ["sg-1"]},
    }


@rpc("ecs", "DescribeInstances")
def describe_instances(region: Region, request: Request) -> Answer:
    """Instances that exist, by id, status, zone, type or vSwitch, in pages."""
    ids, params = requested_ids(request, "InstanceIds"), request.params
    rows = [
        instance_row(i)
        for i in all_instances(region)
        if i["status"] != "Deleted" and (ids is None or i["instance_id"] in ids)
    ]
    for parameter in ("Status", "ZoneId", "InstanceType"):
        rows = [r for r in rows if params.get(parameter) in (None, "", r[parameter])]
    addresses = requested_ids(request, "PrivateIpAddresses")
    rows = [
        r
        for r in rows
        if addresses is None or r["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0] in addresses
    ]
    rows = [
        r for r in rows if params.get("VSwitchId") in (None, "", r["VpcAttributes"]["VSwitchId"])
    ]
    wanted = wanted_tags(request)
    rows = [
        r
        for r in rows
        if all(
            any(t["TagKey"] == k and v in (None, t["TagValue"]) for t in r["Tags"]["Tag"])
            for k, v in wanted.items()
        )
    ]
    number, size = (
        int(params.get("PageNumber") or 1),
        int(params.get("MaxResults") or params.get("PageSize") or 10),
    )
    page = rows[(number - 1) * size : number * size]
    return {
        "Instances": {"Instance": page},
        "TotalCount": len(rows),
        "PageNumber": number,
        "PageSize": size,
        "NextToken": "",
    }


@rpc("ecs", "DeleteInstance")
@rpc("ecs", "DeleteInstances")
def delete_instances(region: Region, request: Request) -> Answer:
    """Release instances by their ids."""
    names = [v for k, v in request.params.items() if re.fullmatch(r"InstanceId(\.\d+)?", k)]
    for name in names:
        if release(region, name) is None:
            raise ApiError(
                404,
                "InvalidInstanceId.NotFound",
                f"The specified InstanceId does not exist: {name}.",
            )
    return {}


@rpc("ecs", "RunInstances")
def run_instances(region: Region, request: Request) -> Answer:
    """Pay-as-you-go instances of no node pool and no cluster: no node comes of them. With an
    address of its own there is but one.
    """
    kind = request.need("InstanceType")
    if kind not in TYPES:
        raise ApiError(
            400,
            "InvalidInstanceType.ValueNotSupported",
            f"The specified InstanceType {kind} does not exist.",
        )
    tags = [{"key": key, "value": value} for key, value in request_tags(request).items()]
    alone = {"nodepool_id": "", "name": request.params.get("InstanceName", "")}
    pool = {
        "cluster_id": "",
        "nodepool_info": alone,
        "scaling_group": {"scaling_group_id": "", "tags": tags},
    }
    address, amount = request.params.get("PrivateIpAddress", ""), _amount(request)
    if address and not request.params.get("VSwitchId"):
        raise ApiError(
            400, "MissingParameter", "VSwitchId is mandatory when PrivateIpAddress is specified."
        )
    vswitch = vswitch_of(region, request.need("VSwitchId"))
    if kind not in sold(region.name):
        raise ApiError(
            403, "InvalidResourceType.NotSupported", f"{vswitch['ZoneId']} does not sell {kind}."
        )
    if address and amount > 1:
        raise ApiError(
            400,
            "InvalidParameter.Amount",
            f"Amount {amount} does not go with PrivateIpAddress: an address is one instance's.",
        )
    address = wanted_address(region, vswitch, address) if address else ""
    made = [create_instance(region, pool, kind, vswitch, NO_SPOT, address) for _ in range(amount)]
    return {"InstanceIdSets": {"InstanceIdSet": [one["instance_id"] for one in made]}}


def _amount(request: Request) -> int:
    text = request.params.get("Amount") or "1"
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise ApiError(400, "InvalidParameter.Amount", f"Amount {text!r}: expected 1 to 100.")
    return int(text)
