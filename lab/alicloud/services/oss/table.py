"""Which OSS calls are implemented: by scope (service, bucket, object), method and sub-resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.registry import Route

Handler = Callable[..., Any]
TABLE: dict[tuple[str, str, str], OssCall] = {}
# in this order they decide which call a request is
_IN_ORDER = """
bucketInfo stat location acl policy policyStatus versioning versions versionId encryption lifecycle cors website logging referer
tagging transferAcceleration resourceGroup publicAccessBlock httpsConfig accessmonitor requestPayment inventory replication worm
metaQuery cname style delete uploads uploadId append symlink restore objectMeta x-oss-process live vod accessPoint
redundancyTransition archiveDirectRead
"""
_DECIDING = _IN_ORDER.split()


@dataclass(frozen=True)
class OssCall:
    """One implemented call. `sub` is the deciding sub-resource, "" for the plain call."""

    scope: str
    method: str
    sub: str
    call: str
    permission: str
    handler: Handler


def oss(
    scope: str, method: str, sub: str, call: str, permission: str = ""
) -> Callable[[Handler], Handler]:
    """Register a call; the permission is `oss:<call>` unless given."""

    def register(function: Handler) -> Handler:
        TABLE[scope, method, sub] = OssCall(
            scope, method, sub, call, permission or f"oss:{call}", function
        )
        return function

    return register


def find(request: Request) -> Route:
    """The route for a request; 501 with the call's name when it isn't implemented."""
    bucket, key = request.vars["bucket"], request.vars["key"]
    if bucket.startswith("oidc-ack-") and request.method == "GET":
        from lab.alicloud.services.oss import issuer

        request.call = issuer.route().call
        return issuer.route()
    scope = "object" if key else "bucket" if bucket else "service"
    sub = next((name for name in _DECIDING if name in request.query), "")
    if scope == "object" and sub == "versionId":
        sub = ""
    entry = TABLE.get((scope, request.method, sub))
    if entry is None:
        request.call = f"{request.method} {scope}{'?' + sub if sub else ''}"
        raise ApiError(
            501,
            "NotImplemented",
            f"The lab's region double does not implement OSS {request.call}. See lab/docs/coverage.md for what it does.",
        )
    request.call = entry.call
    return Route(
        "oss", entry.call, entry.handler, request.method, f"{scope}?{sub}", entry.permission
    )
