"""Billing: the probe by which clients tell a domestic account from an international one."""

from __future__ import annotations

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region


@rpc("business", "QueryAvailableInstances")
def query_available_instances(region: Region, request: Request) -> Answer:
    """A domestic account that has bought nothing of the kind."""
    return {
        "Code": "Success",
        "Success": True,
        "Data": {"PageNum": 1, "PageSize": 20, "TotalCount": 0, "InstanceList": []},
    }
