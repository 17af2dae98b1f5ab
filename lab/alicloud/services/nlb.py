"""NLB: Network Load Balancers."""

from __future__ import annotations

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.load_balancers import (
    list_balancers,
    order_balancer,
    release_balancer,
)
from lab.alicloud.state import Region


@rpc("nlb", "CreateLoadBalancer")
def create(region: Region, request: Request) -> Answer:
    """Order a Network Load Balancer."""
    return {"LoadbalancerId": order_balancer(region, request, "nlb")}  # NLB's own spelling


@rpc("nlb", "ListLoadBalancers")
def list_all(region: Region, request: Request) -> Answer:
    """Network Load Balancers by id, name or tags, in pages."""
    return list_balancers(region, request, "nlb")


@rpc("nlb", "DeleteLoadBalancer")
def delete(region: Region, request: Request) -> Answer:
    """Release a Network Load Balancer."""
    release_balancer(region, request)
    return {}
