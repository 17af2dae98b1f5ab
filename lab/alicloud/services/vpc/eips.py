"""VPC: public addresses. The lab is sealed: they lead nowhere, but they can be ordered, found and
released.
"""

from __future__ import annotations

from lab.alicloud.clock import iso
from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import page
from lab.alicloud.services.tagging import carries, store_tags, tag_rows, wanted_tags
from lab.alicloud.state import Region


@rpc("vpc", "AllocateEipAddress")
def allocate(region: Region, request: Request) -> Answer:
    """Allocate a public address, which leads nowhere."""
    identity, number = new_id("eip-"), region.store.count("eip")
    address = f"203.0.113.{number % 250 + 1}"  # of the block kept for examples
    row = {
        "AllocationId": identity,
        "IpAddress": address,
        "Name": request.params.get("Name", ""),
        "created": iso(region.clock.now()),
    }
    region.store.put("eip", identity, row)
    store_tags(region, identity, request)
    return {"AllocationId": identity, "EipAddress": address, "ResourceGroupId": "rg-1"}


@rpc("vpc", "DescribeEipAddresses")
def describe(region: Region, request: Request) -> Answer:
    """Public addresses by id or tags, in pages."""
    wanted, single = wanted_tags(request), request.params.get("AllocationId")
    rows = [
        {
            "AllocationId": one["AllocationId"],
            "IpAddress": one["IpAddress"],
            "Name": one["Name"],
            "Status": "Available",
            "InstanceId": "",
            "InstanceType": "",
            "RegionId": region.name,
            "AllocationTime": one["created"],
            "Tags": {"Tag": tag_rows(region, one["AllocationId"])},
        }
        for one in region.store.all("eip")
        if single in (None, "", one["AllocationId"])
        and carries(region, one["AllocationId"], wanted)
    ]
    shown, numbers = page(request, rows)
    return {"EipAddresses": {"EipAddress": shown}, **numbers}


@rpc("vpc", "ReleaseEipAddress")
def release(region: Region, request: Request) -> Answer:
    """Give a public address back."""
    identity = request.need("AllocationId")
    if not region.store.delete("eip", identity):
        raise ApiError(404, "InvalidAllocationId.NotFound", "Specified allocation ID is not found.")
    region.store.delete("tags", identity)
    return {}
