"""Turns an error of the OSS service, or of the connection to it, into one message that names the
remedy.
"""

from __future__ import annotations

import re

from .errors import ModelError
from .redact import redact

_BY_CODE = {
    "InvalidAccessKeyId": "the access key id does not exist or is disabled. Check accessKey, or ALICLOUD_ACCESS_KEY",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key id. Check secretKey, or ALICLOUD_SECRET_KEY",
    "SecurityTokenExpired": "the temporary keys have expired. Fetch new ones and run the same command again; it continues where it stopped",
    "InvalidSecurityToken": "the security token does not belong to the access key. Check securityToken, or ALICLOUD_SECURITY_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock differs from the service's by more than 15 minutes. Set the clock",
    "NoSuchBucket": "the bucket does not exist in this account. Check bucket; if the same program creates it, pass the resource's output",
    "UserDisable": "the account is overdue or its OSS is not activated. Settle that in the console",
    "QuotaExceeded": "a quota of the account is used up. Raise it or free space",
}
_ACTIONS = "oss:PutObject, oss:GetObject, oss:DeleteObject, oss:ListObjects, oss:AbortMultipartUpload, oss:ListParts"
_VERSION_ACTIONS = "oss:ListObjectVersions, oss:DeleteObjectVersion, oss:ListMultipartUploads"


def explained(error: Exception, bucket: str, endpoint: str, doing: str) -> ModelError:
    """The message for `error`, which happened while `doing` (such as "uploading") with `bucket` at
    `endpoint`.
    """
    from oss2 import exceptions  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    if isinstance(error, ModelError):
        return error
    where = f"{doing} oss://{bucket} at {endpoint}"
    if isinstance(error, exceptions.RequestError):
        return ModelError(f"{where}: {_transport(error, endpoint)}")
    if isinstance(error, exceptions.InconsistentError):
        reason = "what OSS stored differs from what was sent, after several attempts"
        return ModelError(
            f"{where}: {reason} ({redact(str(error.body))}). Check this machine's memory and network and run the command again."
        )
    if isinstance(error, exceptions.ServerError):
        return ModelError(f"{where}: {_service(error, bucket)}")
    if isinstance(error, exceptions.OssError):
        return ModelError(f"{where}: {redact(str(error.body))}")
    if isinstance(error, OSError):
        return ModelError(
            f"{where}: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        )
    return ModelError(
        f"{where}: unexpected {type(error).__name__}: {redact(str(error))}. This is a fault of the ossmodel provider."
    )


def _service(error, bucket: str) -> str:
    facts = f"HTTP {error.status} {error.code or 'without a code'}"
    message = f": {redact(error.message)}" if error.message else ""
    request = f" (request {error.request_id})" if error.request_id else ""
    if error.code in _BY_CODE:
        advice = _BY_CODE[error.code]
    elif error.code == "AccessDenied" or error.status == 403:
        advice = f"the keys may not do this. Allow {_ACTIONS} and {_VERSION_ACTIONS} on {bucket} and {bucket}/*"
    elif error.status >= 500 or error.status == 429:
        advice = "the service still failed after several attempts. What is uploaded stays; run the same command again later"
    elif error.status in (301, 302, 307) or error.code == "InvalidBucketLocation":
        advice = "the bucket is in another region. Set region to the bucket's"
    else:
        advice = "OSS refused the request"
    return f"{facts}{message}{request}. {advice[:1].upper()}{advice[1:]}."


def _transport(error, endpoint: str) -> str:
    text = redact(str(error.exception))
    if "CERTIFICATE" in text.upper():
        return (
            "the server's certificate is not trusted. Check the endpoint; if the certificate is your own CA's, "
            "set REQUESTS_CA_BUNDLE or SSL_CERT_FILE to that CA's file."
        )
    if re.search(r"NameResolution|Name or service|getaddrinfo|nodename", text):
        return f"the host name of {endpoint} cannot be resolved. Check region ({endpoint}) and this machine's DNS."
    if re.search(r"timed? ?out", text, re.IGNORECASE):
        return "no answer in time, after several attempts. What is uploaded stays; check the network and run the same command again."
    reason = re.search(
        r"(Connection refused|Connection reset|Network is unreachable|No route to host|Remote end closed)",
        text,
    )
    short = reason[1] if reason else text[:200]
    return f"the service cannot be reached ({short}), after several attempts. Check the endpoint, the proxy and the network."
