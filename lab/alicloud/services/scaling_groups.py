"""Auto Scaling: groups that belong to no node pool, as ACK or somebody by hand may leave them
behind.
"""

from __future__ import annotations

from typing import Any

from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import long_tags
from lab.alicloud.services.vpc import new_id
from lab.alicloud.state import Region


def group_tags(pool: dict[str, Any]) -> dict[str, str]:
    """Tags of the group behind a node pool: the pool's own, and the cluster's mark."""
    given = pool["scaling_group"].get("tags") or []
    own = {
        row.get("Key", row.get("key", "")): row.get("Value", row.get("value", "")) for row in given
    }
    return {**own, "ack.aliyun.com": pool["cluster_id"]}


def alone(region: Region) -> list[dict[str, Any]]:
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
def create(region: Region, request: Request) -> dict[str, Any]:
    """An empty group."""
    identity = new_id("asg-")
    sizes = {name: int(request.params.get(name) or 0) for name in ("MinSize", "MaxSize")}
    name = request.params.get("ScalingGroupName", "")
    region.store.put(
        "scaling_group", identity, {"ScalingGroupId": identity, "ScalingGroupName": name, **sizes}
    )
    numbers = [
        key.split(".")[1]
        for key in request.params
        if key.startswith("Tag.") and key.endswith(".Key")
    ]
    region.store.put(
        "tags",
        identity,
        {request.params[f"Tag.{n}.Key"]: request.params.get(f"Tag.{n}.Value", "") for n in numbers},
    )
    return {"ScalingGroupId": identity}


@rpc("ess", "DeleteScalingGroup")
def delete(region: Region, request: Request) -> dict[str, Any]:
    """Remove a group that belongs to no node pool."""
    identity = request.need("ScalingGroupId")
    if not region.store.delete("scaling_group", identity):
        raise ApiError(
            404, "InvalidScalingGroupId.NotFound", f"The scaling group {identity!r} does not exist."
        )
    region.store.delete("tags", identity)
    return {}
