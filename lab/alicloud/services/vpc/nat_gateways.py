"""VPC: NAT gateways. The lab is sealed: no traffic goes through them, but they can be ordered,
found and removed.
"""

from __future__ import annotations

from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import page
from lab.alicloud.services.tagging import carries, long_tags, store_tags, wanted_tags
from lab.alicloud.services.vpc.networks import vpc_of
from lab.alicloud.state import Region


@rpc("vpc", "CreateNatGateway")
def create(region: Region, request: Request) -> Answer:
    """A NAT gateway of a network."""
    vpc_id, identity = vpc_of(region, request.need("VpcId"))["VpcId"], new_id("ngw-")
    region.store.put(
        "nat_gateway",
        identity,
        {"NatGatewayId": identity, "VpcId": vpc_id, "Name": request.params.get("Name", "")},
    )
    store_tags(region, identity, request)
    return {
        "NatGatewayId": identity,
        "SnatTableIds": {"SnatTableId": []},
        "ForwardTableIds": {"ForwardTableId": []},
    }


@rpc("vpc", "DescribeNatGateways")
def describe(region: Region, request: Request) -> Answer:
    """NAT gateways by id, network or tags, in pages."""
    wanted = wanted_tags(request)
    rows = [
        {
            **one,
            "RegionId": region.name,
            "Status": "Available",
            "Tags": long_tags(region, one["NatGatewayId"]),
        }
        for one in region.store.all("nat_gateway")
        if all(
            request.params.get(name) in (None, "", one[name]) for name in ("NatGatewayId", "VpcId")
        )
        and carries(region, one["NatGatewayId"], wanted)
    ]
    shown, numbers = page(request, rows)
    return {"NatGateways": {"NatGateway": shown}, **numbers}


@rpc("vpc", "DeleteNatGateway")
def delete(region: Region, request: Request) -> Answer:
    """Remove a NAT gateway."""
    identity = request.need("NatGatewayId")
    if not region.store.delete("nat_gateway", identity):
        raise ApiError(404, "InvalidNatGatewayId.NotFound", "Specified NAT gateway does not exist.")
    region.store.delete("tags", identity)
    return {}
