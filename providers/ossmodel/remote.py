"""What lies in the bucket for one model version: list it, read it, remove it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from oss2 import exceptions
from oss2.models import BatchDeleteObjectVersion, BatchDeleteObjectVersionList

from .control import Control, retrying
from .digest import FileEntry
from .layout import Layout
from .manifest import Manifest, NotAManifestError
from .transfer import TransferBucket

_PAGE = 1000
_ROUNDS = 5


@dataclass(frozen=True)
class Listed:
    """An object as a list shows it."""

    size: int
    etag: str

    def is_stored(self, entry: FileEntry) -> bool:
        """Whether it is the object that was stored for `entry`, untouched since."""
        return bool(entry.etag) and self.etag == entry.etag and self.size == entry.size


@dataclass(frozen=True)
class _Version:
    key: str
    version_id: str
    marker: bool


@dataclass(frozen=True)
class Remote:
    """One model version in its bucket."""

    bucket: TransferBucket
    layout: Layout
    control: Control
    parallel: int = 4

    def listing(self) -> dict[str, Listed]:
        """Every object in the version directory by relative path; placeholders of directories are
        left out.
        """
        found: dict[str, Listed] = {}
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
                    path = item.key.removeprefix(self.layout.directory)
                    found[path] = Listed(item.size, item.etag or "")
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
        """The manifest, or None if there is none. Raises `NotAManifestError` for something else at
        its key, `ModelError` for one of a newer provider.
        """
        try:
            return self._manifest({})
        except exceptions.NoSuchKey:
            return None

    def manifests(self) -> list[Manifest]:
        """The manifest and, in a versioned bucket, the earlier ones: objects of theirs may be left
        as old versions.
        """
        found = []
        for version in self._versions(self.layout.manifest_key):
            if version.key == self.layout.manifest_key and not version.marker:
                with contextlib.suppress(exceptions.NotFound, NotAManifestError):
                    found.append(self._manifest({"versionId": version.version_id}))
        return found

    def _manifest(self, params: dict[str, str]) -> Manifest:
        key = self.layout.manifest_key
        body: Any = retrying(
            lambda: self.bucket.get_object(key, params=params).read(), self.control
        )
        return Manifest.decode(body, f"oss://{self.layout.bucket}/{key}")

    def put_manifest(self, manifest: Manifest) -> None:
        """Write the manifest; the first and the last step of every upload."""
        headers = {"Content-Type": "application/json"}
        self.bucket.put_object(
            self.layout.manifest_key, manifest.encode(self.layout.path), headers=headers
        )

    def delete(self, paths: Iterable[str]) -> int:
        """Delete files of the version directory: every object, object version, delete marker and
        unfinished upload. Returns how many objects. A bucket that is gone counts as done.
        """
        return self._delete(self.layout.directory, {self.layout.key(path) for path in paths})

    def delete_manifest(self) -> int:
        """Delete the manifest with its history."""
        return self._delete(self.layout.manifest_key, {self.layout.manifest_key})

    def _delete(self, prefix: str, keys: Collection[str]) -> int:
        """Of what lies below `prefix`, delete `keys` and nothing else."""
        if not keys:
            return 0
        count = 0
        try:
            self._abort_uploads(prefix, keys)
            for _ in range(_ROUNDS):
                versions = [
                    BatchDeleteObjectVersion(found.key, found.version_id)
                    for found in self._versions(prefix)
                    if found.key in keys
                ]
                if not versions:
                    return count
                for start in range(0, len(versions), _PAGE):
                    batch = BatchDeleteObjectVersionList(versions[start : start + _PAGE])
                    retrying(partial(self.bucket.delete_object_versions, batch), self.control)
                count += len(versions)
        except exceptions.NoSuchBucket:
            return count
        raise RuntimeError(
            f"objects under {prefix} keep appearing while they are deleted; something else writes there"
        )

    def _versions(self, prefix: str) -> Iterator[_Version]:
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
            for item in page.versions:
                yield _Version(item.key, item.versionid, False)
            for item in page.delete_marker:
                yield _Version(item.key, item.versionid, True)
            if not page.is_truncated:
                return
            marker, version_marker = page.next_key_marker, page.next_versionid_marker

    def _abort_uploads(self, prefix: str, keys: Collection[str]) -> None:
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
                if upload.key in keys:
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
