"""Requests to hosts that no family has: they are refused with 501, which names them."""

from __future__ import annotations

from collections.abc import Iterable

from lab.alicloud.api_models import Model
from lab.alicloud.auth.identity import Identity
from lab.alicloud.families.base import Family, find_rest, gateway_error
from lab.alicloud.protocol import ApiError, Request, Response
from lab.alicloud.registry import Route
from lab.alicloud.state import Region


class Unknown(Family):
    """No service; it has no route, so nothing after `find_route` but `error` is reached."""

    def recognise_host(self, request: Request) -> bool:
        """Always."""
        return True

    def recognise_content(self, request: Request) -> bool:
        """Always."""
        return True

    def find_route(self, request: Request) -> Route:
        """Raises ApiError 501."""
        return find_rest("", request)

    def authenticate(self, region: Region, request: Request) -> Identity | None:
        """Nobody knows how such a request would be signed."""
        return None

    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """Refuses as the gateway does."""
        return ApiError(403, "Forbidden.RAM", f"Action: {action} Resource: {resource}")

    def error(self, request: Request, error: ApiError) -> Response:
        """The gateway's form."""
        return gateway_error(request, error)

    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """Nothing is required of it."""
        return ()
