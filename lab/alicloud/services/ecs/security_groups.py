"""ECS: security groups. They have no rules here: the lab's network filters nothing."""

from __future__ import annotations

from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import requested_ids
from lab.alicloud.services.tagging import (
    carries,
    store_tags,
    tag_rows,
    wanted_tags,
)
from lab.alicloud.state import Region
from lab.alicloud.store import Document


@rpc("ecs", "CreateSecurityGroup")
def create_group(region: Region, request: Request) -> Answer:
    """A new security group."""
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


def make_group(region: Region, group_id: str, name: str, vpc_id: str) -> Document:
    """Create a security group in a VPC."""
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
def describe_groups(region: Region, request: Request) -> Answer:
    """Security groups by id, name, network or tags."""
    wanted = wanted_tags(request)
    ids, rows = requested_ids(request, "SecurityGroupIds"), []
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


def _group(region: Region, request: Request) -> Document:
    group = region.store.get("security_group", request.need("SecurityGroupId"))
    if group is None:
        raise ApiError(
            404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist."
        )
    return group


@rpc("ecs", "DescribeSecurityGroupAttribute")
def describe_group(region: Region, request: Request) -> Answer:
    """One security group with its rules (the lab has none)."""
    shown = {
        k: v
        for k, v in _group(region, request).items()
        if k not in ("ResourceGroupId", "SecurityGroupType")
    }
    return {**shown, "RegionId": region.name, "Permissions": {"Permission": []}}


@rpc("ecs", "ModifySecurityGroupPolicy")
def modify_group_policy(region: Region, request: Request) -> Answer:
    """Whether members reach each other."""
    group = {
        **_group(region, request),
        "InnerAccessPolicy": request.need("InnerAccessPolicy").title(),
    }
    region.store.put("security_group", group["SecurityGroupId"], group)
    return {}


@rpc("ecs", "DeleteSecurityGroup")
def delete_group(region: Region, request: Request) -> Answer:
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
