"""ECS: instances, instance types, zones, stock and security groups."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.alicloud.catalog import TYPES, InstanceType, sold
from lab.alicloud.clock import iso_minutes
from lab.alicloud.instances import living, release
from lab.alicloud.market import in_stock
from lab.alicloud.places import REGIONS, region_of, zones
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import carries, wanted_tags
from lab.alicloud.services.vpc import store_tags, tag_rows
from lab.alicloud.state import Region


def instance_row(instance: dict[str, Any]) -> dict[str, Any]:
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


def _ids(request: Request, name: str) -> list[str] | None:
    text = request.params.get(name)
    if text:
        return json.loads(text) if text.startswith("[") else text.split(",")
    listed = [
        v for k, v in request.params.items() if re.fullmatch(name.removesuffix("s") + r"s?\.\d+", k)
    ]
    return listed or None


@rpc("ecs", "DescribeInstances")
def describe_instances(region: Region, request: Request) -> dict[str, Any]:
    """Instances that exist, by id, status, zone, type or vSwitch, in pages."""
    ids, params = _ids(request, "InstanceIds"), request.params
    rows = [
        instance_row(i)
        for i in region.store.all("instance")
        if i["status"] != "Deleted" and (ids is None or i["instance_id"] in ids)
    ]
    for parameter in ("Status", "ZoneId", "InstanceType"):
        rows = [r for r in rows if params.get(parameter) in (None, "", r[parameter])]
    addresses = _ids(request, "PrivateIpAddresses")
    rows = [
        r
        for r in rows
        if addresses is None or r["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0] in addresses
    ]
    rows = [
        r for r in rows if params.get("VSwitchId") in (None, "", r["VpcAttributes"]["VSwitchId"])
    ]
    wanted = {
        params[k]: params.get(k.replace("Key", "Value"))
        for k in params
        if re.fullmatch(r"Tag\.\d+\.Key", k)
    }
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
def delete_instances(region: Region, request: Request) -> dict[str, Any]:
    """Release instances."""
    names = [v for k, v in request.params.items() if re.fullmatch(r"InstanceId(\.\d+)?", k)]
    for name in names:
        if release(region, name) is None:
            raise ApiError(
                404,
                "InvalidInstanceId.NotFound",
                f"The specified InstanceId does not exist: {name}.",
            )
    return {}


@rpc("ecs", "DescribeRegions")
def describe_regions(region: Region, request: Request) -> dict[str, Any]:
    """All regions, the same wherever it is asked."""
    rows = [
        {
            "RegionId": name,
            "LocalName": local,
            "RegionEndpoint": f"ecs.{name}.aliyuncs.com",
            "Status": "available",
        }
        for name, local in REGIONS.items()
    ]
    return {"Regions": {"Region": rows}}


@rpc("ecs", "DescribeZones")
def describe_zones(region: Region, request: Request) -> dict[str, Any]:
    """The zones and what they sell."""
    disks = {"DiskCategories": ["cloud_essd", "cloud_efficiency", "cloud_auto"]}
    rows = [
        {
            "ZoneId": zone,
            "LocalName": zone,
            "ZoneType": "AvailabilityZone",
            "AvailableInstanceTypes": {"InstanceTypes": list(sold(region.name))},
            "AvailableDiskCategories": disks,
            "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "Instance", "Disk"]},
            "AvailableDedicatedHostTypes": {"DedicatedHostType": []},
            "AvailableVolumeCategories": {"VolumeCategories": []},
        }
        for zone in zones(region.name)
    ]
    return {"Zones": {"Zone": rows}}


@rpc("ecs", "DescribeAvailableResource")
def available_resource(region: Region, request: Request) -> dict[str, Any]:
    """Types in stock by zone; the scenario's stock decides."""
    everyone = living(region)
    spot = request.params.get("SpotStrategy", "NoSpot") not in ("", "NoSpot")
    found = []
    for zone in zones(region.name):
        if request.params.get("ZoneId") not in (None, "", zone):
            continue
        rows = []
        for name in sold(region.name):
            if request.params.get("InstanceType") in (None, "", name):
                there = in_stock(region, name, zone, spot, everyone)
                status = {
                    "Status": "Available" if there else "SoldOut",
                    "StatusCategory": "WithStock" if there else "WithoutStock",
                }
                rows.append({"Value": name, **status})
        resources = {
            "AvailableResource": [
                {"Type": "InstanceType", "SupportedResources": {"SupportedResource": rows}}
            ]
        }
        found.append(
            {
                "ZoneId": zone,
                "RegionId": region.name,
                "Status": "Available",
                "StatusCategory": "WithStock",
                "AvailableResources": resources,
            }
        )
    return {"AvailableZones": {"AvailableZone": found}}


def _type_row(kind: InstanceType) -> dict[str, Any]:
    return {
        "InstanceTypeId": kind.name,
        "InstanceTypeFamily": kind.family,
        "CpuCoreCount": kind.cpu,
        "MemorySize": kind.memory_mib / 1024,
        "GPUAmount": kind.gpu_count,
        "GPUSpec": kind.gpu_model,
        "GPUMemorySize": kind.gpu_memory_mib / 1024,
        "CpuArchitecture": "X86",
        "EniQuantity": 4,
        "EniPrivateIpAddressQuantity": 10,
        "LocalStorageCategory": "",
        "InstanceFamilyLevel": "EnterpriseLevel",
    }


