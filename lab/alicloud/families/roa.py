"""ROA: REST calls with JSON bodies at the API gateway. The container service (ACK)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from lab.alicloud import api_models
from lab.alicloud.api_models import Model
from lab.alicloud.families.base import (
    Family,
    before_the_service,
    find_rest,
    gateway_error,
    gateway_host,
)
from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import Route

_SERVICE = "cs"
_HOST = gateway_host(_SERVICE)
_PATH = re.compile(r"^/(clusters|tasks|k8s|addons|cluster|api|regions)(/|$)")


class Roa(Family):
    """The container service."""

    services = (_SERVICE,)

    def recognise_host(self, request: Request) -> bool:
        """`cs.cn-shanghai.aliyuncs.com`, `cs.aliyuncs.com`."""
        host = _HOST.match(request.host)
        if host:
            request.service, request.region = _SERVICE, host["region"] or ""
        return host is not None

    def recognise_content(self, request: Request) -> bool:
        """A path of the service, signed as the gateway's clients do, or at an address."""
        signed = request.headers.get("authorization", "").startswith(("acs", "ACS3"))
        if _PATH.match(request.path) and (signed or _is_address(request.host)):
            request.service = _SERVICE
            return True
        return False

    def find_route(self, request: Request) -> Route:
        """By method and path."""
        return find_rest(_SERVICE, request)

    def unsigned(self) -> ApiError:
        """The container service speaks of a key that it does not find."""
        message = "AccessKeyId is mandatory for this action."
        return ApiError(403, "InvalidAccessKeyId.NotFound", message)

    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """`ForbiddenCheckUserPermission`."""
        message = f"user not authorized to {action} on {resource}"
        return ApiError(403, "ForbiddenCheckUserPermission", message)

    def error(self, request: Request, error: ApiError) -> Response:
        """`code`, `message` and `requestId`; what the gateway refuses has the gateway's form."""
        if before_the_service(error):
            return gateway_error(request, error)
        body = {"code": error.code, "message": error.message, "requestId": request_id()}
        return json_response({**body, **error.extra}, error.status)

    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """Of the query and the body."""
        return api_models.missing_in_rest(request, model)

    def title(self, service: str) -> str:
        """The service's heading."""
        return "Container service (ACK)"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
