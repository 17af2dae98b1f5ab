"""Which calls are implemented: RPC actions by service, REST routes by pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One implemented call. `permission` is the RAM action it needs, `resource` its resource
    pattern.
    """

    service: str
    call: str
    handler: Handler
    method: str = "POST"
    pattern: str = "/"
    permission: str = ""
    resource: str = "*"
    anonymous: bool = False
    note: str = ""


RPC: dict[tuple[str, str], Route] = {}
ROUTES: list[tuple[re.Pattern[str], Route]] = []
RPC_SERVICES = {
    "location": "2015-06-12",
    "sts": "2015-04-01",
    "ram": "2015-05-01",
    "ims": "2019-08-15",
    "vpc": "2016-04-28",
    "ecs": "2014-05-26",
    "ess": "2014-08-28",
    "business": "2017-12-14",
    "slb": "2014-05-15",
    "alb": "2020-06-16",
    "nlb": "2022-04-30",
}


def rpc(
    service: str, action: str, *, anonymous: bool = False, resource: str = "*", permission: str = ""
) -> Callable[[Handler], Handler]:
    """Register an RPC action. `resource` may name parameters in braces."""

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
    """Register a REST call; `{name}` in the pattern matches one path segment."""

    def register(function: Handler) -> Handler:
        expression = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$")
        ROUTES.append(
            (
                expression,
                Route(
                    service,
                    call,
                    function,
                    method,
                    pattern,
                    permission or f"{service}:{call}",
                    resource,
                ),
            )
        )
        return function

    return register


def find_rest(service: str, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route for a path and its variables."""
    for expression, route in ROUTES:
        if route.service == service and route.method == method:
            match = expression.match(path)
            if match:
                return route, match.groupdict()
    return None
