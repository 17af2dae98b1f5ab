"""SLS: the log service's REST calls, with the project in the host, signatures and errors of its
own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lab.alicloud import api_models
from lab.alicloud.api_models import Model
from lab.alicloud.families.base import REGION, Family, find_rest
from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import Route
from lab.alicloud.services.sls.wire import old_logs

_SERVICE = "sls"
_HOST = re.compile(
    rf"^(?:(?P<project>[a-z0-9][a-z0-9-]*)\.)?(?P<region>{REGION}?)"
    r"(?:-intranet|-share)?\.log\.aliyuncs\.com$"
)


class Sls(Family):
    """The log service."""

    services = (_SERVICE,)

    def recognise_host(self, request: Request) -> bool:
        """`cn-shanghai.log.aliyuncs.com`, with a project before it for all but their list."""
        host = _HOST.match(request.host)
        if host:
            request.service, request.region = _SERVICE, host["region"] or ""
            request.vars = {"project": host["project"] or ""}
        return host is not None

    def recognise_content(self, request: Request) -> bool:
        """A signature of the log service's clients."""
        if request.headers.get("authorization", "").startswith(("LOG", "SLS4")):
            request.service, request.vars = _SERVICE, {"project": ""}
            return True
        return False

    def find_route(self, request: Request) -> Route:
        """By method and path."""
        return find_rest(_SERVICE, request)

    def unknown_key(self, access_key: str) -> ApiError:
        """401."""
        return ApiError(401, "Unauthorized", f"AccessKeyId not found: {access_key}")

    def wrong_signature(self) -> ApiError:
        """`SignatureNotMatch`."""
        message = "signature does not match: check the access key secret"
        return ApiError(403, "SignatureNotMatch", message)

    def unsigned(self) -> ApiError:
        """401."""
        return ApiError(401, "Unauthorized", "Authorization header is missing")

    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """401, which names action and resource."""
        message = f"denied by sts or ram, action: {action}, resource: {resource}"
        return ApiError(401, "Unauthorized", message)

    def error(self, request: Request, error: ApiError) -> Response:
        """`errorCode` and `errorMessage`; the request's id is a header."""
        body = {"errorCode": error.code, "errorMessage": error.message}
        identifier = request_id().replace("-", "")[:24]
        return json_response(body, error.status, **{"x-log-requestid": identifier})

    def missing(self, service: str, name: str) -> ApiError:
        """`ParameterInvalid`."""
        return ApiError(400, "ParameterInvalid", f"{name} is required")

    def action(self, request: Request) -> str:
        """Two calls of the log service share path and permission with another one."""
        if request.call == "GetLogStore" and old_logs(request):
            return "sls:GetLogs"
        if request.call == "GetProject" and not request.vars.get("project"):
            return "sls:ListProject"
        return super().action(request)

    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """Of the query and the body."""
        return api_models.missing_in_rest(request, model)

    def title(self, service: str) -> str:
        """The service's heading."""
        return "Log service (SLS)"
