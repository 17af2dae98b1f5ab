"""OSS: buckets in the host, objects in the path, calls told apart by method and sub-resource, XML,
signatures of its own, and S3's clients.

Its handlers check permissions themselves, because these depend on the bucket's policy and the
object, and open their own transactions, so that bytes are written outside of them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lab.alicloud import api_models
from lab.alicloud.api_models import Model
from lab.alicloud.auth import oss_signatures
from lab.alicloud.auth.identity import Identity, check_session, security_token
from lab.alicloud.families.base import REGION, Family
from lab.alicloud.protocol import (
    ApiError,
    Asked,
    Request,
    Response,
    element,
    oss_request_id,
    xml_response,
)
from lab.alicloud.registry import OSS, Route
from lab.alicloud.services.oss import issuer
from lab.alicloud.state import Region

_SERVICE = "oss"
MAX_SKEW = 900.0
"""Seconds that OSS accepts between its clock and the client's."""
_HOST = re.compile(
    r"^(?:(?P<bucket>(?!s3\.)[a-z0-9][a-z0-9-]*)\.)?(?:s3\.)?(?:oss|vpc100-oss)-"
    rf"(?P<region>{REGION}?)(?:-internal)?\.aliyuncs\.com$"
)
_DECIDING = [
    "bucketInfo",
    "stat",
    "location",
    "acl",
    "policy",
    "policyStatus",
    "versioning",
    "versions",
    "versionId",
    "encryption",
    "lifecycle",
    "cors",
    "website",
    "logging",
    "referer",
    "tagging",
    "transferAcceleration",
    "resourceGroup",
    "publicAccessBlock",
    "httpsConfig",
    "accessmonitor",
    "requestPayment",
    "inventory",
    "replication",
    "worm",
    "metaQuery",
    "cname",
    "style",
    "delete",
    "uploads",
    "uploadId",
    "append",
    "symlink",
    "restore",
    "objectMeta",
    "x-oss-process",
    "live",
    "vod",
    "accessPoint",
    "redundancyTransition",
    "archiveDirectRead",
]  # in this order they decide which call a request is


