"""Content of a directory: per file size, SHA-256 and CRC-64, and one digest over all of them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import crc64
from .errors import ModelError, describe

_BLOCK = 1 << 20
_cache: dict[tuple[Any, ...], FileEntry] = {}
_cache_lock = threading.Lock()

Progress = Callable[[str, int], None]
"""Called as (relative path, bytes just hashed)."""


@dataclass(frozen=True)
class FileEntry:
    """Content of one file. `sha256` is empty where only the object store's CRC-64 is known."""

    size: int
    sha256: str
    crc64: str
    etag: str = field(default="", compare=False)
    """What the object store calls the stored content, as its listings show it; empty where it is
    not known. It changes with each write, also of the same bytes.
    """

    def plain(self) -> dict[str, Any]:
        """The form kept in the manifest."""
        known = {"size": self.size, "sha256": self.sha256, "crc64": self.crc64}
        return {**known, "etag": self.etag} if self.etag else known

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> FileEntry:
        """The entry that `plain()` wrote; fields that are missing count as unknown."""
        return FileEntry(
            int(plain.get("size", -1)),
            str(plain.get("sha256", "")),
            str(plain.get("crc64", "")),
            str(plain.get("etag", "")),
        )

    def same_content(self, other: FileEntry) -> bool:
        """Equal by SHA-256 where both have one, else by size and CRC-64."""
        if self.size != other.size:
            return False
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return bool(self.crc64) and self.crc64 == other.crc64


def of_entries(files: Mapping[str, FileEntry]) -> str:
    """The model's digest: SHA-256 over one line `<path> <sha256> <size>` per file, sorted by path.

    A file whose SHA-256 is unknown counts by its CRC-64, so that its digest equals no directory's.
    """
    total = hashlib.sha256()
    for path in sorted(files):
        entry = files[path]
        total.update(f"{path} {entry.sha256 or 'crc64:' + entry.crc64} {entry.size}\n".encode())
    return total.hexdigest()


def of_checksums(files: Mapping[str, FileEntry]) -> str:
    """`of_entries` with every file by its CRC-64: what can be computed from the bucket alone."""
    return of_entries(
        {path: FileEntry(entry.size, "", entry.crc64) for path, entry in files.items()}
    )


def of_files(
    root: Path, paths: Iterable[str], progress: Progress | None = None
) -> dict[str, FileEntry]:
    """Entries of `paths` under `root`, sorted; a file that did not change since it was last hashed
    here is not read again.
    """
    return {path: of_file(root / path, path, progress) for path in sorted(paths)}


def of_file(file: Path, name: str, progress: Progress | None = None) -> FileEntry:
    """Size and checksums of one file; raises `ModelError` if it changes while it is read."""
    key = signature(file)
    with _cache_lock:
        known = _cache.get(key)
    if known:
        return known
    sha, crc, size, expected = hashlib.sha256(), 0, 0, key[3]
    with open(file, "rb", buffering=0) as stream:
        while size <= expected and (block := stream.read(_BLOCK)):
            sha.update(block)
            crc = crc64.update(block, crc)
            size += len(block)
            if progress:
                progress(name, len(block))
    if signature(file) != key:
        raise changed(name)
    entry = FileEntry(size, sha.hexdigest(), str(crc))
    with _cache_lock:
        _cache[key] = entry
    return entry


def signature(file: Path) -> tuple[Any, ...]:
    """What tells, without reading it, that a file is still the one that was hashed."""
    info = os.stat(file)
    return (str(file), info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def changed(name: str) -> ModelError:
    """The error for a file that changed while it was being read or uploaded."""
    return ModelError(
        describe(
            "source",
            name,
            "files that stay as they are during the update",
            "the file changed while it was read, so what was uploaded would match no version of it",
            "wait until the export has finished and run the same command again",
        )
    )
