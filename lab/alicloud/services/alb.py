"""ALB: Application Load Balancers."""

from __future__ import annotations

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.load_balancers import (
    list_balancers,
    order_balancer,
    release_balancer,
)
from lab.alicloud.state import Region


@rpc("alb", "CreateLoadBalancer")
def create(region: Region, request: Request) -> Answer:
    """Order an Application Load Balancer."""
    return {"LoadBalancerId": order_balancer(region, request, "alb")}


@rpc("alb", "ListLoadBalancers")
def list_all(region: Region, request: Request) -> Answer:
    """Application Load Balancers by id, name or tags, in pages."""
    return list_balancers(region, request, "alb")


@rpc("alb", "DeleteLoadBalancer")
def delete(region: Region, request: Request) -> Answer:
    """Release an Application Load Balancer."""
    release_balancer(region, request)
    return {}
