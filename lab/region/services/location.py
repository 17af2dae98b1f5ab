"""Endpoint discovery: an empty list, upon which clients fall back to the pattern host."""

from __future__ import annotations

from typing import Any

from lab.region.protocol import Request
from lab.region.registry import rpc
from lab.region.state import Region


@rpc("location", "DescribeEndpoints")
def describe_endpoints(region: Region, request: Request) -> dict[str, Any]:
    """No regional endpoint is registered."""
    return {"Success": True, "Endpoints": {"Endpoint": []}}
