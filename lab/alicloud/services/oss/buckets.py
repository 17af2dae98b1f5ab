"""OSS: buckets themselves."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lab.alicloud.clock import iso_millis
from lab.alicloud.protocol import (
    ApiError,
    Request,
    Response,
    Xml,
    element,
    oss_request_id,
    xml_response,
)
from lab.alicloud.regions import ZRS, ZRS_STANDARD
from lab.alicloud.registry import oss
from lab.alicloud.services.oss.access import block_public_access, require
from lab.alicloud.state import Region
from lab.alicloud.store import Document

ACLS = ("private", "public-read", "public-read-write")
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")


def parse_xml(request: Request) -> ElementTree.Element:
    """The body as XML with namespaces dropped."""
    try:
        root = ElementTree.fromstring(request.body)
    except ElementTree.ParseError:
        raise ApiError(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema.",
        ) from None
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def bucket_of(region: Region, name: str) -> Document:
    """A bucket, or NoSuchBucket."""
    bucket = region.store.get("bucket", name)
    if bucket is None and region.whole.store.get("bucket", name):
        place = f"oss-{region.place('bucket', name)}.aliyuncs.com"
        message = "The bucket you are attempting to access must be addressed using the specified endpoint."
        raise ApiError(
            403, "AccessDenied", message, Bucket=name, Endpoint=place, EC="0003-00001403"
        )
    if bucket is None:
        raise ApiError(
            404,
            "NoSuchBucket",
            "The specified bucket does not exist.",
            BucketName=name,
            EC="0015-00000101",
        )
    return bucket


def checked(region: Region, request: Request, permission: str) -> Document:
    """The request's bucket, if the caller may do this with it."""
    bucket = bucket_of(region, request.vars["bucket"])
    require(region, request, permission, bucket)
    return bucket


def empty_answer(status: int = 200) -> Response:
    """An answer without content."""
    if status == 204:
        return Response(204, b"", {"x-oss-request-id": oss_request_id(), "Server": "AliyunOSS"})
    return xml_response("", status)


def owner(region: Region) -> Xml:
    """The account as owner."""
    return Xml(
        element("Owner", element("ID", region.account), element("DisplayName", region.account))
    )


def _endpoints(name: str) -> list[str]:
    place = f"oss-{name}"
    return [
        element("ExtranetEndpoint", f"{place}.aliyuncs.com"),
        element("IntranetEndpoint", f"{place}-internal.aliyuncs.com"),
    ]


@oss("service", "GET", "", "ListBuckets")
def list_buckets(region: Region, request: Request) -> Response:
    """The account's buckets of all regions by prefix, in pages."""
    require(region, request, "oss:ListBuckets", None)
    query = request.query
    prefix, marker, limit = (
        query.get("prefix", ""),
        query.get("marker", ""),
        int(query.get("max-keys") or 100),
    )
    found = sorted(
        (
            b
            for b in region.whole.store.all("bucket")
            if b["name"].startswith(prefix) and b["name"] > marker
        ),
        key=lambda b: b["name"],
    )
    rows = [
        element(
            "Bucket",
            element("Name", b["name"]),
            element("CreationDate", iso_millis(b["created"])),
            element("Location", f"oss-{place}"),
            *_endpoints(place),
            element("StorageClass", b["storage_class"]),
            element("Region", place),
        )
        for b, place in ((b, region.place("bucket", b["name"])) for b in found[:limit])
    ]
    more = len(found) > limit
    tail = [
        element("Prefix", prefix),
        element("Marker", marker),
        element("MaxKeys", limit),
        element("IsTruncated", more),
    ]
    if more:
        tail.append(element("NextMarker", found[limit - 1]["name"]))
    return xml_response(
        element("ListAllMyBucketsResult", owner(region), Xml(element("Buckets", *rows)), *tail)
    )


