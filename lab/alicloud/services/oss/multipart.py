"""OSS: multipart uploads."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from lab.alicloud.clock import iso_millis
from lab.alicloud.protocol import ApiError, Request, Response, element, oss_request_id, xml_response
from lab.alicloud.registry import oss
from lab.alicloud.services.oss import blobs, versions
from lab.alicloud.services.oss.access import require
from lab.alicloud.services.oss.buckets import bucket_of, checked, empty_answer, parse_xml
from lab.alicloud.services.oss.listing import encoder, limit_of
from lab.alicloud.services.oss.objects import meta_of
from lab.alicloud.state import Region
from lab.alicloud.store import Document

SMALLEST_PART = 100 * 1024
MAX_PARTS = 10_000


def _upload(region: Region, request: Request, permission: str = "oss:PutObject") -> Document:
    bucket = bucket_of(region, request.vars["bucket"])
    require(region, request, permission, bucket, request.vars["key"])
    upload = region.store.get("upload", request.query["uploadId"])
    if upload is None or (upload["bucket"], upload["key"]) != (bucket["name"], request.vars["key"]):
        message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        raise ApiError(
            404, "NoSuchUpload", message, UploadId=request.query["uploadId"], EC="0042-00000002"
        )
    return upload


@oss("object", "POST", "uploads", "InitiateMultipartUpload", "oss:PutObject")
def initiate(region: Region, request: Request) -> Response:
    """Begin a multipart upload and give it an id."""
    bucket, key = bucket_of(region, request.vars["bucket"]), request.vars["key"]
    require(region, request, "oss:PutObject", bucket, key)
    upload = {
        "id": uuid.uuid4().hex.upper(),
        "bucket": bucket["name"],
        "key": key,
        "created": region.clock.now(),
        "meta": meta_of(bucket, request.headers, acl="default"),
    }
    region.store.put("upload", upload["id"], upload)
    encode = encoder(request)
    return xml_response(
        element(
            "InitiateMultipartUploadResult",
            element("Bucket", bucket["name"]),
            element("Key", encode(key)),
            element("UploadId", upload["id"]),
        )
    )


@oss("object", "PUT", "uploadId", "UploadPart", "oss:PutObject")
def upload_part(region: Region, request: Request) -> Response:
    """One part; the same number again replaces it."""
    upload = _upload(region, request)
    text = request.query.get("partNumber", "")
    if not text.isdigit() or not 1 <= int(text) <= MAX_PARTS:
        raise ApiError(
            400,
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive.",
            ArgumentName="partNumber",
        )
    blobs.check_md5(request)
    blob = blobs.write(region, [request.body])
    with region.store.transaction():
        old = region.store.sql(
            "DELETE FROM part WHERE upload=? AND number=? RETURNING blob", upload["id"], int(text)
        )
        now = region.clock.now()
        region.store.sql(
            "INSERT INTO part VALUES (?,?,?,?,?,?,?)",
            upload["id"],
            int(text),
            blob.size,
            blob.etag,
            blob.crc,
            blob.name,
            now,
        )
    blobs.remove(region, [row["blob"] for row in old])
    headers = {
        "ETag": f'"{blob.etag}"',
        "x-oss-hash-crc64ecma": blob.crc,
        "x-oss-request-id": oss_request_id(),
        "Server": "AliyunOSS",
    }
    return Response(200, b"", headers)


@oss("object", "POST", "uploadId", "CompleteMultipartUpload", "oss:PutObject")
def complete(region: Region, request: Request) -> Response:
    """Put the parts together in the order of the list."""
    upload = _upload(region, request)
    held = {
        row["number"]: row
        for row in region.store.sql(
            "SELECT * FROM part WHERE upload=? ORDER BY number", upload["id"]
        )
    }
    if request.headers.get("x-oss-complete-all", "").lower() == "yes":
        chosen = list(held.values())
    else:
        chosen = [
            _part(held, node.findtext("PartNumber") or "", node.findtext("ETag") or "")
            for node in parse_xml(request).findall("Part")
        ]
    numbers = [row["number"] for row in chosen]
    if not numbers or numbers != sorted(set(numbers)):
        raise ApiError(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts list must specified in order by part number.",
        )
    if any(row["size"] < SMALLEST_PART for row in chosen[:-1]):
        raise ApiError(
            400,
            "EntityTooSmall",
            "Your proposed upload smaller than the minimum allowed size.",
            MinSizeAllowed=SMALLEST_PART,
        )
    whole = blobs.write(region, blobs.read_pieces(region, [row["blob"] for row in chosen]))
    digest = hashlib.md5(b"".join(bytes.fromhex(row["etag"]) for row in chosen)).hexdigest().upper()
    blob = blobs.Blob(whole.name, whole.size, f"{digest}-{len(chosen)}", whole.crc)
    meta = {**upload["meta"], "acl": request.headers.get("x-oss-object-acl") or "default"}
    with region.store.transaction():
        bucket = bucket_of(region, upload["bucket"])
        version, old = versions.add(region, bucket, upload["key"], blob, "Multipart", meta)
        old += _forget(region, upload["id"])
    blobs.remove(region, old)
    encode, place = encoder(request), f"{bucket['name']}.oss-{region.name}.aliyuncs.com"
    body = element(
        "CompleteMultipartUploadResult",
        element("Location", f"http://{place}/{upload['key']}"),
        element("Bucket", bucket["name"]),
        element("Key", encode(upload["key"])),
        element("ETag", f'"{blob.etag}"'),
    )
    extra = {"x-oss-version-id": version} if version != versions.NULL else {}
    return xml_response(body, 200, **{"x-oss-hash-crc64ecma": blob.crc, **extra})


def _part(held: dict[int, Any], number: str, etag: str) -> Any:
    row = held.get(int(number)) if number.isdigit() else None
    if row is None or row["etag"] != etag.strip('"').upper():
        message = "One or more of the specified parts could not be found, or the specified entity tag did not match."
        raise ApiError(400, "InvalidPart", message, PartNumber=number, EC="0042-00000103")
    return row


def _forget(region: Region, upload_id: str) -> list[str]:
    region.store.delete("upload", upload_id)
    return [
        row["blob"]
        for row in region.store.sql("DELETE FROM part WHERE upload=? RETURNING blob", upload_id)
    ]


@oss("object", "DELETE", "uploadId", "AbortMultipartUpload")
def abort(region: Region, request: Request) -> Response:
    """Drop an upload and its parts."""
    with region.store.transaction():
        old = _forget(region, _upload(region, request, "oss:AbortMultipartUpload")["id"])
    blobs.remove(region, old)
    return empty_answer(204)


@oss("object", "GET", "uploadId", "ListParts")
def list_parts(region: Region, request: Request) -> Response:
    """The parts that are there, in pages."""
    upload = _upload(region, request, "oss:ListParts")
    limit, marker = (
        limit_of(request, "max-parts", 1000),
        int(request.query.get("part-number-marker") or 0),
    )
    rows = region.store.sql(
        "SELECT * FROM part WHERE upload=? AND number>? ORDER BY number LIMIT ?",
        upload["id"],
        marker,
        limit + 1,
    )
    more, rows = len(rows) > limit, rows[:limit]
    parts = [
        element(
            "Part",
            element("PartNumber", r["number"]),
            element("LastModified", iso_millis(r["created"])),
            element("ETag", f'"{r["etag"]}"'),
            element("HashCrc64ecma", r["crc"]),
            element("Size", r["size"]),
        )
        for r in rows
    ]
    head = [
        element("Bucket", upload["bucket"]),
        element("Key", encoder(request)(upload["key"])),
        element("UploadId", upload["id"]),
    ]
    head += [element("StorageClass", upload["meta"]["class"]), element("PartNumberMarker", marker)]
    head += [
        element("NextPartNumberMarker", rows[-1]["number"] if rows else marker),
        element("MaxParts", limit),
        element("IsTruncated", more),
    ]
    return xml_response(element("ListPartsResult", *head, *parts))


@oss("bucket", "GET", "uploads", "ListMultipartUploads")
def list_uploads(region: Region, request: Request) -> Response:
    """Unfinished uploads, in pages."""
    bucket, query, encode = (
        checked(region, request, "oss:ListMultipartUploads"),
        request.query,
        encoder(request),
    )
    prefix, marker, id_marker = (
        query.get("prefix", ""),
        query.get("key-marker", ""),
        query.get("upload-id-marker", ""),
    )
    limit = limit_of(request, "max-uploads", 1000)
    found = sorted(
        (u["key"], u["id"], u)
        for u in region.store.all("upload", bucket=bucket["name"])
        if u["key"].startswith(prefix)
    )
    found = [
        entry
        for entry in found
        if entry[0] > marker or (entry[0] == marker and id_marker and entry[1] > id_marker)
    ]
    more, found = len(found) > limit, found[:limit]
    rows = [
        element(
            "Upload",
            element("Key", encode(u["key"])),
            element("UploadId", u["id"]),
            element("Initiated", iso_millis(u["created"])),
        )
        for _, _, u in found
    ]
    head = [
        element("Bucket", bucket["name"]),
        element("KeyMarker", encode(marker)),
        element("UploadIdMarker", id_marker),
    ]
    head += [
        element("NextKeyMarker", encode(found[-1][0]) if more else ""),
        element("NextUploadIdMarker", found[-1][1] if more else ""),
    ]
    head += [
        element("Prefix", encode(prefix)),
        element("MaxUploads", limit),
        element("IsTruncated", more),
    ]
    if query.get("encoding-type") == "url":
        head.append(element("EncodingType", "url"))
    return xml_response(element("ListMultipartUploadsResult", *head, *rows))
