"""Signatures of the API gateway's clients: RPC (query), ROA (`acs`), ACS3-HMAC-SHA256 and the log
service's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from lab.alicloud.protocol import Request


@dataclass(frozen=True)
class Claim:
    """What a request claims to be signed with."""

    access_key: str
    matches: Callable[[str], bool]
    """Whether the key with this secret gives the request's signature."""
    expires: Callable[[], float] | None = None
    """Until when a signed URL is good (epoch seconds); None where the signature has no end."""


def gateway_claim(request: Request) -> Claim | None:
    """The claim of a request at the API gateway, in any of its clients' forms; None for an unsigned
    one.
    """
    header = request.headers.get("authorization", "")
    if header.startswith("acs "):
        access_key, _, signature = header[4:].partition(":")
        return Claim(access_key, lambda secret: roa_matches(request, secret, signature))
    if header.startswith("ACS3-HMAC-SHA256"):
        fields = fields_of(header)
        signed, given = fields.get("SignedHeaders", "").split(";"), fields.get("Signature", "")
        return Claim(
            fields.get("Credential", ""),
            lambda secret: acs3_matches(request, secret, signed, given),
        )
    if header.startswith("LOG "):
        access_key, _, signature = header[4:].partition(":")
        return Claim(access_key, lambda secret: log_matches(request, secret, signature))
    if header.startswith("SLS4-HMAC-SHA256"):
        fields = fields_of(header)
        access_key, _, scope = fields.get("Credential", "").partition("/")
        given = fields.get("Signature", "")
        return Claim(access_key, lambda secret: sls4_matches(request, secret, scope, given))
    if "Signature" in request.params:
        access_key = request.params.get("AccessKeyId", "")
        return Claim(access_key, lambda secret: rpc_matches(request, secret))
    return None


def fields_of(header: str) -> dict[str, str]:
    """The fields of an Authorization header: `Credential=…,SignedHeaders=…,Signature=…`."""
    return {name: value.strip() for name, value in re.findall(r"(\w+)=([^,]*)", header)}


def sha1(secret: str, text: str) -> str:
    """HMAC-SHA1 of the text with the secret, in base64."""
    return base64.b64encode(
        hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    ).decode()


def sha256(secret: str, text: str) -> str:
    """HMAC-SHA256 of the text with the secret, in base64."""
    return base64.b64encode(
        hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    ).decode()


def encode(text: str) -> str:
    """Percent-encoding after RFC 3986."""
    return quote(text, safe="-_.~")


def rpc_matches(request: Request, secret: str) -> bool:
    """Signature version 1.0 in the query: every parameter of query and form counts."""
    parameters = {name: value for name, value in request.params.items() if name != "Signature"}
    canonical = "&".join(
        f"{encode(name)}={encode(value)}" for name, value in sorted(parameters.items())
    )
    text = f"{request.method}&{encode('/')}&{encode(canonical)}"
    sign = sha256 if parameters.get("SignatureMethod") == "HMAC-SHA256" else sha1
    return _same(sign(secret + "&", text), request.params.get("Signature", ""))


def roa_matches(request: Request, secret: str, signature: str) -> bool:
    """`Authorization: acs AK:signature`; clients sign the resource either decoded and sorted or as
    sent.
    """
    headers = request.headers
    fixed = [
        request.method,
        headers.get("accept", ""),
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        headers.get("date", ""),
    ]
    own = "".join(
        f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-acs-")
    )
    as_sent = request.raw_path + ("?" + request.raw_query if request.raw_query else "")
    pairs = sorted(request.query.items())
    decoded = {
        request.path + _joined(pairs, True),
        request.raw_path + _joined(pairs, True),
        request.path + _joined(pairs, False),
    }
    return any(
        _same(sha1(secret, "\n".join(fixed) + "\n" + own + resource), signature)
        for resource in {as_sent, *decoded}
    )


def acs3_matches(request: Request, secret: str, signed_headers: list[str], signature: str) -> bool:
    """`ACS3-HMAC-SHA256`: canonical request with the body's digest, which is checked too."""
    digest = request.headers.get("x-acs-content-sha256", "")
    if digest != hashlib.sha256(request.body).hexdigest():
        return False
    canonical_headers = "".join(
        f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed_headers
    )
    canonical_query = "&".join(
        f"{encode(name)}={encode(value)}" for name, value in sorted(request.query.items())
    )
    for path in {request.raw_path, quote(request.path, safe="/-_.~")}:
        text = "\n".join(
            [
                request.method,
                path,
                canonical_query,
                canonical_headers,
                ";".join(signed_headers),
                digest,
            ]
        )
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(text.encode()).hexdigest()
        if _same(
            hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest(), signature
        ):
            return True
    return False


def log_matches(request: Request, secret: str, signature: str) -> bool:
    """`Authorization: LOG AK:signature`, hmac-sha1 or hmac-sha256; the body's MD5 is checked if
    given.
    """
    headers = request.headers
    if (
        headers.get("content-md5")
        and headers["content-md5"].upper() != hashlib.md5(request.body).hexdigest().upper()
    ):
        return False
    own = "".join(
        f"{n}:{headers[n]}\n" for n in sorted(headers) if n.startswith(("x-log-", "x-acs-"))
    )
    resource = request.path + _joined(sorted(request.query.items()), True)
    text = "\n".join(
        [
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            headers.get("date", ""),
        ]
    )
    sign = sha256 if headers.get("x-log-signaturemethod") == "hmac-sha256" else sha1
    return _same(sign(secret, f"{text}\n{own}{resource}"), signature)


def sls4_matches(request: Request, secret: str, scope: str, signature: str) -> bool:
    """`SLS4-HMAC-SHA256`: the log service's newer signature."""
    date, region, product, ending = (scope.split("/") + [""] * 4)[:4]
    headers = request.headers
    names = sorted(
        n for n in headers if n.startswith(("x-log-", "x-acs-")) or n in ("host", "content-type")
    )
    canonical_headers = "".join(f"{n}:{headers[n].strip()}\n" for n in names)
    query = "&".join(
        f"{encode(n)}={encode(v)}" if v else encode(n) for n, v in sorted(request.query.items())
    )
    digest = headers.get("x-log-content-sha256", "")
    text = "\n".join(
        [request.method, request.raw_path, query, canonical_headers, ";".join(names), digest]
    )
    to_sign = f"SLS4-HMAC-SHA256\n{headers.get('x-log-date', '')}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
    key = chain(("aliyun_v4" + secret).encode(), (date, region, product, ending))
    return _same(hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signature)


def chain(key: bytes, parts: Iterable[str]) -> bytes:
    """The signing key of the version 4 signatures."""
    for part in parts:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _joined(pairs: list[tuple[str, str]], keep_empty: bool) -> str:
    if not pairs:
        return ""
    return "?" + "&".join(
        f"{name}={value}" if value or keep_empty else name for name, value in pairs
    )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
