"""VPC: networks and their route tables."""

from __future__ import annotations

import ipaddress

from lab.alicloud.clock import iso
from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import (
    store_tags,
    tag_rows,
)
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document


def make_vpc(
    region: Region,
    vpc_id: str,
    name: str,
    cidr: str,
    *,
    description: str = "",
    status: str = "Available",
) -> Document:
    """Create a VPC with its router and route table."""
    vpc = {
        "VpcId": vpc_id,
        "VpcName": name,
        "CidrBlock": cidr,
        "Status": status,
        "RegionId": region.name,
        "VRouterId": new_id("vrt-", 8),
        "IsDefault": False,
        "Description": description,
        "ResourceGroupId": "rg-1",
        "DnsHostnameStatus": "DISABLED",
        "EnabledIpv6": False,
        "CreationTime": iso(region.clock.now()),
        "RouteTableId": new_id("vtb-", 8),
    }
    region.store.put("vpc", vpc_id, vpc)
    return vpc


def vpc_of(region: Region, vpc_id: str) -> Document:
    """A network, or the service's error."""
    vpc = region.store.get("vpc", vpc_id)
    if vpc is None:
        raise ApiError(404, "InvalidVpcId.NotFound", "Specified vpc does not exist.")
    return vpc


def network(text: str, code: str = "InvalidCidrBlock.Malformed") -> ipaddress.IPv4Network:
    """A CIDR block, or the service's error."""
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise ApiError(400, code, f"The specified CIDR block {text!r} is not valid.") from None


@rpc("vpc", "CreateVpc")
def create(region: Region, request: Request) -> Answer:
    """A new network; the same ClientToken gives the same one."""
    token = request.params.get("ClientToken", "")
    for vpc in region.store.all("vpc", ClientToken=token) if token else []:
        return _created(vpc)
    cidr = request.params.get("CidrBlock") or "172.16.0.0/12"
    network(cidr)
    vpc = make_vpc(
        region,
        new_id("vpc-"),
        request.params.get("VpcName", ""),
        cidr,
        description=request.params.get("Description", ""),
        status="Pending",
    )
    vpc["ClientToken"] = token
    region.store.put("vpc", vpc["VpcId"], vpc)
    store_tags(region, vpc["VpcId"], request)
    region.schedule("vpc.available", region.scenario.delay("vpc"), kind="vpc", id=vpc["VpcId"])
    return _created(vpc)


def _created(vpc: Document) -> Answer:
    return {
        "VpcId": vpc["VpcId"],
        "VRouterId": vpc["VRouterId"],
        "RouteTableId": vpc["RouteTableId"],
        "ResourceGroupId": "rg-1",
    }


@timer("vpc.available")
def available(region: Region, payload: Payload) -> None:
    """A network or vSwitch is ready."""
    document = region.store.get(payload["kind"], payload["id"])
    if document is not None:
        region.store.put(payload["kind"], payload["id"], {**document, "Status": "Available"})


@rpc("vpc", "DescribeVpcAttribute")
def describe(region: Region, request: Request) -> Answer:
    """One VPC, with its tags."""
    vpc = vpc_of(region, request.need("VpcId"))
    shown = {k: v for k, v in vpc.items() if k not in ("RouteTableId", "ClientToken")}
    return {
        **shown,
        "Tags": {"Tag": tag_rows(region, vpc["VpcId"])},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "UserCidrs": {"UserCidr": []},
    }


@rpc("vpc", "DescribeVpcs")
def describe_all(region: Region, request: Request) -> Answer:
    """Networks by id or name."""
    wanted, name = request.params.get("VpcId"), request.params.get("VpcName")
    rows = []
    for vpc in region.store.all("vpc"):
        if wanted not in (None, "", vpc["VpcId"]) or name not in (None, "", vpc["VpcName"]):
            continue
        switches = [s["VSwitchId"] for s in region.store.all("vswitch", VpcId=vpc["VpcId"])]
        rows.append(
            {
                **{k: v for k, v in vpc.items() if k not in ("ClientToken", "RouteTableId")},
                "RouterTableIds": {"RouterTableIds": [vpc["RouteTableId"]]},
                "VSwitchIds": {"VSwitchId": switches},
                "Tags": {"Tag": tag_rows(region, vpc["VpcId"])},
            }
        )
    return {"Vpcs": {"Vpc": rows}, "TotalCount": len(rows), "PageNumber": 1, "PageSize": 50}


@rpc("vpc", "ModifyVpcAttribute")
def modify(region: Region, request: Request) -> Answer:
    """New name or description."""
    vpc = vpc_of(region, request.need("VpcId"))
    for parameter in ("VpcName", "Description"):
        if parameter in request.params:
            vpc[parameter] = request.params[parameter]
    region.store.put("vpc", vpc["VpcId"], vpc)
    return {}


@rpc("vpc", "DeleteVpc")
def delete(region: Region, request: Request) -> Answer:
    """Remove an empty network."""
    vpc_id = vpc_of(region, request.need("VpcId"))["VpcId"]
    for kind, code in (
        ("vswitch", "DependencyViolation.VSwitch"),
        ("security_group", "DependencyViolation.SecurityGroup"),
    ):
        if region.store.all(kind, VpcId=vpc_id):
            raise ApiError(
                400, code, f"The VPC can not be deleted while it has a {kind.replace('_', ' ')}."
            )
    region.store.delete("vpc", vpc_id)
    region.store.delete("tags", vpc_id)
    return {}


@rpc("vpc", "DescribeRouteTableList")
def route_tables(region: Region, request: Request) -> Answer:
    """The system route table of each network."""
    rows = []
    for vpc in region.store.all("vpc"):
        if request.params.get("VpcId") in (None, "", vpc["VpcId"]):
            rows.append(
                {
                    "RouteTableId": vpc["RouteTableId"],
                    "RouteTableType": "System",
                    "VpcId": vpc["VpcId"],
                    "RouterId": vpc["VRouterId"],
                    "RouteTableName": "",
                    "Description": "",
                    "ResourceGroupId": "rg-1",
                }
            )
    return {"RouterTableList": {"RouterTableListType": rows}, "TotalCount": len(rows)}
