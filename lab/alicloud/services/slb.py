"""SLB: Classic Load Balancers."""

from __future__ import annotations

from lab.alicloud.ids import new_id
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.lists import page
from lab.alicloud.services.load_balancers import (
    find_balancers,
    forget_balancer,
    make_balancer,
)
from lab.alicloud.services.tagging import (
    long_tags,
    store_tags,
)
from lab.alicloud.state import Region
from lab.alicloud.store import Document


@rpc("slb", "CreateLoadBalancer")
def create(region: Region, request: Request) -> Answer:
    """A Classic Load Balancer."""
    balancer_id, name, address = (
        new_id("lb-", 20),
        request.params.get("LoadBalancerName", ""),
        request.params.get("Address", ""),
    )
    make_balancer(region, balancer_id, name, "slb", address, request.params.get("VpcId", ""))
    store_tags(region, balancer_id, request)
    return {"LoadBalancerId": balancer_id, "LoadBalancerName": name, "Address": address}


@rpc("slb", "DescribeLoadBalancers")
def describe(region: Region, request: Request) -> Answer:
    """Classic Load Balancers by id, name or tags, in pages."""
    # asked for by one name, and by ids in one text
    name, listed = request.params.get("LoadBalancerName"), request.params.get("LoadBalancerId")
    names, ids = [name] if name else [], listed.split(",") if listed else []
    rows = [
        {
            "LoadBalancerId": one["id"],
            "LoadBalancerName": one["name"],
            "LoadBalancerStatus": "active",
            "Address": one["address"],
            "AddressType": "internet",
            "VpcId": one["vpc_id"],
            "RegionId": region.name,
            "CreateTime": one["created"],
            "DeleteProtection": "on" if one["guarded"] else "off",
            "Tags": long_tags(region, one["id"]),
        }
        for one in find_balancers(region, request, "slb", names, ids)
    ]
    shown, numbers = page(request, rows)
    return {"LoadBalancers": {"LoadBalancer": shown}, **numbers}


@rpc("slb", "SetLoadBalancerDeleteProtection")
def guard(region: Region, request: Request) -> Answer:
    """Whether it can be released."""
    one = _balancer(region, request)
    region.store.put(
        "load_balancer", one["id"], {**one, "guarded": request.need("DeleteProtection") == "on"}
    )
    return {}


@rpc("slb", "DeleteLoadBalancer")
def delete(region: Region, request: Request) -> Answer:
    """Release a Classic Load Balancer; refused under deletion protection."""
    one = _balancer(region, request)
    if one["guarded"]:
        raise ApiError(
            400,
            "OperationDenied.DeleteProtectionIsOn",
            "The operation is not allowed because delete protection is on.",
        )
    forget_balancer(region, one["id"])
    return {}


def _balancer(region: Region, request: Request) -> Document:
    one = region.store.get("load_balancer", request.need("LoadBalancerId"))
    if one is None:
        raise ApiError(
            404, "InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist."
        )
    return one
