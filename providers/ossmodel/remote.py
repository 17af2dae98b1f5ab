"""What lies in the bucket for one model version: list it, read it, remove it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from oss2 import exceptions
from oss2.models import BatchDeleteObjectVersion, BatchDeleteObjectVersionList

from .control import Control, retrying
from .digest import FileEntry
from .layout import Layout
from .manifest import Manifest
from .transfer import TransferBucket

_PAGE = 1000
_ROUNDS = 5


@dataclass(frozen=True)
class Remote:
    """One model version in its bucket."""

    bucket: TransferBucket
    layout: Layout
    control: Control
    parallel: int = 4

    def sizes(self) -> dict[str, int]:
        """Size by relative path of every object in the version directory; placeholders of
        directories are left out.
        """
        found: dict[str, int] = {}
        token = ""
        while True:
            listing = partial(
                self.bucket.list_objects_v2,
                self.layout.directory,
                continuation_token=token,
                max_keys=_PAGE,
            )
            page: Any = retrying(listing, self.control)
            for item in page.object_list:
                if not item.key.endswith("/"):
                    found[item.key.removeprefix(self.layout.directory)] = item.size
            if not page.is_truncated:
                return found
            token = page.next_continuation_token

    def entries(self, paths: Iterable[str]) -> dict[str, FileEntry]:
        """Size and CRC-64 of objects; one that is gone by now is left out."""
        wanted = sorted(paths)
        with ThreadPoolExecutor(max_workers=max(1, min(self.parallel, len(wanted)))) as pool:
            found = pool.map(self._entry, wanted)
            return {path: entry for path, entry in zip(wanted, found, strict=True) if entry}

    def _entry(self, path: str) -> FileEntry | None:
        try:
            head: Any = retrying(
                lambda: self.bucket.head_object(self.layout.key(path)), self.control
            )
        except exceptions.NotFound:
            return None
        except exceptions.ServerError as error:
            if error.status == 404:
                return None
            raise
        return FileEntry(
            head.content_length, "", str(head.server_crc if head.server_crc is not None else "")
        )

    def manifest(self) -> Manifest | None:
        """The manifest, or None if there is none that this provider wrote."""
        try:
            body = retrying(
                lambda: self.bucket.get_object(self.layout.manifest_key).read(), self.control
            )
        except exceptions.NoSuchKey:
            return None
        return Manifest.decode(body if isinstance(body, bytes) else b"")

    def put_manifest(self, manifest: Manifest) -> None:
        """Write the manifest; the last step of every upload."""
        headers = {"Content-Type": "application/json"}
        self.bucket.put_object(
            self.layout.manifest_key, manifest.encode(self.layout.path), headers=headers
        )

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects of the version directory (in a versioned bucket their history stays)."""
        keys = [self.layout.key(path) for path in sorted(paths)]
        for start in range(0, len(keys), _PAGE):
            batch = keys[start : start + _PAGE]
            retrying(partial(self.bucket.batch_delete_objects, batch), self.control)

    def delete_everything(self) -> int:
        """Delete every object, object version, delete marker and unfinished upload of this version;
        returns how many objects.

        A bucket that is gone counts as done.
        """
        count = 0
        try:
            for prefix in (self.layout.directory, self.layout.manifest_key):
                self._abort_uploads(prefix)
                count += self._delete_versions(prefix)
        except exceptions.NoSuchBucket:
            return count
        return count

    def _delete_versions(self, prefix: str) -> int:
        count = 0
        for _ in range(_ROUNDS):
            versions = list(self._versions(prefix))
            if not versions:
                return count
            for start in range(0, len(versions), _PAGE):
                batch = BatchDeleteObjectVersionList(versions[start : start + _PAGE])
                retrying(partial(self.bucket.delete_object_versions, batch), self.control)
            count += len(versions)
        raise RuntimeError(
            f"objects under {prefix} keep appearing while they are deleted; something else writes there"
        )

    def _versions(self, prefix: str) -> Iterator[BatchDeleteObjectVersion]:
        marker, version_marker = "", ""
        while True:
            listing = partial(
                self.bucket.list_object_versions,
                prefix,
                key_marker=marker,
                versionid_marker=version_marker,
                max_keys=_PAGE,
            )
            page: Any = retrying(listing, self.control)
            for item in [*page.versions, *page.delete_marker]:
                yield BatchDeleteObjectVersion(item.key, item.versionid)
            if not page.is_truncated:
                return
            marker, version_marker = page.next_key_marker, page.next_versionid_marker

    def _abort_uploads(self, prefix: str) -> None:
        marker, upload_marker = "", ""
        while True:
            listing = partial(
                self.bucket.list_multipart_uploads,
                prefix,
                key_marker=marker,
                upload_id_marker=upload_marker,
            )
            page: Any = retrying(listing, self.control)
            for upload in page.upload_list:
                self.abort(upload.key, upload.upload_id)
            if not page.is_truncated:
                return
            marker, upload_marker = page.next_key_marker, page.next_upload_id_marker

    def abort(self, key: str, upload_id: str) -> None:
        """Give up an unfinished upload; one that is gone counts as done."""
        try:
            retrying(lambda: self.bucket.abort_multipart_upload(key, upload_id), self.control)
        except exceptions.NoSuchUpload:
            return
