"""OSS: lists of objects (old and new form) and of versions."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from urllib.parse import quote

from lab.alicloud.clock import iso_millis
from lab.alicloud.protocol import ApiError, Request, Response, Xml, element, xml_response
from lab.alicloud.registry import oss
from lab.alicloud.services.oss.buckets import checked, owner
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_CURRENT = """SELECT * FROM object AS o WHERE bucket=? AND key > ? AND substr(key, 1, length(?)) = ? AND marker=0
  AND seq=(SELECT max(seq) FROM object WHERE bucket=o.bucket AND key=o.key) ORDER BY key"""


def limit_of(request: Request, name: str = "max-keys", default: int = 100) -> int:
    """How many rows a page may have, 1 to 1000."""
    text = request.query.get(name) or str(default)
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise ApiError(
            400,
            "InvalidArgument",
            f"Argument {name} must be an integer between 1 and 1000.",
            ArgumentName=name,
            ArgumentValue=text,
        )
    return int(text)


def encoder(request: Request) -> Callable[[str], str]:
    """How keys are written: plain, or percent-encoded for `encoding-type=url`."""
    return (
        (lambda text: quote(text, safe=""))
        if request.query.get("encoding-type") == "url"
        else (lambda text: text)
    )


def _page(
    rows: list[sqlite3.Row], prefix: str, delimiter: str, limit: int, after: str
) -> tuple[list[sqlite3.Row], list[str], str]:
    """(objects, common prefixes, last entry if there are more)."""
    objects: list[sqlite3.Row] = []
    prefixes: list[str] = []
    last = ""
    for row in rows:
        cut = row["key"].find(delimiter, len(prefix)) if delimiter else -1
        group = row["key"][: cut + len(delimiter)] if cut >= 0 else ""
        if group and (group == after or (prefixes and prefixes[-1] == group)):
            continue
        if len(objects) + len(prefixes) == limit:
            return objects, prefixes, last
        if group:
            prefixes.append(group)
        else:
            objects.append(row)
        last = group or row["key"]
    return objects, prefixes, ""


def _contents(row: sqlite3.Row, encode: Callable[[str], str], extra: list[str]) -> str:
    return element(
        "Contents",
        element("Key", encode(row["key"])),
        element("LastModified", iso_millis(row["created"])),
        element("ETag", f'"{row["etag"]}"'),
        element("Type", row["kind"]),
        element("Size", row["size"]),
        element("StorageClass", json.loads(row["meta"])["class"]),
        *extra,
    )


def _groups(prefixes: list[str], encode: Callable[[str], str]) -> list[str]:
    return [element("CommonPrefixes", element("Prefix", encode(p))) for p in prefixes]


@oss("bucket", "GET", "", "ListObjects")
def list_objects(region: Region, request: Request) -> Response:
    """Current objects by prefix, folded at a delimiter, in pages; `list-type=2` is the newer
    form.
    """
    bucket = checked(region, request, "oss:ListObjects")
    if request.query.get("list-type") == "2":
        return _list_v2(region, request, bucket)
    query, encode = request.query, encoder(request)
    prefix, marker, delimiter, limit = (
        query.get("prefix", ""),
        query.get("marker", ""),
        query.get("delimiter", ""),
        limit_of(request),
    )
    rows = region.store.sql(_CURRENT, bucket["name"], marker, prefix, prefix)
    objects, prefixes, last = _page(rows, prefix, delimiter, limit, marker)
    parts = [
        element("Name", bucket["name"]),
        element("Prefix", encode(prefix)),
        element("Marker", encode(marker)),
        element("MaxKeys", limit),
    ]
    parts += [
        element("Delimiter", encode(delimiter)),
        *_encoding(request),
        element("IsTruncated", bool(last)),
    ]
    if last:
        parts.append(element("NextMarker", encode(last)))
    parts += [_contents(row, encode, [owner(region)]) for row in objects]
    return xml_response(element("ListBucketResult", *parts, *_groups(prefixes, encode)))


def _encoding(request: Request) -> list[str]:
    return [element("EncodingType", "url")] if request.query.get("encoding-type") == "url" else []


def _list_v2(region: Region, request: Request, bucket: Document) -> Response:
    query, encode = request.query, encoder(request)
    prefix, delimiter, limit = (
        query.get("prefix", ""),
        query.get("delimiter", ""),
        limit_of(request),
    )
    token, start = query.get("continuation-token", ""), query.get("start-after", "")
    try:
        after = base64.b64decode(token).decode() if token else start
    except ValueError:
        raise ApiError(
            400,
            "InvalidArgument",
            "The continuation token is not valid.",
            ArgumentName="continuation-token",
        ) from None
    rows = region.store.sql(_CURRENT, bucket["name"], after, prefix, prefix)
    objects, prefixes, last = _page(rows, prefix, delimiter, limit, after)
    parts = [
        element("Name", bucket["name"]),
        element("Prefix", encode(prefix)),
        element("MaxKeys", limit),
        element("Delimiter", encode(delimiter)),
    ]
    parts += [
        *_encoding(request),
        element("StartAfter", encode(start)),
        element("IsTruncated", bool(last)),
    ]
    if token:
        parts.append(element("ContinuationToken", token))
    if last:
        parts.append(element("NextContinuationToken", base64.b64encode(last.encode()).decode()))
    extra = [owner(region)] if query.get("fetch-owner") == "true" else []
    parts += [
        element("KeyCount", len(objects) + len(prefixes)),
        *(_contents(row, encode, list(extra)) for row in objects),
    ]
    return xml_response(element("ListBucketResult", *parts, *_groups(prefixes, encode)))


@oss("bucket", "GET", "versions", "ListObjectVersions")
def list_versions(region: Region, request: Request) -> Response:
    """All versions and delete markers, newest first within a key, in pages."""
    bucket, query, encode = (
        checked(region, request, "oss:ListObjectVersions"),
        request.query,
        encoder(request),
    )
    prefix, marker, version_marker = (
        query.get("prefix", ""),
        query.get("key-marker", ""),
        query.get("version-id-marker", ""),
    )
    delimiter, limit = query.get("delimiter", ""), limit_of(request, default=1000)
    rows = region.store.sql(
        "SELECT * FROM object WHERE bucket=? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key, seq DESC",
        bucket["name"],
        marker,
        prefix,
        prefix,
    )
    rows = _after(rows, marker, version_marker)
    entries, prefixes, shown, more = [], [], [], False
    for row in rows:
        if delimiter and delimiter in row["key"][len(prefix) :]:
            group = row["key"][: row["key"].index(delimiter, len(prefix)) + len(delimiter)]
            if group not in prefixes:
                prefixes.append(group)
            continue
        if len(shown) == limit:
            more = True
            break
        newest = not any(r["key"] == row["key"] for r in shown) and not (
            row["key"] == marker and version_marker
        )
        entries.append(_version(row, newest, encode, owner(region)))
        shown.append(row)
    parts = [
        element("Name", bucket["name"]),
        element("Prefix", encode(prefix)),
        element("KeyMarker", encode(marker)),
    ]
    parts += [
        element("VersionIdMarker", version_marker),
        element("MaxKeys", limit),
        element("Delimiter", encode(delimiter)),
    ]
    parts += [*_encoding(request), element("IsTruncated", more)]
    if more:
        parts += [
            element("NextKeyMarker", encode(shown[-1]["key"])),
            element("NextVersionIdMarker", shown[-1]["version"]),
        ]
    return xml_response(element("ListVersionsResult", *parts, *entries, *_groups(prefixes, encode)))


def _after(rows: list[sqlite3.Row], key: str, version: str) -> list[sqlite3.Row]:
    if not key:
        return rows
    if version:
        places = [
            n for n, row in enumerate(rows) if row["key"] == key and row["version"] == version
        ]
        if places:
            return rows[places[0] + 1 :]
    return [row for row in rows if row["key"] != key]


def _version(row: sqlite3.Row, newest: bool, encode: Callable[[str], str], who: Xml) -> str:
    head = [
        element("Key", encode(row["key"])),
        element("VersionId", row["version"]),
        element("IsLatest", newest),
    ]
    head.append(element("LastModified", iso_millis(row["created"])))
    if row["marker"]:
        return element("DeleteMarker", *head, who)
    storage = json.loads(row["meta"])["class"]
    tail = [
        element("ETag", f'"{row["etag"]}"'),
        element("Type", row["kind"]),
        element("Size", row["size"]),
        element("StorageClass", storage),
    ]
    return element("Version", *head, *tail, who)
