"""OSS: put, get, head, copy and delete of single objects."""

from __future__ import annotations

import json
import re
import sqlite3
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from lab.alicloud.clock import http_date, iso_millis
from lab.alicloud.protocol import (
    ApiError,
    FileBody,
    Request,
    Response,
    element,
    oss_request_id,
    xml_response,
)
from lab.alicloud.registry import oss
from lab.alicloud.services.oss import blobs, versions
from lab.alicloud.services.oss.access import require
from lab.alicloud.services.oss.buckets import bucket_of, empty_answer, owner
from lab.alicloud.state import Region
from lab.alicloud.store import Document

MAX_PUT = 5 * 1024**3
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_SSE = ("x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id")


def meta_of(bucket: Document, headers: dict[str, str], acl: str = "") -> Document:
    """What is kept of the headers of a write; `acl` where the call has no header for it."""
    kept = {
        n: v for n, v in headers.items() if n in _KEPT or n in _SSE or n.startswith("x-oss-meta-")
    }
    rule = re.search(r"<SSEAlgorithm>(.*?)<", bucket["config"].get("encryption", ""))
    if rule and _SSE[0] not in kept:
        kept[_SSE[0]] = rule[1]
    return {
        "headers": kept,
        "type": headers.get("content-type") or "application/octet-stream",
        "acl": acl or headers.get("x-oss-object-acl") or "default",
        "class": headers.get("x-oss-storage-class") or bucket["storage_class"],
        "tagging": headers.get("x-oss-tagging", ""),
    }


def answer_headers(row: sqlite3.Row, bucket: Document) -> dict[str, str]:
    """What GET and HEAD tell about an object."""
    meta = json.loads(row["meta"])
    headers = {
        "ETag": f'"{row["etag"]}"',
        "Last-Modified": http_date(row["created"]),
        "Content-Type": meta["type"],
        "x-oss-object-type": row["kind"],
        "x-oss-storage-class": meta["class"],
        "x-oss-request-id": oss_request_id(),
        "Accept-Ranges": "bytes",
        "x-oss-hash-crc64ecma": row["crc"],
        "Server": "AliyunOSS",
        **meta["headers"],
    }
    if versions.versioning_of(bucket):
        headers["x-oss-version-id"] = row["version"]
    return headers


def _checked(region: Region, request: Request, permission: str, acl: str = "") -> Document:
    bucket = bucket_of(region, request.vars["bucket"])
    require(region, request, permission, bucket, request.vars["key"], acl)
    return bucket


def _readable(region: Region, request: Request, permission: str) -> tuple[Document, sqlite3.Row]:
    """The bucket and the wanted version; who may not read learns nothing about what exists."""
    bucket = bucket_of(region, request.vars["bucket"])
    key, version = request.vars["key"], request.query.get("versionId", "")
    try:
        row = versions.find(region, bucket["name"], key, version)
    except ApiError:
        require(region, request, permission, bucket, key)
        raise
    require(region, request, permission, bucket, key, json.loads(row["meta"])["acl"])
    return bucket, row


@oss("object", "PUT", "", "PutObject")
def put(region: Region, request: Request) -> Response:
    """Write an object; `x-oss-copy-source` copies one."""
    if "x-oss-copy-source" in request.headers:
        return _copy(region, request)
    bucket, key = _checked(region, request, "oss:PutObject"), request.vars["key"]
    if len(request.body) > MAX_PUT:
        raise ApiError(
            400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size."
        )
    if len(key.encode()) > 1023 or key[0] in "/\\":
        raise ApiError(400, "InvalidObjectName", "The specified object is not valid.")
    blobs.check_md5(request)
    blob = blobs.write(region, [request.body])
    return _stored(region, request, bucket["name"], key, blob, meta_of(bucket, request.headers))


def _stored(
    region: Region,
    request: Request,
    bucket_name: str,
    key: str,
    blob: blobs.Blob,
    meta: Document,
) -> Response:
    with region.store.transaction():
        bucket = bucket_of(region, bucket_name)
        if request.headers.get("x-oss-forbid-overwrite") == "true":
            _forbid_existing(region, bucket_name, key)
        version, old = versions.add(region, bucket, key, blob, "Normal", meta)
    blobs.remove(region, old)
    headers = {
        "ETag": f'"{blob.etag}"',
        "x-oss-request-id": oss_request_id(),
        "x-oss-hash-crc64ecma": blob.crc,
        "Server": "AliyunOSS",
    }
    if request.headers.get("content-md5"):
        headers["Content-MD5"] = request.headers["content-md5"]
    if version != versions.NULL:
        headers["x-oss-version-id"] = version
    headers |= {n: v for n, v in meta["headers"].items() if n in _SSE}
    return Response(200, b"", headers)


def _forbid_existing(region: Region, bucket: str, key: str) -> None:
    try:
        versions.find(region, bucket, key)
    except ApiError:
        return
    raise ApiError(
        409,
        "FileAlreadyExists",
        "The object you specified already exists and can not be overwritten.",
        Key=key,
    )


