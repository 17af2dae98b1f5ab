"""From a request to the identity behind it; a wrong key or signature ends in the service's own
error.
"""

from __future__ import annotations

import re

from lab.alicloud.auth import oss_signatures, s3_compatible, signatures
from lab.alicloud.auth.identity import Identity, check_session, find_identity, security_token
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.state import Region

MAX_SKEW = 900.0  # seconds OSS accepts between its clock and the client's


def authenticate(region: Region, request: Request) -> Identity | None:
    """The caller, or None for an unsigned request. Raises ApiError for a wrong signature or key."""
    header = request.headers.get("authorization", "")
    if request.service == "oss":
        return _oss(region, request, header)
    if header.startswith("acs "):
        access_key, _, signature = header[4:].partition(":")
        identity = _known(region, request, access_key)
        good = signatures.roa_matches(request, identity.secret, signature)
    elif header.startswith("ACS3-HMAC-SHA256"):
        fields = _fields(header)
        identity = _known(region, request, fields.get("Credential", ""))
        good = signatures.acs3_matches(
            request,
            identity.secret,
            fields.get("SignedHeaders", "").split(";"),
            fields.get("Signature", ""),
        )
    elif header.startswith("LOG "):
        access_key, _, signature = header[4:].partition(":")
        identity = _known(region, request, access_key)
        good = signatures.log_matches(request, identity.secret, signature)
    elif header.startswith("SLS4-HMAC-SHA256"):
        fields = _fields(header)
        access_key, _, scope = fields.get("Credential", "").partition("/")
        identity = _known(region, request, access_key)
        good = signatures.sls4_matches(request, identity.secret, scope, fields.get("Signature", ""))
    elif "Signature" in request.params:
        identity = _known(region, request, request.params.get("AccessKeyId", ""))
        good = signatures.rpc_matches(request, identity.secret)
    else:
        return None
    if not good:
        raise _mismatch(request)
    check_session(region, identity, security_token(request))
    return identity


def _oss(region: Region, request: Request, header: str) -> Identity | None:
    bucket, key, query = request.vars["bucket"], request.vars["key"], request.query
    if header.startswith("OSS "):
        access_key, _, signature = header[4:].partition(":")
        identity = _known(region, request, access_key)
        date = request.headers.get("x-oss-date") or request.headers.get("date", "")
        good = oss_signatures.v1_matches(request, bucket, key, identity.secret, signature, date)
    elif header.startswith("OSS4-HMAC-SHA256"):
        fields = _fields(header)
        identity, good = _oss_v4(
            region,
            request,
            fields.get("Credential", ""),
            fields.get("AdditionalHeaders", ""),
            fields.get("Signature", ""),
        )
    elif header.startswith(s3_compatible.SCHEME):
        identity, good = _s3(region, request, _fields(header))
    elif "x-oss-signature" in query:
        identity, good = _oss_v4(
            region,
            request,
            query.get("x-oss-credential", ""),
            query.get("x-oss-additional-headers", ""),
            query["x-oss-signature"],
        )
        started = oss_signatures.sent_at(request) or 0
        _not_later(region, started + float(query.get("x-oss-expires", "0") or 0))
    elif "OSSAccessKeyId" in query and "Signature" in query:
        identity = _known(region, request, query["OSSAccessKeyId"])
        good = oss_signatures.v1_matches(
            request, bucket, key, identity.secret, query["Signature"], query.get("Expires", "")
        )
        _not_later(region, float(query.get("Expires", "0") or 0))
    else:
        return None
    if not good:
        raise _mismatch(request)
    moment = oss_signatures.sent_at(request)
    if header and (moment is None or abs(moment - region.clock.now()) > MAX_SKEW):
        raise ApiError(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            EC="0002-00000504",
        )
    try:
        check_session(region, identity, security_token(request))
    except ApiError as error:
        code = "SecurityTokenExpired" if error.code.endswith("Expired") else "InvalidSecurityToken"
        raise ApiError(403, code, error.message, EC="0002-00000007") from None
    return identity


def _oss_v4(
    region: Region, request: Request, credential: str, additional: str, signature: str
) -> tuple[Identity, bool]:
    access_key, _, scope = credential.partition("/")
    identity = _known(region, request, access_key)
    names = [n for n in additional.split(";") if n]
    return identity, oss_signatures.v4_matches(
        request,
        request.vars["bucket"],
        request.vars["key"],
        identity.secret,
        scope,
        names,
        signature,
    )


def _s3(region: Region, request: Request, fields: dict[str, str]) -> tuple[Identity, bool]:
    access_key, _, scope = fields.get("Credential", "").partition("/")
    identity = _known(region, request, access_key)
    names = [name for name in fields.get("SignedHeaders", "").split(";") if name]
    good = s3_compatible.matches(
        request, identity.secret, scope, names, fields.get("Signature", "")
    )
    if good:
        s3_compatible.accept(request)
    return identity, good


def _not_later(region: Region, moment: float) -> None:
    if region.clock.now() > moment:
        raise ApiError(403, "AccessDenied", "Request has expired.", EC="0002-00000069")


def _fields(header: str) -> dict[str, str]:
    return {name: value.strip() for name, value in re.findall(r"(\w+)=([^,]*)", header)}


def _known(region: Region, request: Request, access_key: str) -> Identity:
    identity = find_identity(region, access_key)
    if identity is not None:
        return identity
    if request.service == "oss":
        message = "The OSS Access Key Id you provided does not exist in our records."
        raise ApiError(
            403, "InvalidAccessKeyId", message, OSSAccessKeyId=access_key, EC="0002-00000902"
        )
    if request.service == "sls":
        raise ApiError(401, "Unauthorized", f"AccessKeyId not found: {access_key}")
    raise ApiError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")


def _mismatch(request: Request) -> ApiError:
    if request.service == "oss":
        message = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        return ApiError(403, "SignatureDoesNotMatch", message, EC="0002-00000040")
    if request.service == "sls":
        return ApiError(
            403, "SignatureNotMatch", "signature does not match: check the access key secret"
        )
    return ApiError(
        403, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."
    )
