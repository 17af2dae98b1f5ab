"""ECS: regions, zones, instance types, and what of them is in stock."""

from __future__ import annotations

from lab.alicloud.catalog import TYPES, InstanceType, sold
from lab.alicloud.instances import living
from lab.alicloud.market import in_stock
from lab.alicloud.protocol import Answer, Request
from lab.alicloud.regions import REGIONS, zones
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region


@rpc("ecs", "DescribeRegions")
def describe_regions(region: Region, request: Request) -> Answer:
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
def describe_zones(region: Region, request: Request) -> Answer:
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
def available_resource(region: Region, request: Request) -> Answer:
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


def _type_row(kind: InstanceType) -> Answer:
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
def describe_types(region: Region, request: Request) -> Answer:
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
