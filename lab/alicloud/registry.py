"""Which calls are implemented. Services declare them with `rpc`, `rest` and `oss`; the families
look them up here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Handler = Callable[..., Any]
"""`handler(region, request)`: answers a document, or a finished `Response`."""


@dataclass(frozen=True)
class Route:
    """One implemented call. `permission` is the RAM action it needs, `resource` what it is about: a
    pattern whose braces name parameters.
    """

    service: str
    call: str
    handler: Handler
    method: str = "POST"
    pattern: str = "/"
    permission: str = ""
    resource: str = "*"
    anonymous: bool = False
    """Whether an unsigned request may make the call."""


@dataclass(frozen=True)
class OssRoute(Route):
    """A call of OSS: told apart by scope (service, bucket, object), method and sub-resource ("" for
    the plain call).
    """

    scope: str = ""
    sub: str = ""


@dataclass(frozen=True)
class RpcService:
    """What tells the services of the RPC family apart."""

    title: str
    version: str
    account_wide: bool = False
    """It answers for the whole account, whatever region is named; the others take `RegionId`."""
    denial: str = "Forbidden.RAM"
    """Code of the refusal of a call that the caller's policies do not allow."""
    missing: str = "MissingParameter"
    """Code of the refusal of a call without a parameter; `{name}` is the parameter."""


RPC_SERVICES = {
    "location": RpcService("Location (endpoint discovery)", "2015-06-12", account_wide=True),
    "sts": RpcService("STS", "2015-04-01", account_wide=True, denial="NoPermission"),
    "ram": RpcService(
        "RAM",
        "2015-05-01",
        account_wide=True,
        denial="NoPermission",
        missing="MissingParameter.{name}",
    ),
    "ims": RpcService(
        "IMS (OIDC providers)", "2019-08-15", account_wide=True, denial="NoPermission"
    ),
    "vpc": RpcService("VPC", "2016-04-28"),
    "ecs": RpcService("ECS", "2014-05-26"),
    "ess": RpcService("ESS (Auto Scaling)", "2014-08-28"),
    "business": RpcService("Billing", "2017-12-14", account_wide=True),
    "slb": RpcService("SLB (Classic Load Balancer)", "2014-05-15"),
    "alb": RpcService("ALB (Application Load Balancer)", "2020-06-16"),
    "nlb": RpcService("NLB (Network Load Balancer)", "2022-04-30"),
}
RPC: dict[tuple[str, str], Route] = {}
"""RPC actions by service and name."""
REST: list[tuple[re.Pattern[str], Route]] = []
"""Calls of the container service and the log service, with the pattern of their path."""
OSS: dict[tuple[str, str, str], OssRoute] = {}
"""Calls of OSS by scope, method and sub-resource."""


def routes() -> list[Route]:
    """All implemented calls (of the services that are loaded)."""
    return [*RPC.values(), *(route for _, route in REST), *OSS.values()]


def rpc(
    service: str, action: str, *, anonymous: bool = False, resource: str = "*", permission: str = ""
) -> Callable[[Handler], Handler]:
    """Declare an RPC action. `resource` may name parameters in braces."""

    def register(function: Handler) -> Handler:
        RPC[service, action] = Route(
            service,
            action,
            function,
            permission=permission or f"{service}:{action}",
            resource=resource,
            anonymous=anonymous,
        )
        return function

    return register


def rest(
    service: str, method: str, pattern: str, call: str, *, permission: str = "", resource: str = "*"
) -> Callable[[Handler], Handler]:
    """Declare a REST call; `{name}` in the pattern matches one path segment."""

    def register(function: Handler) -> Handler:
        expression = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$")
        permitted = permission or f"{service}:{call}"
        route = Route(service, call, function, method, pattern, permitted, resource)
        REST.append((expression, route))
        return function

    return register


def oss(
    scope: str, method: str, sub: str, call: str, permission: str = ""
) -> Callable[[Handler], Handler]:
    """Declare a call of OSS; the permission is `oss:<call>` unless given."""

    def register(function: Handler) -> Handler:
        OSS[scope, method, sub] = OssRoute(
            "oss",
            call,
            function,
            method,
            f"{scope}?{sub}" if sub else scope,
            permission or f"oss:{call}",
            scope=scope,
            sub=sub,
        )
        return function

    return register
