"""Endpoint discovery: an empty list, upon which clients fall back to the pattern host."""

from __future__ import annotations

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region


@rpc("location", "DescribeEndpoints")
def describe_endpoints(region: Region, request: Request) -> Answer:
    """No regional endpoint is registered."""
    return {"Success": True, "Endpoints": {"Endpoint": []}}
