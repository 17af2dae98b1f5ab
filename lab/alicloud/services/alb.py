"""ALB: Application Load Balancers."""

from __future__ import annotations

from typing import Any

from lab.alicloud.protocol import Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.load_balancers import (
    list_balancers,
    order_balancer,
    release_balancer,
)
from lab.alicloud.state import Region


@rpc("alb", "CreateLoadBalancer")
def create(region: Region, request: Request) -> dict[str, Any]:
    """Order an Application Load Balancer."""
    return {"LoadBalancerId": order_balancer(region, request, "alb")}


@rpc("alb", "ListLoadBalancers")
def list_all(region: Region, request: Request) -> dict[str, Any]:
    """Application Load Balancers by id, name or tags, in pages."""
    return list_balancers(region, request, "alb")


@rpc("alb", "DeleteLoadBalancer")
def delete(region: Region, request: Request) -> dict[str, Any]:
    """Release an Application Load Balancer."""
    release_balancer(region, request)
    return {}