@oss("bucket", "PUT", "", "PutBucket")
def put_bucket(region: Region, request: Request) -> Response:
    """A new bucket; one's own existing one keeps what it has."""
    name = request.vars["bucket"]
    require(region, request, "oss:PutBucket", None)
    if not _NAME.match(name):
        raise ApiError(
            400,
            "InvalidBucketName",
            f"The specified bucket is not valid: {name}.",
            EC="0015-00000001",
        )
    acl = request.headers.get("x-oss-acl") or "private"
    if acl not in ACLS:
        raise ApiError(400, "InvalidArgument", f"no such bucket access control exists: {acl}")
    storage, redundancy = "Standard", "LRS"
    if request.body.strip():
        root = parse_xml(request)
        storage, redundancy = (
            root.findtext("StorageClass") or storage,
            root.findtext("DataRedundancyType") or redundancy,
        )
    if (
        redundancy == "ZRS"
        and region.name not in ZRS
        and not (region.name in ZRS_STANDARD and storage == "Standard")
    ):
        message = f"Zone-redundant storage of class {storage} is not supported in region oss-{region.name}."
        raise ApiError(
            400,
            "InvalidArgument",
            message,
            ArgumentName="DataRedundancyType",
            ArgumentValue=redundancy,
        )
    with region.store.transaction():
        if region.place("bucket", name) != region.name and region.whole.store.get("bucket", name):
            message = "The requested bucket name is not available. Please select a different name and try again."
            raise ApiError(409, "BucketAlreadyExists", message, BucketName=name, EC="0015-00000104")
        if region.store.get("bucket", name) is None:
            bucket = {
                "name": name,
                "created": region.clock.now(),
                "storage_class": storage,
                "redundancy": redundancy,
                "acl": acl,
                "config": {},
                "resource_group": request.headers.get("x-oss-resource-group-id") or "rg-1",
            }
            region.store.put("bucket", name, bucket)
    return xml_response("", 200, Location=f"/{name}")


@oss("bucket", "DELETE", "", "DeleteBucket")
def delete_bucket(region: Region, request: Request) -> Response:
    """Remove an empty bucket: no object, no version, no unfinished upload."""
    with region.store.transaction():
        name = checked(region, request, "oss:DeleteBucket")["name"]
        if region.store.sql("SELECT 1 FROM object WHERE bucket=? LIMIT 1", name):
            raise ApiError(
                409,
                "BucketNotEmpty",
                "The bucket has objects. Please delete them first.",
                BucketName=name,
                EC="0015-00000301",
            )
        if region.store.all("upload", bucket=name):
            message = "The bucket has unfinished multipart uploads. Please abort them first."
            raise ApiError(409, "BucketNotEmpty", message, BucketName=name, EC="0015-00000301")
        region.store.delete("bucket", name)
    return empty_answer(204)


@oss("bucket", "GET", "bucketInfo", "GetBucketInfo")
def bucket_info(region: Region, request: Request) -> Response:
    """The bucket's main data."""
    bucket = checked(region, request, "oss:GetBucketInfo")
    config = bucket["config"]
    algorithm = re.search(r"<SSEAlgorithm>(.*?)<", config.get("encryption", ""))
    status = re.search(r"<Status>(.*?)<", config.get("versioning", ""))
    acceleration = (
        "Enabled" if "<Enabled>true<" in config.get("transferAcceleration", "") else "Disabled"
    )
    monitor = "Enabled" if "<Status>Enabled<" in config.get("accessmonitor", "") else "Disabled"
    parts = [
        element("AccessMonitor", monitor),
        element("BlockPublicAccess", block_public_access(bucket)),
        element("CreationDate", iso_millis(bucket["created"])),
        element("CrossRegionReplication", "Disabled"),
        element("DataRedundancyType", bucket["redundancy"]),
        *_endpoints(region.name),
        element("Location", f"oss-{region.name}"),
        element("Name", bucket["name"]),
        element("ResourceGroupId", bucket["resource_group"]),
        element("StorageClass", bucket["storage_class"]),
        element("TransferAcceleration", acceleration),
    ]
    if status:
        parts.append(element("Versioning", status[1]))
    parts += [
        owner(region),
        element("AccessControlList", element("Grant", bucket["acl"])),
        element(
            "ServerSideEncryptionRule",
            element("SSEAlgorithm", algorithm[1] if algorithm else "None"),
        ),
        element("BucketPolicy", element("LogBucket", ""), element("LogPrefix", "")),
    ]
    return xml_response(element("BucketInfo", element("Bucket", *parts)))


@oss("bucket", "GET", "location", "GetBucketLocation")
def location(region: Region, request: Request) -> Response:
    """The region of the bucket, as `oss-<region>`."""
    checked(region, request, "oss:GetBucketLocation")
    return xml_response(element("LocationConstraint", f"oss-{region.name}"))


@oss("bucket", "GET", "stat", "GetBucketStat")
def stat(region: Region, request: Request) -> Response:
    """Bytes stored, and the numbers of objects and unfinished uploads."""
    bucket = checked(region, request, "oss:GetBucketStat")
    row = region.store.sql(
        "SELECT count(*) AS n, coalesce(sum(size), 0) AS s FROM object WHERE bucket=? AND marker=0",
        bucket["name"],
    )[0]
    uploads = len(region.store.all("upload", bucket=bucket["name"]))
    return xml_response(
        element(
            "BucketStat",
            element("Storage", row["s"]),
            element("ObjectCount", row["n"]),
            element("MultipartUploadCount", uploads),
        )
    )