class Oss(Family):
    """Object storage."""

    services = (_SERVICE,)
    columns = ("call", "request", "needs")

    def recognise_host(self, request: Request) -> bool:
        """`oss-cn-shanghai.aliyuncs.com`, with the bucket before it."""
        host = _HOST.match(request.host)
        if host:
            request.service, request.region = _SERVICE, host["region"] or ""
            request.vars = {"bucket": host["bucket"] or "", "key": request.path[1:]}
        return host is not None

    def recognise_content(self, request: Request) -> bool:
        """A signature of OSS's clients; bucket and key are then both in the path."""
        signed = request.headers.get("authorization", "").startswith("OSS")
        if signed or "x-oss-signature" in request.query or "OSSAccessKeyId" in request.query:
            bucket, _, key = request.path[1:].partition("/")
            request.service, request.vars = _SERVICE, {"bucket": bucket, "key": key}
            return True
        return False

    def find_route(self, request: Request) -> Route:
        """By scope, method and the sub-resource that decides."""
        bucket, key = request.vars["bucket"], request.vars["key"]
        if issuer.is_issuer(bucket) and request.method == "GET":
            request.call = issuer.ROUTE.call
            return issuer.ROUTE
        scope = "object" if key else "bucket" if bucket else "service"
        sub = next((name for name in _DECIDING if name in request.query), "")
        if scope == "object" and sub == "versionId":
            sub = ""
        route = OSS.get((scope, request.method, sub))
        if route is None:
            request.call = f"{request.method} {scope}{'?' + sub if sub else ''}"
            message = (
                f"The lab's cloud double does not implement OSS {request.call}. "
                "See lab/docs/coverage.md for what it does."
            )
            raise ApiError(501, "NotImplemented", message)
        request.call = route.call
        return route

    def authenticate(self, region: Region, request: Request) -> Identity | None:
        """The caller by any of OSS's signatures; signed URLs expire, clocks may not differ much."""
        claim = oss_signatures.claim(request)
        if claim is None:
            return None
        identity = self.identity_of(region, claim.access_key)
        good = claim.matches(identity.secret)
        if claim.expires is not None and region.clock.now() > claim.expires():
            raise ApiError(403, "AccessDenied", "Request has expired.", EC="0002-00000069")
        if not good:
            raise self.wrong_signature()
        moment = oss_signatures.sent_at(request)
        in_header = request.headers.get("authorization", "") != ""
        if in_header and (moment is None or abs(moment - region.clock.now()) > MAX_SKEW):
            message = "The difference between the request time and the current time is too large."
            raise ApiError(403, "RequestTimeTooSkewed", message, EC="0002-00000504")
        try:
            check_session(region, identity, security_token(request))
        except ApiError as error:
            expired = error.code.endswith("Expired")
            code = "SecurityTokenExpired" if expired else "InvalidSecurityToken"
            raise ApiError(403, code, error.message, EC="0002-00000007") from None
        return identity

    def unknown_key(self, access_key: str) -> ApiError:
        """`InvalidAccessKeyId`, which names the key."""
        message = "The OSS Access Key Id you provided does not exist in our records."
        return ApiError(
            403, "InvalidAccessKeyId", message, OSSAccessKeyId=access_key, EC="0002-00000902"
        )

    def wrong_signature(self) -> ApiError:
        """`SignatureDoesNotMatch`, with OSS's own number."""
        message = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )
        return ApiError(403, "SignatureDoesNotMatch", message, EC="0002-00000040")

    def authorize(self, region: Region, request: Request, route: Route) -> None:
        """Nothing yet: handlers ask `services.oss.access.require`."""

    def denied(self, service: str, action: str, resource: str) -> ApiError:
        """`AccessDenied`; the handlers' own refusals say more."""
        return ApiError(403, "AccessDenied", f"{action} on {resource} is not allowed.")

    def validate(self, request: Request) -> None:
        """Nothing yet: handlers refuse what they lack, in OSS's own words."""

    def transaction(self, region: Region) -> AbstractContextManager[None]:
        """None: handlers open their own, and no instance changes by them."""
        return nullcontext()

    def error(self, request: Request, error: ApiError) -> Response:
        """XML; the answer to HEAD carries it in a header."""
        identifier, ec = oss_request_id(), str(error.extra.get("EC", "0000-00000000"))
        fields = [
            element("Code", error.code),
            element("Message", error.message),
            element("RequestId", identifier),
            element("HostId", request.host),
        ]
        fields += [element(name, value) for name, value in error.extra.items() if name != "EC"]
        text = element("Error", *fields, element("EC", ec))
        headers = {"x-oss-ec": ec, "x-oss-request-id": identifier}
        response = xml_response(text, error.status, **headers)
        if request.method == "HEAD":
            assert isinstance(response.body, bytes)
            response.headers["x-oss-err"] = base64.b64encode(response.body).decode()
            response.body = b""
        return response

    def sees_past(self, request: Request) -> bool:
        """OSS knows no delay for objects: calls about them see the present."""
        return not request.vars.get("key") and request.call != "DeleteMultipleObjects"

    def missing_in(self, request: Request, model: Model) -> Iterable[str]:
        """Of the query and the headers."""
        return (
            name
            for name in api_models.required(model)
            if not dict.get(request.query, name) and not request.headers.get(name)
        )

    def knows(self, name: str, model: Model) -> bool:
        """A parameter of the query, or a header in small letters."""
        return api_models.known_to_oss(name, model)

    def differences(self, result: Any, model: Model) -> Iterator[str]:
        """In headers and elements."""
        return api_models.oss_differences(result, model)

    def watched_headers(self, request: Request) -> dict[str, str]:
        """Headers are parameters of OSS: those that a handler reads are noted."""
        return Asked(request.headers, request.asked_headers)

    def title(self, service: str) -> str:
        """The service's heading."""
        return "OSS"

    def rows(self, service: str) -> list[tuple[str, ...]]:
        """The calls with the permissions that they need."""
        return [
            (r.call, f"`{r.method} {r.scope}{'?' + r.sub if r.sub else ''}`", f"`{r.permission}`")
            for r in sorted(OSS.values(), key=lambda r: (r.call, r.method, r.scope))
        ]