@rpc("ecs", "DescribeInstanceTypes")
def describe_types(region: Region, request: Request) -> dict[str, Any]:
    """The types on sale, by name, family or size."""
    names = [v for k, v in request.params.items() if k.startswith("InstanceTypes.")]
    rows = [_type_row(t) for t in TYPES.values() if not names or t.name in names]
    rows = [
        r
        for r in rows
        if request.params.get("InstanceTypeFamily") in (None, "", r["InstanceTypeFamily"])
    ]
    for parameter, field in (
        ("MinimumCpuCoreCount", "CpuCoreCount"),
        ("MinimumMemorySize", "MemorySize"),
        ("MinimumGPUAmount", "GPUAmount"),
    ):
        if request.params.get(parameter):
            rows = [r for r in rows if r[field] >= float(request.params[parameter])]
    return {"InstanceTypes": {"InstanceType": rows}, "NextToken": ""}


@rpc("ecs", "CreateSecurityGroup")
def create_group(region: Region, request: Request) -> dict[str, Any]:
    """A new security group."""
    from lab.alicloud.services.vpc import new_id

    group = make_group(
        region,
        new_id("sg-"),
        request.params.get("SecurityGroupName", ""),
        request.params.get("VpcId", ""),
    )
    group.update(
        Description=request.params.get("Description", ""),
        SecurityGroupType=request.params.get("SecurityGroupType") or "normal",
    )
    region.store.put("security_group", group["SecurityGroupId"], group)
    store_tags(region, group["SecurityGroupId"], request)
    return {"SecurityGroupId": group["SecurityGroupId"]}


def make_group(region: Region, group_id: str, name: str, vpc_id: str) -> dict[str, Any]:
    """A security group."""
    group = {
        "SecurityGroupId": group_id,
        "SecurityGroupName": name,
        "VpcId": vpc_id,
        "Description": "",
        "SecurityGroupType": "normal",
        "InnerAccessPolicy": "Accept",
        "ResourceGroupId": "rg-1",
    }
    region.store.put("security_group", group_id, group)
    return group


@rpc("ecs", "DescribeSecurityGroups")
def describe_groups(region: Region, request: Request) -> dict[str, Any]:
    """Security groups by id, name, network or tags."""
    wanted = wanted_tags(request)
    ids, rows = _ids(request, "SecurityGroupIds"), []
    for group in region.store.all("security_group"):
        named = all(
            request.params.get(p) in (None, "", group[p])
            for p in ("SecurityGroupId", "SecurityGroupName", "VpcId")
        )
        if (
            named
            and (ids is None or group["SecurityGroupId"] in ids)
            and carries(region, group["SecurityGroupId"], wanted)
        ):
            rows.append(
                {
                    **{k: v for k, v in group.items() if k != "InnerAccessPolicy"},
                    "Tags": {
                        "Tag": [
                            {"TagKey": t["Key"], "TagValue": t["Value"]}
                            for t in tag_rows(region, group["SecurityGroupId"])
                        ]
                    },
                }
            )
    return {
        "SecurityGroups": {"SecurityGroup": rows},
        "TotalCount": len(rows),
        "PageNumber": 1,
        "PageSize": 50,
        "NextToken": "",
    }


def _group(region: Region, request: Request) -> dict[str, Any]:
    group = region.store.get("security_group", request.need("SecurityGroupId"))
    if group is None:
        raise ApiError(
            404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist."
        )
    return group


@rpc("ecs", "DescribeSecurityGroupAttribute")
def describe_group(region: Region, request: Request) -> dict[str, Any]:
    """One security group with its rules (the lab has none)."""
    shown = {
        k: v
        for k, v in _group(region, request).items()
        if k not in ("ResourceGroupId", "SecurityGroupType")
    }
    return {**shown, "RegionId": region.name, "Permissions": {"Permission": []}}


@rpc("ecs", "ModifySecurityGroupPolicy")
def modify_group_policy(region: Region, request: Request) -> dict[str, Any]:
    """Whether members reach each other."""
    group = {
        **_group(region, request),
        "InnerAccessPolicy": request.need("InnerAccessPolicy").title(),
    }
    region.store.put("security_group", group["SecurityGroupId"], group)
    return {}


@rpc("ecs", "DeleteSecurityGroup")
def delete_group(region: Region, request: Request) -> dict[str, Any]:
    """Remove a security group no cluster uses."""
    group_id = _group(region, request)["SecurityGroupId"]
    if any(c["security_group_id"] == group_id for c in region.store.all("cluster")):
        raise ApiError(
            403,
            "DependencyViolation",
            "There is still instance(s) in the specified security group.",
        )
    region.store.delete("security_group", group_id)
    region.store.delete("tags", group_id)
    return {}
