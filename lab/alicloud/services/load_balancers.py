"""Load balancers of the three families, as much as it takes to order, find and release one: no
traffic goes through them here.
"""

from __future__ import annotations

from typing import Any

from lab.alicloud.clock import iso
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.tagging import carries, long_tags, page, wanted_tags
from lab.alicloud.services.vpc import new_id, store_tags, tag_rows
from lab.alicloud.state import Region


def make_balancer(
    region: Region,
    balancer_id: str,
    name: str,
    family: str = "slb",
    address: str = "",
    vpc_id: str = "",
) -> dict[str, Any]:
    """A running load balancer; `family` is slb (Classic), alb or nlb."""
    balancer = {
        "id": balancer_id,
        "name": name,
        "family": family,
        "address": address,
        "vpc_id": vpc_id,
        "created": iso(region.clock.now()),
    }
    region.store.put("load_balancer", balancer_id, {**balancer, "guarded": False})
    return balancer


def tag_balancer(region: Region, balancer_id: str, tags: dict[str, str]) -> None:
    """Tags of a load balancer that the container service ordered."""
    region.store.put("tags", balancer_id, tags)


def forget_balancer(region: Region, balancer_id: str) -> bool:
    """Release it; False when there was none."""
    region.store.delete("tags", balancer_id)
    return region.store.delete("load_balancer", balancer_id)


def _found(region: Region, request: Request, family: str) -> list[dict[str, Any]]:
    """Classic ones are asked for by one name and ids in one text, the newer families by lists."""
    if family == "slb":
        names, ids = (
            request.params.get("LoadBalancerName"),
            request.params.get("LoadBalancerId") or "",
        )
        by_name, by_id = [names] if names else [], ids.split(",") if ids else []
    else:
        by_name, by_id = (
            _listed(request, "LoadBalancerNames."),
            _listed(request, "LoadBalancerIds."),
        )
    return [
        one
        for one in region.store.all("load_balancer", family=family)
        if (not by_name or one["name"] in by_name)
        and (not by_id or one["id"] in by_id)
        and carries(region, one["id"], wanted_tags(request))
    ]


def _listed(request: Request, name: str) -> list[str]:
    return [value for key, value in request.params.items() if key.startswith(name)]


@rpc("slb", "CreateLoadBalancer")
def create(region: Region, request: Request) -> dict[str, Any]:
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
def describe(region: Region, request: Request) -> dict[str, Any]:
    """Classic Load Balancers by id, name or tags, in pages."""
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
        for one in _found(region, request, "slb")
    ]
    shown, numbers = page(request, rows)
    return {"LoadBalancers": {"LoadBalancer": shown}, **numbers}


@rpc("slb", "SetLoadBalancerDeleteProtection")
def guard(region: Region, request: Request) -> dict[str, Any]:
    """Whether it can be released."""
    one = _balancer(region, request)
    region.store.put(
        "load_balancer", one["id"], {**one, "guarded": request.need("DeleteProtection") == "on"}
    )
    return {}


@rpc("slb", "DeleteLoadBalancer")
def delete(region: Region, request: Request) -> dict[str, Any]:
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


def _balancer(region: Region, request: Request) -> dict[str, Any]:
    one = region.store.get("load_balancer", request.need("LoadBalancerId"))
    if one is None:
        raise ApiError(
            404, "InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist."
        )
    return one


@rpc("nlb", "CreateLoadBalancer")
@rpc("alb", "CreateLoadBalancer")
def create_new(region: Region, request: Request) -> dict[str, Any]:
    """An Application or a Network Load Balancer."""
    balancer_id = new_id(f"{request.service}-", 18)
    make_balancer(
        region,
        balancer_id,
        request.params.get("LoadBalancerName", ""),
        request.service,
        "",
        request.params.get("VpcId", ""),
    )
    store_tags(region, balancer_id, request)
    return {
        "LoadbalancerId" if request.service == "nlb" else "LoadBalancerId": balancer_id
    }  # NLB's own spelling


@rpc("nlb", "ListLoadBalancers")
@rpc("alb", "ListLoadBalancers")
def list_new(region: Region, request: Request) -> dict[str, Any]:
    """Application or Network Load Balancers by id, name or tags, in pages."""
    rows = [
        {
            "LoadBalancerId": one["id"],
            "LoadBalancerName": one["name"],
            "LoadBalancerStatus": "Active",
            "DNSName": f"{one['id']}.{region.name}.{one['family']}.aliyuncsslb.com",
            "VpcId": one["vpc_id"],
            "Tags": tag_rows(region, one["id"]),
        }
        for one in _found(region, request, request.service)
    ]
    first, size = (
        int(request.params.get("NextToken") or 0),
        int(request.params.get("MaxResults") or 20),
    )
    more = str(first + size) if first + size < len(rows) else ""
    return {
        "LoadBalancers": rows[first : first + size],
        "TotalCount": len(rows),
        "MaxResults": size,
        "NextToken": more,
    }


@rpc("nlb", "DeleteLoadBalancer")
@rpc("alb", "DeleteLoadBalancer")
def delete_new(region: Region, request: Request) -> dict[str, Any]:
    """Release an Application or a Network Load Balancer."""
    if not forget_balancer(region, request.need("LoadBalancerId")):
        raise ApiError(
            404,
            "ResourceNotFound.LoadBalancer",
            "The specified resource LoadBalancer is not found.",
        )
    return {}
