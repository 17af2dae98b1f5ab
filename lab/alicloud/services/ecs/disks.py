"""ECS: disks. An instance's system disk is shown with it, and goes with it."""

from __future__ import annotations

from lab.alicloud.clock import iso_minutes
from lab.alicloud.documents import Instance, all_instances
from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import page
from lab.alicloud.services.tagging import (
    carries,
    long_tags,
    store_tags,
    wanted_tags,
)
from lab.alicloud.state import Region
from lab.alicloud.store import Document


@rpc("ecs", "CreateDisk")
def create(region: Region, request: Request) -> Answer:
    """A disk that no instance has."""
    identity = new_id("d-uf6", 17)
    row = {
        "DiskId": identity,
        "DiskName": request.params.get("DiskName", ""),
        "Size": int(request.params.get("Size") or 20),
    }
    row |= {
        "ZoneId": request.params.get("ZoneId", ""),
        "Category": request.params.get("DiskCategory") or "cloud_essd",
    }
    region.store.put("disk", identity, {**row, "created": region.clock.now()})
    store_tags(region, identity, request)
    return {"DiskId": identity}


@rpc("ecs", "DescribeDisks")
def describe(region: Region, request: Request) -> Answer:
    """Disks by status or tags, in pages: those that stand alone, and the system disks of
    instances.
    """
    wanted, status = wanted_tags(request), request.params.get("Status")
    rows = [
        {
            **_row(region, one),
            "Status": "Available",
            "InstanceId": "",
            "Type": "data",
            "Tags": long_tags(region, one["DiskId"]),
        }
        for one in region.store.all("disk")
        if carries(region, one["DiskId"], wanted)
    ]
    for instance in all_instances(region):
        tags = {
            **instance["tags"],
            **({"ack.aliyun.com": instance["cluster_id"]} if instance["cluster_id"] else {}),
        }
        if instance["status"] != "Deleted" and all(
            key in tags and value in (None, "", tags[key]) for key, value in wanted.items()
        ):
            rows.append(_system_disk(region, instance, tags))
    shown, numbers = page(
        request, [row for row in rows if status in (None, "", "All", row["Status"])]
    )
    return {"Disks": {"Disk": shown}, **numbers, "NextToken": ""}


def _row(region: Region, disk: Document) -> Answer:
    shown = {key: disk[key] for key in ("DiskId", "DiskName", "Size", "ZoneId", "Category")}
    return {
        **shown,
        "RegionId": region.name,
        "DeleteWithInstance": False,
        "CreationTime": iso_minutes(disk["created"]),
    }


def _system_disk(region: Region, instance: Instance, tags: dict[str, str]) -> Answer:
    disk = {
        "DiskId": f"d-{instance['instance_id'][2:]}",
        "DiskName": "",
        "Size": 120,
        "ZoneId": instance["zone_id"],
        "Category": "cloud_essd",
    }
    row = _row(region, {**disk, "created": instance["created"]})
    shown = {"Tag": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}
    return {
        **row,
        "Status": "In_use",
        "InstanceId": instance["instance_id"],
        "Type": "system",
        "DeleteWithInstance": True,
        "Tags": shown,
    }


@rpc("ecs", "DeleteDisk")
def delete(region: Region, request: Request) -> Answer:
    """Release a disk that no instance has."""
    identity = request.need("DiskId")
    if not region.store.delete("disk", identity):
        raise ApiError(404, "InvalidDiskId.NotFound", "The specified disk does not exist.")
    region.store.delete("tags", identity)
    return {}
