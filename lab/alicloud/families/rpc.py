"""RPC: one path, the call in the parameter `Action`, parameters in query and form, JSON answers
with `RequestId`. ECS, ESS, VPC, the load balancers, RAM, IMS, STS, Location and billing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.alicloud import api_models
from lab.alicloud.api_models import Model
from lab.alicloud.families.base import Family, gateway_error, gateway_host, not_implemented, summary
from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import RPC, RPC_SERVICES, Route

_ALIASES = {"location-readonly": "location", "sts-vpc": "sts"}
_HOST = gateway_host("|".join([*_ALIASES, *RPC_SERVICES]))
_SERVICE_OF_VERSION = {service.version: name for name, service in RPC_SERVICES.items()}


class Rpc(Family):
    """The services of `registry.RPC_SERVICES`."""

    services = tuple(RPC_SERVICES)
    columns = ("action", "what it does")

    def recognise_host(self, request: Request) -> bool:
        """`ecs.cn-shanghai.aliyuncs.com`, `ram.aliyuncs.com`."""
        host = _HOST.match(request.host)
        if host:
            request.service = _ALIASES.get(host[1], host[1])
            request.region = host["region"] or ""
        return host is not None

    def recognise_content(self, request: Request) -> bool:
        """The parameter `Version`, which no two services share."""
        request.service = _SERVICE_OF_VERSION.get(request.params.get("Version", ""), "")
        return request.service != ""

    def find_route(self, request: Request) -> Route:
        """By the parameter `Action`, or the header that newer clients send instead."""
        request.call = request.params.get("Action") or request.headers.get("x-acs-action", "")
        if not request.call:
            raise ApiError(400, "MissingParameter", "Action is mandatory for this action.")
        route = RPC.get((request.service, request.call))
        if route is None:
            raise not_implemented(request, f"{request.service}:{request.call}")
        return route

    def region_of(self, request: Request, home: str) -> str:
        """Services of the whole account answer from the home region."""
        if RPC_SERVICES[request.service].account_wide:
            return home
        return super().region_of(request, home)

    def region_parameter(self, request: Request) -> str:
        """`RegionId`. It is no parameter of a handler, so the judge need not hear of it."""
        return dict.get(request.params, "RegionId") or ""

    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """`NoPermission` of the services around RAM, `Forbidden.RAM` of the others."""
        code, where = RPC_SERVICES[service].denial, f"Action: {action} Resource: {resource}"
        if code == "NoPermission":
            return ApiError(403, code, f"You are not authorized to do this action. {where}")
        message = (
            "User not authorized to operate on the specified resource, or this API doesn't "
            f"support RAM. {where}"
        )
        return ApiError(403, code, message)

    def answer(self, result: Any) -> Response:
        """JSON with the request's id."""
        if isinstance(result, Response):
            return result
        return json_response({"RequestId": request_id(), **(result or {})})

    def error(self, request: Request, error: ApiError) -> Response:
        """`Code`, `Message`, `RequestId` and `HostId`, as JSON."""
        return gateway_error(request, error)

    def missing(self, service: str, name: str) -> ApiError:
        """RAM's code names the parameter."""
        code = RPC_SERVICES[service].missing.format(name=name)
        return ApiError(400, code, f"{name} is mandatory for this action.")

    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """Of the parameters, those of objects and lists in a row: `ZoneMappings.1.ZoneId`."""
        return api_models.missing_in_rpc(request.params, model, "")

    def title(self, service: str) -> str:
        """The service's name and API version."""
        return f"{RPC_SERVICES[service].title}, {RPC_SERVICES[service].version}"

    def rows(self, service: str) -> list[tuple[str, ...]]:
        """The actions of a service."""
        return [(a, summary(r.handler)) for (s, a), r in sorted(RPC.items()) if s == service]
