"""Faults that change an answer instead of refusing it: an earlier state, a state that does not move
on, a listing in small pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab.alicloud.families.base import Family
from lab.alicloud.faults import Fault
from lab.alicloud.protocol import ApiError, Request, Response
from lab.alicloud.state import Region

AT_WORK = {
    ("cs", "DescribeTaskInfo"): ("state", "running"),
    ("cs", "DescribeClusterDetail"): ("state", "updating"),
    ("cs", "DescribeClusterNodePoolDetail"): ("status.state", "updating"),
    ("cs", "GetClusterAddonInstance"): ("state", "updating"),
    ("vpc", "DescribeVpcAttribute"): ("Status", "Pending"),
    ("vpc", "DescribeVSwitchAttributes"): ("Status", "Pending"),
}
"""Calls whose answer carries a state: where, and its value while something is still at work."""
PAGE_SIZE = {
    ("oss", "ListBuckets"): "max-keys",
    ("oss", "ListObjects"): "max-keys",
    ("oss", "ListObjectVersions"): "max-keys",
    ("oss", "ListMultipartUploads"): "max-uploads",
    ("oss", "ListParts"): "max-parts",
    ("ram", "ListTagResources"): "PageSize",
    ("ims", "ListOIDCProviders"): "MaxItems",
}
"""Listings that say in the answer whether there is more: the parameter by which a page's size is
asked for. Where the client counts the rows of a page against the size it asked for, a smaller page
is no answer the service gives, so such calls are not here.
"""
KINDS = ("stale", "stuck", "page")
_READS = ("Describe", "Get", "List", "Query", "Check", "Head")
Answer = Any


def answer(
    region: Region, family: Family, request: Request, fault: Fault, handle: Callable[[], Answer]
) -> Answer:
    """What `handle` answers under the fault. A fault that makes no difference to it is given
    back.
    """
    changed = False
    try:
        if fault["kind"] == "stale":
            changed, value = _stale(region, family, request, fault["seconds"], handle)
        elif fault["kind"] == "stuck":
            changed, value = _stuck(request, handle)
        else:
            changed, value = _paged(request, fault["size"], handle)
    finally:
        if not changed:
            region.faults.give_back(fault)
    if isinstance(value, ApiError):
        raise value
    return value


def _stale(
    region: Region,
    family: Family,
    request: Request,
    seconds: float,
    handle: Callable[[], Answer],
) -> tuple[bool, Answer]:
    """Reads answer from the past; what is to be done to something too new to be known is refused as
    if it weren't there.
    """
    if not family.sees_past(request):
        return False, handle()
    past = _looked(region, seconds, handle)
    if not request.call.startswith(_READS) and not isinstance(past, ApiError):
        return False, handle()
    if _plain(past) == _plain(_looked(region, 0, handle)):
        return False, handle()
    return True, past


def _looked(region: Region, seconds: float, handle: Callable[[], Answer]) -> Answer:
    try:
        with region.store.earlier(seconds):
            return handle()
    except ApiError as error:
        return error
    raise AssertionError("a look has a result")


def _plain(value: Answer) -> Any:
    """What can be compared of an answer."""
    if isinstance(value, ApiError):
        return value.status, value.code
    return value.body if isinstance(value, Response) else value


def _stuck(request: Request, handle: Callable[[], Answer]) -> tuple[bool, Answer]:
    value = handle()
    if (request.service, request.call) not in AT_WORK:
        return False, value
    path, state = AT_WORK[request.service, request.call]
    body = json.loads(_bytes(value)) if isinstance(value, Response) else value
    *outer, last = path.split(".")
    holder: Any = body
    for name in outer:
        holder = holder.get(name) or {}
    if holder.get(last) in (None, state):
        return False, value
    holder[last] = state
    if isinstance(value, Response):
        value.body = json.dumps(body, ensure_ascii=False).encode()
    return True, value


def _paged(request: Request, size: int, handle: Callable[[], Answer]) -> tuple[bool, Answer]:
    name = PAGE_SIZE.get((request.service, request.call))
    if name is None:
        return False, handle()
    for parameters in (request.query, request.params):
        parameters[name] = str(size)
    value = handle()
    more = (
        b"<IsTruncated>true<" in _bytes(value)
        if isinstance(value, Response)
        else bool(value.get("IsTruncated") or value.get("NextToken"))
    )
    return more, value


def _bytes(response: Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""
