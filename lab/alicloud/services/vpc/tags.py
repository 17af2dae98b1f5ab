"""VPC: tags of networks, vSwitches, public addresses and NAT gateways."""

from __future__ import annotations

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import (
    store_tags,
    tag_rows,
)
from lab.alicloud.state import Region


@rpc("vpc", "TagResources")
def tag_resources(region: Region, request: Request) -> Answer:
    """Add tags to the named resources."""
    for name, value in request.params.items():
        if name.startswith("ResourceId."):
            store_tags(region, value, request)
    return {}


@rpc("vpc", "UnTagResources")
def untag_resources(region: Region, request: Request) -> Answer:
    """Remove tags by key."""
    keys = [v for k, v in request.params.items() if k.startswith("TagKey.")]
    for name, value in request.params.items():
        if name.startswith("ResourceId."):
            held = region.store.get("tags", value) or {}
            region.store.put("tags", value, {k: v for k, v in held.items() if k not in keys})
    return {}


@rpc("vpc", "ListTagResources")
def list_tag_resources(region: Region, request: Request) -> Answer:
    """Tags of the named resources."""
    rows = []
    for name, value in request.params.items():
        if name.startswith("ResourceId."):
            kind = request.params.get("ResourceType", "")
            rows += [
                {
                    "ResourceType": kind,
                    "ResourceId": value,
                    "TagKey": t["Key"],
                    "TagValue": t["Value"],
                }
                for t in tag_rows(region, value)
            ]
    return {"TagResources": {"TagResource": rows}}
