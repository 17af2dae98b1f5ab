"""Object versions in the table: which is current, what a write or a delete does to them."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid

from lab.alicloud.protocol import ApiError
from lab.alicloud.services.oss.blobs import Blob
from lab.alicloud.state import Region
from lab.alicloud.store import Document

NULL = "null"


def versioning_of(bucket: Document) -> str:
    """Enabled, Suspended or "" (never switched on)."""
    found = re.search(r"<Status>(\w+)<", bucket["config"].get("versioning", ""))
    return found[1] if found else ""


def new_version(bucket: Document) -> str:
    """The version id a write gets now."""
    return "CAEQ" + uuid.uuid4().hex * 2 if versioning_of(bucket) == "Enabled" else NULL


def add(
    region: Region,
    bucket: Document,
    key: str,
    blob: Blob | None,
    kind: str,
    meta: Document,
) -> tuple[str, list[str]]:
    """Write a version (a delete marker without `blob`); returns its id and the blobs that are no
    longer needed.
    """
    version = new_version(bucket)
    old = region.store.sql(
        "DELETE FROM object WHERE bucket=? AND key=? AND version=? RETURNING blob",
        bucket["name"],
        key,
        version,
    )
    data = blob or Blob("", 0, "", "0")
    region.store.sql(
        "INSERT INTO object (bucket, key, version, marker, size, etag, crc, blob, kind, created, meta) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        bucket["name"],
        key,
        version,
        0 if blob else 1,
        data.size,
        data.etag,
        data.crc,
        data.name,
        kind,
        region.clock.now(),
        json.dumps(meta),
    )
    return version, [row["blob"] for row in old]


def find(region: Region, bucket: str, key: str, version: str = "") -> sqlite3.Row:
    """A version, or the current one. Errors: NoSuchVersion, NoSuchKey (also for a delete
    marker).
    """
    if version:
        rows = region.store.sql(
            "SELECT * FROM object WHERE bucket=? AND key=? AND version=?", bucket, key, version
        )
        if not rows:
            raise ApiError(
                404,
                "NoSuchVersion",
                "The specified version does not exist.",
                Key=key,
                VersionId=version,
            )
        if rows[0]["marker"]:
            raise ApiError(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against a delete marker.",
                Key=key,
            )
        return rows[0]
    rows = region.store.sql(
        "SELECT * FROM object WHERE bucket=? AND key=? ORDER BY seq DESC LIMIT 1", bucket, key
    )
    if not rows or rows[0]["marker"]:
        raise ApiError(
            404, "NoSuchKey", "The specified key does not exist.", Key=key, EC="0026-00000001"
        )
    return rows[0]


def delete(
    region: Region, bucket: Document, key: str, version: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Delete a version for good, or the object as its versioning says; (answer headers, blobs no
    longer needed).
    """
    name = bucket["name"]
    if version:
        rows = region.store.sql(
            "DELETE FROM object WHERE bucket=? AND key=? AND version=? RETURNING blob, marker",
            name,
            key,
            version,
        )
        headers = {"x-oss-version-id": version}
        if rows and rows[0]["marker"]:
            headers["x-oss-delete-marker"] = "true"
        return headers, [row["blob"] for row in rows]
    if not versioning_of(bucket):
        rows = region.store.sql(
            "DELETE FROM object WHERE bucket=? AND key=? RETURNING blob", name, key
        )
        return {}, [row["blob"] for row in rows]
    marker, blobs = add(region, bucket, key, None, "DeleteMarker", {})
    return {"x-oss-version-id": marker, "x-oss-delete-marker": "true"}, blobs
