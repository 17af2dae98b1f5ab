"""OSS as S3's clients see it: host `s3.oss-<region>`, AWS4-HMAC-SHA256, `x-amz-` headers; what OSS
has against some of them.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

from lab.alicloud.auth.signatures import chain
from lab.alicloud.protocol import ApiError, Request

SCHEME = "AWS4-HMAC-SHA256"
_CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


def matches(
    request: Request, secret: str, scope: str, signed_headers: list[str], signature: str
) -> bool:
    """Whether the signature is that of this request; `scope` is
    `<date>/<region>/s3/aws4_request`.
    """
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers
    )
    query = "&".join(
        sorted(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in request.query.items()
        )
    )
    path, digest = (
        quote(request.path, safe="/-_.~"),
        request.headers.get("x-amz-content-sha256", ""),
    )
    text = "\n".join([request.method, path, query, headers, ";".join(signed_headers), digest])
    to_sign = f"{SCHEME}\n{request.headers.get('x-amz-date', '')}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
    key = chain(("AWS4" + secret).encode(), scope.split("/"))
    return hmac.compare_digest(
        hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signature
    )


def accept(request: Request) -> None:
    """Turns a request whose signature is right into one of OSS. Raises ApiError for what OSS does
    not take from S3's clients.
    """
    if request.vars["key"] and not request.vars["bucket"]:
        message = "The bucket you are attempting to access must be addressed using OSS third level domain."
        raise ApiError(403, "SecondLevelDomainForbidden", message, EC="0003-00001401")
    digest = request.headers.get("x-amz-content-sha256", "")
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        _refuse_chunks(digest)
    if len(digest) == 64 and digest != hashlib.sha256(request.body).hexdigest():
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise ApiError(400, "XAmzContentSHA256Mismatch", message)
    for name, value in list(request.headers.items()):
        if name.startswith("x-amz-"):
            request.headers.setdefault(f"x-oss-{name.removeprefix('x-amz-')}", value)


def _refuse_chunks(digest: str) -> None:
    if digest != _CHUNKED:
        message = (
            "aws-chunked encoding is not supported with the specified x-amz-content-sha256 value."
        )
        raise ApiError(
            400,
            "InvalidArgument",
            message,
            ArgumentName="Content-Encoding",
            ArgumentValue="aws-chunked",
            EC="0017-00000804",
        )
    raise ApiError(
        501,
        "NotImplemented",
        "The lab's cloud double does not implement signed chunks of S3's clients.",
    )
