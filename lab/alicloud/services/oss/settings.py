"""OSS: a bucket's settings, each a sub-resource kept as the client sent it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.alicloud.protocol import ApiError, Request, Response, element, oss_request_id, xml_response
from lab.alicloud.registry import oss
from lab.alicloud.services.oss.access import block_public_access
from lab.alicloud.services.oss.buckets import ACLS, checked, empty_answer, owner, parse_xml
from lab.alicloud.state import Region


@dataclass(frozen=True)
class Setting:
    """One sub-resource. `default` is answered while it is unset, unless `missing` names the 404."""

    sub: str
    name: str
    root: str
    missing: str = ""
    message: str = ""
    default: str = ""
    deletable: bool = True


SETTINGS = (
    Setting(
        "cors",
        "BucketCors",
        "CORSConfiguration",
        "NoSuchCORSConfiguration",
        "The CORS Configuration does not exist.",
    ),
    Setting(
        "website",
        "BucketWebsite",
        "WebsiteConfiguration",
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration.",
    ),
    Setting(
        "lifecycle",
        "BucketLifecycle",
        "LifecycleConfiguration",
        "NoSuchLifecycle",
        "No Row found in Lifecycle Table.",
    ),
    Setting(
        "encryption",
        "BucketEncryption",
        "ServerSideEncryptionRule",
        "NoSuchServerSideEncryptionRule",
        "The server side encryption configuration does not exist.",
    ),
    Setting(
        "httpsConfig",
        "BucketHttpsConfig",
        "HttpsConfiguration",
        "NoSuchHttpsConfig",
        "The https config does not exist.",
        deletable=False,
    ),
    Setting(
        "transferAcceleration",
        "BucketTransferAcceleration",
        "TransferAccelerationConfiguration",
        "NoSuchTransferAccelerationConfiguration",
        "The transfer acceleration configuration does not exist.",
        deletable=False,
    ),
    Setting(
        "logging",
        "BucketLogging",
        "BucketLoggingStatus",
        default="<BucketLoggingStatus></BucketLoggingStatus>",
    ),
    Setting(
        "referer",
        "BucketReferer",
        "RefererConfiguration",
        deletable=False,
        default="<RefererConfiguration><AllowEmptyReferer>true</AllowEmptyReferer><RefererList></RefererList></RefererConfiguration>",
    ),
    Setting("tagging", "BucketTagging", "Tagging", default="<Tagging><TagSet></TagSet></Tagging>"),
    Setting(
        "versioning",
        "BucketVersioning",
        "VersioningConfiguration",
        default="<VersioningConfiguration></VersioningConfiguration>",
        deletable=False,
    ),
    Setting(
        "publicAccessBlock",
        "BucketPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        default="<PublicAccessBlockConfiguration><BlockPublicAccess>false</BlockPublicAccess></PublicAccessBlockConfiguration>",
    ),
    Setting(
        "accessmonitor",
        "BucketAccessMonitor",
        "AccessMonitorConfiguration",
        deletable=False,
        default="<AccessMonitorConfiguration><Status>Disabled</Status></AccessMonitorConfiguration>",
    ),
    Setting(
        "requestPayment",
        "BucketRequestPayment",
        "RequestPaymentConfiguration",
        deletable=False,
        default="<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
    ),
)
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def _register(setting: Setting) -> None:
    @oss("bucket", "GET", setting.sub, f"Get{setting.name}")
    def get(region: Region, request: Request) -> Response:
        bucket = checked(region, request, f"oss:Get{setting.name}")
        text = bucket["config"].get(setting.sub)
        if text is None and setting.missing:
            raise ApiError(404, setting.missing, setting.message)
        return xml_response(text if text is not None else setting.default)

    @oss("bucket", "PUT", setting.sub, f"Put{setting.name}")
    def put(region: Region, request: Request) -> Response:
        with region.store.transaction():
            bucket = checked(region, request, f"oss:Put{setting.name}")
            if parse_xml(request).tag != setting.root:
                raise ApiError(
                    400,
                    "MalformedXML",
                    f"The XML you provided was not well-formed: expected {setting.root}.",
                )
            text = request.body.decode()
            bucket["config"][setting.sub] = (
                text[text.index("?>") + 2 :].strip() if text.startswith("<?xml") else text.strip()
            )
            _check(setting.sub, bucket["config"][setting.sub])
            region.store.put("bucket", bucket["name"], bucket)
        return empty_answer()

    if setting.deletable:

        @oss("bucket", "DELETE", setting.sub, f"Delete{setting.name}")
        def delete(region: Region, request: Request) -> Response:
            _drop(region, request, setting.sub, f"oss:Delete{setting.name}")
            return empty_answer(204)


def _check(sub: str, text: str) -> None:
    if sub == "versioning" and not any(f"<Status>{s}<" in text for s in ("Enabled", "Suspended")):
        raise ApiError(400, "MalformedXML", "The versioning status must be Enabled or Suspended.")
    if sub == "encryption" and not any(
        f"<SSEAlgorithm>{s}<" in text for s in ("AES256", "KMS", "SM4")
    ):
        raise ApiError(
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256/KMS/SM4.",
        )


def _drop(region: Region, request: Request, sub: str, permission: str) -> None:
    with region.store.transaction():
        bucket = checked(region, request, permission)
        if bucket["config"].pop(sub, None) is not None:
            region.store.put("bucket", bucket["name"], bucket)


for _setting in SETTINGS:
    _register(_setting)


@oss("bucket", "GET", "acl", "GetBucketAcl")
def get_acl(region: Region, request: Request) -> Response:
    """The access control list of the bucket."""
    bucket = checked(region, request, "oss:GetBucketAcl")
    grant = element("AccessControlList", element("Grant", bucket["acl"]))
    return xml_response(element("AccessControlPolicy", owner(region), grant))


@oss("bucket", "PUT", "acl", "PutBucketAcl")
def put_acl(region: Region, request: Request) -> Response:
    """A new ACL; a public one is refused while public access is blocked."""
    acl = request.headers.get("x-oss-acl", "")
    if acl not in ACLS:
        raise ApiError(400, "InvalidArgument", f"no such bucket access control exists: {acl}")
    with region.store.transaction():
        bucket = checked(region, request, "oss:PutBucketAcl")
        if acl != "private" and block_public_access(bucket):
            raise ApiError(
                403,
                "AccessDenied",
                "Put public bucket acl is not allowed: block public access is on.",
                EC="0015-00000910",
            )
        region.store.put("bucket", bucket["name"], {**bucket, "acl": acl})
    return empty_answer()


@oss("bucket", "GET", "policy", "GetBucketPolicy")
def get_policy(region: Region, request: Request) -> Response:
    """The policy, as it was put."""
    text = checked(region, request, "oss:GetBucketPolicy")["config"].get("policy")
    if text is None:
        raise ApiError(404, "NoSuchBucketPolicy", "The bucket policy does not exist.")
    return Response(
        200,
        text.encode(),
        {
            "Content-Type": "application/json",
            "x-oss-request-id": oss_request_id(),
            "Server": "AliyunOSS",
        },
    )


@oss("bucket", "PUT", "policy", "PutBucketPolicy")
def put_policy(region: Region, request: Request) -> Response:
    """A new policy; one that opens the bucket to everybody is refused while public access is
    blocked.
    """
    try:
        document = json.loads(request.body)
        statements = document["Statement"]
        good = document.get("Version") == "1" and all(
            s["Effect"] in ("Allow", "Deny") and s["Action"] and s["Resource"] for s in statements
        )
    except (ValueError, KeyError, TypeError):
        good, statements = False, []
    if not good:
        raise ApiError(
            400,
            "InvalidPolicyDocument",
            "The bucket policy is not valid: expected Version 1 and statements with Effect, Action, Resource.",
        )
    with region.store.transaction():
        bucket = checked(region, request, "oss:PutBucketPolicy")
        if block_public_access(bucket) and any(
            s["Effect"] == "Allow" and "*" in s.get("Principal", []) for s in statements
        ):
            raise ApiError(
                403,
                "AccessDenied",
                "Put public bucket policy is not allowed: block public access is on.",
                EC="0015-00000911",
            )
        bucket["config"]["policy"] = request.body.decode()
        region.store.put("bucket", bucket["name"], bucket)
    return empty_answer()


@oss("bucket", "DELETE", "policy", "DeleteBucketPolicy")
def delete_policy(region: Region, request: Request) -> Response:
    """No policy any more."""
    _drop(region, request, "policy", "oss:DeleteBucketPolicy")
    return empty_answer(204)


@oss("bucket", "GET", "resourceGroup", "GetBucketResourceGroup")
def get_resource_group(region: Region, request: Request) -> Response:
    """The bucket's resource group."""
    group = checked(region, request, "oss:GetBucketResourceGroup")["resource_group"]
    return xml_response(
        element("BucketResourceGroupConfiguration", element("ResourceGroupId", group))
    )


@oss("bucket", "PUT", "resourceGroup", "PutBucketResourceGroup")
def put_resource_group(region: Region, request: Request) -> Response:
    """Put the bucket into another resource group."""
    with region.store.transaction():
        bucket = checked(region, request, "oss:PutBucketResourceGroup")
        bucket["resource_group"] = parse_xml(request).findtext("ResourceGroupId") or "rg-1"
        region.store.put("bucket", bucket["name"], bucket)
    return empty_answer()
