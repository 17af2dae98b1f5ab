"""Signatures of OSS clients: V1 (header or URL) and V4 (header or URL)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

from lab.alicloud.auth import s3_compatible
from lab.alicloud.auth.signatures import Claim, chain, fields_of, sha1
from lab.alicloud.protocol import Request

_SIGNED_PARAMETERS = """
acl uploadId uploads partNumber group link delete website location objectInfo objectMeta logging cors lifecycle restore qos
referer stat bucketInfo append position security-token symlink callback callback-var tagging encryption versions versioning
versionId policy requestPayment x-oss-traffic-limit qosInfo asyncFetch x-oss-request-payer sequential inventory inventoryId
continuation-token worm wormId wormExtend replication replicationLocation replicationProgress transferAcceleration cname metaQuery
x-oss-process resourceGroup style styleName x-oss-async-process regionList httpsConfig publicAccessBlock accessPoint
accessPointPolicy redundancyTransition live comp status vod startTime endTime accessmonitor policyStatus response-content-type
response-content-language response-cache-control response-content-encoding response-expires response-content-disposition
"""
SUBRESOURCES = frozenset(_SIGNED_PARAMETERS.split())


def claim(request: Request) -> Claim | None:
    """What a request to OSS claims to be signed with, None for an unsigned one."""
    header, query = request.headers.get("authorization", ""), request.query
    if header.startswith("OSS "):
        access_key, _, signature = header[4:].partition(":")
        date = request.headers.get("x-oss-date") or request.headers.get("date", "")
        return Claim(access_key, lambda secret: v1_matches(request, secret, signature, date))
    if header.startswith("OSS4-HMAC-SHA256"):
        fields = fields_of(header)
        credential, additional = fields.get("Credential", ""), fields.get("AdditionalHeaders", "")
        return _v4_claim(request, credential, additional, fields.get("Signature", ""))
    if header.startswith(s3_compatible.SCHEME):
        return _s3_claim(request, fields_of(header))
    if "x-oss-signature" in query:
        return _v4_claim(
            request,
            query.get("x-oss-credential", ""),
            query.get("x-oss-additional-headers", ""),
            query["x-oss-signature"],
            lambda: (sent_at(request) or 0) + float(query.get("x-oss-expires", "0") or 0),
        )
    if "OSSAccessKeyId" in query and "Signature" in query:
        signature, date = query["Signature"], query.get("Expires", "")
        return Claim(
            query["OSSAccessKeyId"],
            lambda secret: v1_matches(request, secret, signature, date),
            lambda: float(date or 0),
        )
    return None


def _v4_claim(
    request: Request,
    credential: str,
    additional: str,
    signature: str,
    expires: Callable[[], float] | None = None,
) -> Claim:
    access_key, _, scope = credential.partition("/")
    names = [name for name in additional.split(";") if name]
    return Claim(
        access_key, lambda secret: v4_matches(request, secret, scope, names, signature), expires
    )


def _s3_claim(request: Request, fields: dict[str, str]) -> Claim:
    access_key, _, scope = fields.get("Credential", "").partition("/")
    names = [name for name in fields.get("SignedHeaders", "").split(";") if name]

    def matches(secret: str) -> bool:
        good = s3_compatible.matches(request, secret, scope, names, fields.get("Signature", ""))
        if good:
            s3_compatible.accept(request)
        return good

    return Claim(access_key, matches)


def v1_matches(request: Request, secret: str, signature: str, date: str) -> bool:
    """`OSS AK:signature`; `date` is the Date header, or the expiry of a signed URL."""
    bucket, key = request.vars["bucket"], request.vars["key"]
    headers = request.headers
    own = "".join(
        f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-oss-")
    )
    picked = sorted((name, value) for name, value in request.query.items() if name in SUBRESOURCES)
    sub = "&".join(f"{name}={value}" if value else name for name, value in picked)
    resource = ("/" + bucket + "/" + key if bucket else "/") + ("?" + sub if sub else "")
    text = "\n".join(
        [
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            date,
            own + resource,
        ]
    )
    return hmac.compare_digest(sha1(secret, text), signature)


def v4_matches(
    request: Request, secret: str, scope: str, additional: list[str], signature: str
) -> bool:
    """`OSS4-HMAC-SHA256`, in the header or in the URL (then the query holds the parameters)."""
    bucket, key = request.vars["bucket"], request.vars["key"]
    stamp = _stamp(request)
    names = {
        n
        for n in request.headers
        if n.startswith("x-oss-") or n in ("content-type", "content-md5") or n in additional
    }
    headers = "".join(f"{n}:{request.headers[n].strip()}\n" for n in sorted(names))
    query = {name: value for name, value in request.query.items() if name != "x-oss-signature"}
    path = quote(f"/{bucket}/{key}" if bucket else "/", safe="/-_.~")
    digest = request.headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD")
    signing_key = chain(("aliyun_v4" + secret).encode(), scope.split("/"))
    for keep_empty in (False, True):
        pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in query.items())
        canonical_query = "&".join(f"{n}={v}" if v or keep_empty else n for n, v in pairs)
        text = "\n".join(
            [request.method, path, canonical_query, headers, ";".join(sorted(additional)), digest]
        )
        to_sign = f"OSS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
        if hmac.compare_digest(
            hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest(), signature
        ):
            return True
    return False


def _stamp(request: Request) -> str:
    # clients sign the date as they send it: x-oss-date in ISO form, or the Date header in HTTP form
    return (
        request.headers.get("x-oss-date")
        or request.query.get("x-oss-date")
        or request.headers.get("date", "")
    )


def sent_at(request: Request) -> float | None:
    """When the client says it signed (epoch seconds)."""
    text = (
        request.headers.get("x-oss-date")
        or request.query.get("x-oss-date")
        or request.headers.get("date", "")
    )
    for form in ("%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT"):
        try:
            return datetime.strptime(text + "+0000", form + "%z").timestamp()
        except ValueError:
            continue
    return None
