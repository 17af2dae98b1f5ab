"""The OSS operations behind the recorded calls: a bucket, its split resources and an object."""

import base64
import hashlib
import json
from typing import Any

from lab.tests.alicloud_plugin.scenarios import BUCKET, Phase, Step

_BUCKET_TYPE = "alicloud:oss/bucket:Bucket"
_OBJECT_TYPE = "alicloud:oss/bucketObject:BucketObject"
_BUCKET: dict[str, Any] = {
    "bucket": BUCKET,
    "storageClass": "Standard",
    "redundancyType": "LRS",
    "tags": {"app": "inference"},
}
_SPLIT_OFF = ["versioning", "serverSideEncryptionRule", "policy"]
"""What the bucket itself must leave alone because split resources set it; without this it deletes
their settings.
"""
_RULE = {
    "id": "old",
    "prefix": "models/",
    "enabled": True,
    "abortMultipartUploads": [{"days": 7}],
    "noncurrentVersionExpirations": [{"days": 30}],
}
_STATEMENT = {
    "Effect": "Deny",
    "Principal": ["*"],
    "Action": ["oss:*"],
    "Resource": [f"acs:oss:*:*:{BUCKET}", f"acs:oss:*:*:{BUCKET}/*"],
    "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
}


def _split(name: str, calls: list[int], **inputs: Any) -> Step:
    module_type = name[0].lower() + name[1:]
    return Step(
        "create", name, calls, f"alicloud:oss/{module_type}:{name}", {"bucket": BUCKET, **inputs}
    )


def _content(size: int) -> str:
    return "x" * size


def _digest(size: int) -> str:
    return base64.b64encode(hashlib.md5(_content(size).encode()).digest()).decode()


DIGESTS = {"gKkVctrV9OQQUIPzaTkMwQ==": _digest(6000), "Ii+Dtg6tQvBGbQD3cWvtLA==": _digest(7000)}
"""Recorded MD5s of contents that were not recorded, and the MD5s of the contents which stand for
them here.
"""


def _object(key: str, size: int, **inputs: Any) -> dict[str, Any]:
    return {
        "bucket": BUCKET,
        "key": key,
        "content": _content(size),
        "contentType": "application/octet-stream",
        **inputs,
    }


def _create() -> Phase:
    policy = json.dumps({"Version": "1", "Statement": [_STATEMENT]})
    return Phase(
        "create",
        [
            Step("create", "bucket", list(range(126, 141)), _BUCKET_TYPE, _BUCKET),
            _split("BucketServerSideEncryption", [141, 153, 154], sseAlgorithm="AES256"),
            _split("BucketVersioning", [142, 148], status="Enabled"),
            _split(
                "BucketHttpsConfig",
                [143, 155, 156],
                enable=True,
                tlsVersions=["TLSv1.2", "TLSv1.3"],
            ),
            _split("BucketAcl", [144, 150], acl="private"),
            _split("BucketPolicy", [145, 151], policy=policy),
            _split("BucketPublicAccessBlock", [146, 152], blockPublicAccess=True),
            Step(
                "create",
                "object",
                [147, 149],
                _OBJECT_TYPE,
                _object("models/1/saved_model.pb", 5000),
            ),
        ],
    )


def _refresh() -> Phase:
    return Phase(
        "refresh",
        [
            Step("read", "BucketPublicAccessBlock", [157, 164]),
            Step("read", "BucketVersioning", [165]),
            Step("read", "BucketServerSideEncryption", [166]),
            Step("read", "BucketPolicy", [168]),
            Step("read", "BucketAcl", [169]),
            Step("read", "BucketHttpsConfig", [170]),
            Step("read", "bucket", [167, 171, 173, 174, 175, 176, 177, 178, 179, 180]),
            Step("read", "object", [172]),
        ],
    )


def _destroy() -> list[Phase]:
    """A bucket that is not empty stays unless it was told to go with its content."""
    splits = [
        Step("delete", "object2", [355, 359, 363]),
        Step("delete", "BucketServerSideEncryption", [360]),
        Step("delete", "BucketPublicAccessBlock", [361]),
        Step("delete", "BucketPolicy", [362]),
        Step("delete", "BucketVersioning", []),
        Step("delete", "BucketHttpsConfig", []),
        Step("delete", "BucketAcl", []),
        Step("delete", "bucket", [364, 365], error="ErrorCode=BucketNotEmpty", staged=True),
    ]
    forced = {**_BUCKET, "forceDestroy": True}
    return [
        Phase("destroy non-empty", splits),
        Phase(
            "destroy force",
            [
                Step(
                    "delete",
                    "bucket",
                    [380, 381, 382, 383, 384, 385, 386],
                    inputs=forced,
                    staged=True,
                )
            ],
        ),
    ]


def _refused(title: str, calls: list[int], error: str) -> Phase:
    return Phase(
        title, [Step("create", title, calls, _BUCKET_TYPE, _BUCKET, error=error, staged=True)]
    )


def oss() -> list[Phase]:
    """Create, refresh, changes and destroy; then the refusals of a new bucket."""
    changed = _object("models/1/saved_model.pb", 6000, contentMd5=_digest(6000))
    replaced = _object("models/2/saved_model.pb", 7000, contentMd5=_digest(7000))
    return [
        _create(),
        _refresh(),
        Phase("object add md5", [Step("update", "object", [205, 206, 207], inputs=changed)]),
        Phase(
            "object key replace and lifecycle",
            [
                Step(
                    "update",
                    "bucket",
                    list(range(315, 327)),
                    inputs={**_BUCKET, "lifecycleRules": [_RULE]},
                    ignore=_SPLIT_OFF,
                ),
                Step("create", "object2", [327, 328], _OBJECT_TYPE, replaced),
                Step("delete", "object", [329, 330]),
            ],
        ),
        *_destroy(),
        _refused("create 409", [387, 388, 389], "ErrorCode=BucketAlreadyExists"),
        _refused("create 403", [390, 391, 392], "ErrorCode=AccessDenied"),
        _refused("create exists own", [393, 394], "is not available"),
    ]
