"""What every protocol family can do. A method that is not abstract does what the API gateway does,
which stands before all services but OSS.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from lab.alicloud import api_models
from lab.alicloud.api_models import Model
from lab.alicloud.auth.authorize import refused_resource
from lab.alicloud.auth.identity import Identity, check_session, find_identity, security_token
from lab.alicloud.auth.signatures import gateway_claim
from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.regions import REGIONS
from lab.alicloud.registry import REST, Handler, Route
from lab.alicloud.state import Region

REGION = r"[a-z]{2}-[a-z]+(?:-[a-z0-9]+)*"
"""A region's id in a host name."""
_BEFORE_THE_SERVICE = (
    "Signature",
    "InvalidAccessKeyId",
    "InvalidSecurityToken",
    "MissingSecurityToken",
)


class Family(ABC):
    """One protocol family. The methods are in the order in which a request meets them."""

    services: tuple[str, ...] = ()

    # ---- recognise and parse

    @abstractmethod
    def recognise_host(self, request: Request) -> bool:
        """Whether the host is one of the family's; if so, fills in `service`, `region`, `vars`."""

    @abstractmethod
    def recognise_content(self, request: Request) -> bool:
        """The same for a request to an address: by its signature, version or path."""

    @abstractmethod
    def find_route(self, request: Request) -> Route:
        """The route of a recognised request; fills in `call` and the path's `vars`.

        Raises ApiError 501, which names the call, for one that is not implemented.
        """

    def region_of(self, request: Request, home: str) -> str:
        """The region a request is about, `home` when it names none.

        Raises ApiError for a region that does not exist, or that the request's host does not serve.
        """
        named = self.region_parameter(request)
        for name in filter(None, (request.region, named)):
            if name not in REGIONS:
                message = f"The specified RegionId does not exist: {name}."
                raise ApiError(404, "InvalidRegionId.NotFound", message)
        elsewhere = request.region and named and named != request.region
        if elsewhere and request.call != "DescribeRegions":
            message = (
                f"The specified endpoint can't operate this region: {request.host} serves "
                f"{request.region}, not {named}."
            )
            raise ApiError(404, "InvalidOperation.NotSupportedEndpoint", message)
        return request.region or named or home

    def region_parameter(self, request: Request) -> str:
        """The region that a parameter names, "" for none."""
        return ""

    # ---- who calls, and may they

    def authenticate(self, region: Region, request: Request) -> Identity | None:
        """The caller, None for an unsigned request. Raises ApiError for a wrong key or
        signature.
        """
        claim = gateway_claim(request)
        if claim is None:
            return None
        identity = self.identity_of(region, claim.access_key)
        if not claim.matches(identity.secret):
            raise self.wrong_signature()
        check_session(region, identity, security_token(request))
        return identity

    def identity_of(self, region: Region, access_key: str) -> Identity:
        """Whose access key this is. Raises ApiError for one that nobody has."""
        identity = find_identity(region, access_key)
        if identity is None:
            raise self.unknown_key(access_key)
        return identity

    def unknown_key(self, access_key: str) -> ApiError:
        """The refusal of an access key that does not exist."""
        return ApiError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")

    def wrong_signature(self) -> ApiError:
        """The refusal of a signature that the key's secret does not give."""
        message = "Specified signature is not matched with our calculation."
        return ApiError(403, "SignatureDoesNotMatch", message)

    def authorize(self, region: Region, request: Request, route: Route) -> None:
        """Raise ApiError unless the caller may make this call."""
        if request.identity is None:
            if not route.anonymous:
                raise self.unsigned()
        elif resource := refused_resource(region, request, route):
            raise self.denied(request.service, route.permission, resource)

    def unsigned(self) -> ApiError:
        """The refusal of an unsigned request."""
        return ApiError(403, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")

    @abstractmethod
    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """The refusal of a call that the caller's policies do not allow."""

    # ---- the call itself

    def validate(self, request: Request) -> None:
        """Raise ApiError for a call that lacks what the API's models call required."""
        for name in self.lacking(request):
            raise self.missing(request.service, name)

    def transaction(self, region: Region) -> AbstractContextManager[None]:
        """What a handler runs in: all or nothing, and whoever waits for a change is woken."""
        return _transaction(region)

    def answer(self, result: Any) -> Response:
        """The HTTP answer for what a handler returned."""
        return result if isinstance(result, Response) else json_response(result)

    @abstractmethod
    def error(self, request: Request, error: ApiError) -> Response:
        """An error in the form that the family's clients read."""

    def missing(self, service: str, name: str) -> ApiError:
        """The refusal of a call without a required parameter."""
        return ApiError(400, "MissingParameter", f"{name} is mandatory for this action.")

    def sees_past(self, request: Request) -> bool:
        """Whether a call may be answered from a past state (fault kind `stale`)."""
        return True

    # ---- what the official SDKs' models say of it

    def action(self, request: Request) -> str:
        """`service:Action`, as the models name the call."""
        return f"{request.service}:{request.call}"

    def lacking(self, request: Request) -> Iterator[str]:
        """Required parameters that a call lacks, and required fields of the objects that it brings:
        `scaling_group.vswitch_ids`.
        """
        key = self.action(request)
        model = api_models.models().get(key)
        if model is not None:
            excused = api_models.LEFT_OUT.get(key, {})
            missing = self.missing_in(request, model["request"])
            yield from (n for n in missing if api_models.without_numbers(n) not in excused)

    @abstractmethod
    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """What a request lacks of its model."""

    def knows(self, name: str, model: Model) -> bool:
        """Whether a parameter or field that a handler read is in the model of the request."""
        return api_models.known(name, model)

    def differences(self, result: Any, model: Model) -> Iterator[str]:
        """How what a handler returned differs from the model of the call."""
        said = api_models.decoded(result, model["answer"])
        return api_models.differences(said, model["answer"], "answers")

    def watched_headers(self, request: Request) -> dict[str, str]:
        """The headers as a handler gets them; those of OSS note which of them it reads."""
        return request.headers

    # ---- the page of what is implemented

    columns: tuple[str, ...] = ("call", "request", "what it does")

    def title(self, service: str) -> str:
        """The service's heading."""
        return service

    def rows(self, service: str) -> list[tuple[str, ...]]:
        """One row of `columns` for each call of a service."""
        calls = {(r.pattern, r.method): r for _, r in REST if r.service == service}
        return [
            (r.call, f"`{r.method} {r.pattern}`", summary(r.handler))
            for r in sorted(calls.values(), key=lambda r: (r.call, r.pattern))
        ]


@contextmanager
def _transaction(region: Region) -> Iterator[None]:
    with region.store.transaction():
        yield
    region.notify()


def gateway_host(names: str) -> re.Pattern[str]:
    """The hosts of services at the API gateway: `ecs`, `ecs.cn-shanghai`, `ecs-vpc.cn-shanghai`;
    group 1 is the name before `-vpc`, group `region` the region.
    """
    return re.compile(rf"^({names})(?:-vpc)?(?:\.(?P<region>{REGION}))?\.aliyuncs\.com$")


def find_rest(service: str, request: Request) -> Route:
    """The REST route for a request's method and path; raises ApiError 501."""
    for expression, route in REST:
        match = expression.match(request.path)
        if match and route.service == service and route.method == request.method:
            request.call = route.call
            request.vars = {**request.vars, **match.groupdict()}
            return route
    action = request.headers.get("x-acs-action", "")
    request.call = action
    place = f"{request.method} {request.host}{request.path}"
    raise not_implemented(request, f"{action} {place}" if action else place)


def not_implemented(request: Request, name: str) -> ApiError:
    """501 that names the call."""
    request.call = request.call or name
    message = f"The lab's cloud double does not implement {name}. See lab/docs/coverage.md for what it does."
    return ApiError(501, "NotImplemented", message)


def gateway_error(request: Request, error: ApiError) -> Response:
    """An error as the API gateway writes it."""
    body = {
        "RequestId": request_id(),
        "HostId": request.host or "x.aliyuncs.com",
        "Code": error.code,
        "Message": error.message,
        "Recommend": "",
    }
    return json_response({**body, **error.extra}, error.status)


def before_the_service(error: ApiError) -> bool:
    """Whether the gateway refuses this before the service sees the call."""
    return error.code.startswith(_BEFORE_THE_SERVICE)


def summary(handler: Handler) -> str:
    """The first paragraph of a handler's docstring."""
    return " ".join((handler.__doc__ or "").split("\n\n")[0].split())
