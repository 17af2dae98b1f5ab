"""OSS: deletion of many objects, and the import of all other parts."""

from __future__ import annotations

from lab.alicloud.protocol import ApiError, Request, Response, element, xml_response
from lab.alicloud.registry import oss
from lab.alicloud.services.oss import blobs, listing, multipart, objects, settings, versions
from lab.alicloud.services.oss.access import require
from lab.alicloud.services.oss.buckets import bucket_of, parse_xml
from lab.alicloud.services.oss.listing import encoder
from lab.alicloud.state import Region

PARTS = (listing, multipart, objects, settings)
MAX_KEYS = 1000


@oss("bucket", "POST", "delete", "DeleteMultipleObjects", "oss:DeleteObject")
def delete_many(region: Region, request: Request) -> Response:
    """Delete up to 1000 objects or versions."""
    bucket, encode = bucket_of(region, request.vars["bucket"]), encoder(request)
    blobs.check_md5(request)
    root = parse_xml(request)
    wanted = [
        (node.findtext("Key") or "", node.findtext("VersionId") or "")
        for node in root.findall("Object")
    ]
    if not 1 <= len(wanted) <= MAX_KEYS or not all(key for key, _ in wanted):
        raise ApiError(400, "MalformedXML", f"Expected 1 to {MAX_KEYS} objects, each with a key.")
    rows, old = [], []
    with region.store.transaction():
        for key, version in wanted:
            require(
                region,
                request,
                "oss:DeleteObjectVersion" if version else "oss:DeleteObject",
                bucket,
                key,
            )
        for key, version in wanted:
            headers, gone = versions.delete(region, bucket, key, version)
            old += gone
            parts = [element("Key", encode(key))]
            if version:
                parts.append(element("VersionId", version))
            if "x-oss-delete-marker" in headers:
                parts += [
                    element("DeleteMarker", True),
                    element("DeleteMarkerVersionId", headers["x-oss-version-id"]),
                ]
            rows.append(element("Deleted", *parts))
    blobs.remove(region, old)
    if root.findtext("Quiet", "").lower() == "true":
        return xml_response("")
    encoding = (
        [element("EncodingType", "url")] if request.query.get("encoding-type") == "url" else []
    )
    return xml_response(element("DeleteResult", *encoding, *rows))