def _copy(region: Region, request: Request) -> Response:
    source, _, query = request.headers["x-oss-copy-source"].lstrip("/").partition("?versionId=")
    name, _, key = unquote(source).partition("/")
    origin = bucket_of(region, name)
    require(region, request, "oss:GetObject", origin, key)
    row = versions.find(region, name, key, query)
    bucket = _checked(region, request, "oss:PutObject")
    meta = meta_of(bucket, request.headers)
    if request.headers.get("x-oss-metadata-directive", "COPY") == "COPY":
        meta = {**json.loads(row["meta"]), "acl": meta["acl"]}
    blob = blobs.write(region, blobs.read_pieces(region, [row["blob"]]))
    response = _stored(region, request, bucket["name"], request.vars["key"], blob, meta)
    body = element(
        "CopyObjectResult",
        element("LastModified", iso_millis(region.clock.now())),
        element("ETag", response.headers["ETag"]),
    )
    return xml_response(
        body,
        200,
        **{n: v for n, v in response.headers.items() if n.startswith("x-oss-") or n == "ETag"},
    )


@oss("object", "GET", "", "GetObject")
def get(region: Region, request: Request) -> Response:
    """Read an object or a range of it."""
    bucket, row = _readable(region, request, "oss:GetObject")
    headers = answer_headers(row, bucket)
    if _not_modified(request, row):
        return Response(304, b"", headers)
    for parameter, value in request.query.items():
        if parameter.startswith("response-"):
            headers[parameter.removeprefix("response-").title()] = value
    path, size = blobs.path_of(region, row["blob"]), row["size"]
    span = _range(request.headers.get("range", ""), size)
    if span is None:
        return Response(200, FileBody(path, 0, size), headers)
    first, last = span
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(206, FileBody(path, first, last - first + 1), headers)


def _range(text: str, size: int) -> tuple[int, int] | None:
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text.strip())
    if not found or found[1] == found[2] == "":
        return None
    if found[1] == "":
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    return (first, last) if first <= last else None


def _not_modified(request: Request, row: sqlite3.Row) -> bool:
    wanted = request.headers.get("if-match")
    if wanted and wanted.strip('"') != row["etag"]:
        raise ApiError(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
            Condition="If-Match",
        )
    known, since = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    if known and known.strip('"') == row["etag"]:
        return True
    return bool(since) and parsedate_to_datetime(str(since)).timestamp() >= int(row["created"])


@oss("object", "HEAD", "", "HeadObject", "oss:GetObject")
def head(region: Region, request: Request) -> Response:
    """All about an object but its bytes."""
    bucket, row = _readable(region, request, "oss:GetObject")
    headers = answer_headers(row, bucket)
    if _not_modified(request, row):
        return Response(304, b"", headers)
    return Response(200, b"", {**headers, "Content-Length": str(row["size"])})


@oss("object", "HEAD", "objectMeta", "GetObjectMeta", "oss:GetObject")
def object_meta(region: Region, request: Request) -> Response:
    """Size, ETag and age only."""
    bucket, row = _readable(region, request, "oss:GetObject")
    full = answer_headers(row, bucket)
    names = ("ETag", "Last-Modified", "x-oss-request-id", "x-oss-version-id", "Server")
    return Response(
        200, b"", {**{n: full[n] for n in names if n in full}, "Content-Length": str(row["size"])}
    )


@oss("object", "DELETE", "", "DeleteObject")
def delete(region: Region, request: Request) -> Response:
    """Delete the object, or one version of it for good; what isn't there is deleted too."""
    with region.store.transaction():
        version = request.query.get("versionId", "")
        bucket = _checked(
            region, request, "oss:DeleteObjectVersion" if version else "oss:DeleteObject"
        )
        headers, old = versions.delete(region, bucket, request.vars["key"], version)
    blobs.remove(region, old)
    response = empty_answer(204)
    response.headers.update(headers)
    return response


@oss("object", "GET", "acl", "GetObjectAcl")
def get_acl(region: Region, request: Request) -> Response:
    """The access control list of the object."""
    _, row = _readable(region, request, "oss:GetObjectAcl")
    grant = element("AccessControlList", element("Grant", json.loads(row["meta"])["acl"]))
    return xml_response(element("AccessControlPolicy", owner(region), grant))


@oss("object", "PUT", "acl", "PutObjectAcl")
def put_acl(region: Region, request: Request) -> Response:
    """Replace the access control list of the object."""
    acl = request.headers.get("x-oss-object-acl", "")
    if acl not in ("default", "private", "public-read", "public-read-write"):
        raise ApiError(400, "InvalidArgument", f"no such object access control exists: {acl}")
    return _change_meta(region, request, "oss:PutObjectAcl", acl=acl)


def _change_meta(region: Region, request: Request, permission: str, **changes: str) -> Response:
    with region.store.transaction():
        bucket = _checked(region, request, permission)
        row = versions.find(
            region, bucket["name"], request.vars["key"], request.query.get("versionId", "")
        )
        meta = {**json.loads(row["meta"]), **changes}
        region.store.sql("UPDATE object SET meta=? WHERE seq=?", json.dumps(meta), row["seq"])
    return empty_answer()


@oss("object", "GET", "tagging", "GetObjectTagging")
def get_tagging(region: Region, request: Request) -> Response:
    """The tags of the object."""
    _, row = _readable(region, request, "oss:GetObjectTagging")
    text = json.loads(row["meta"])["tagging"]
    pairs = [p.partition("=") for p in text.split("&") if p]
    rows = [
        element("Tag", element("Key", unquote(k)), element("Value", unquote(v)))
        for k, _, v in pairs
    ]
    return xml_response(element("Tagging", element("TagSet", *rows)))
