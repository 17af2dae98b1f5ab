"""Records of unfinished multipart uploads, kept outside the checkout, so that an interrupted upload
continues where it stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from .errors import ModelError, describe


def root(environ: Any = os.environ) -> Path:
    """The directory of all records."""
    cache = environ.get("EI_CACHE")
    if not cache:
        base = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        cache = os.path.join(base, "elastic-inference")
    return Path(cache, "ossmodel", "uploads")


class Checkpoints:
    """The store `oss2.resumable_upload` asks for, for one object and one content.

    The content's SHA-256 is part of the record's name: a file that changed without changing its
    size or time stamp never continues the upload of its old content.
    """

    def __init__(self, bucket: str, key: str, sha256: str, directory: Path | None = None) -> None:
        self._directory = directory or root()
        place = hashlib.sha256(f"oss://{bucket}/{key}".encode()).hexdigest()[:32]
        self._place = place
        self._name = f"{place}-{sha256[:32]}.json"
        self._ready()

    def make_store_key(self, *_: str) -> str:
        """Name of the record. It depends on bucket, key and content, not on oss2's arguments: the
        same content at another path continues the same upload.
        """
        return self._name

    def get(self, key: str) -> dict[str, Any] | None:
        """The record, None when it is missing or damaged."""
        try:
            record = json.loads((self._directory / key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        upload = record.get("upload_id") if isinstance(record, dict) else None
        return (
            record
            if isinstance(upload, str) and re.fullmatch(r"[0-9A-Za-z._~-]+", upload)
            else None
        )

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Write the record whole or not at all. Raises `ModelError` when the disk is full or not
        writable.
        """
        partial = self._directory / f".{key}.{os.getpid()}"
        try:
            partial.write_text(json.dumps(record), encoding="utf-8")
            os.replace(partial, self._directory / key)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise self._unusable(error) from None

    def delete(self, key: str) -> None:
        """Forget the record, if there is one."""
        (self._directory / key).unlink(missing_ok=True)

    def forget(self) -> None:
        """Deletes the record of this content's unfinished upload."""
        self.delete(self._name)

    def take_others(self) -> list[str]:
        """Upload ids of the same object's other contents: they will never be finished. Their
        records are removed.
        """
        uploads = []
        for path in self._directory.glob(f"{self._place}-*.json"):
            if path.name != self._name:
                record = self.get(path.name)
                path.unlink(missing_ok=True)
                uploads += [str(record["upload_id"])] if record else []
        return uploads

    def _ready(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ModelError:
        return ModelError(
            describe(
                "the upload record",
                str(self._directory),
                f"a directory with free space that can be written ({error.strerror})",
                "an interrupted upload could not be resumed, so it is not begun",
                "free space there, or set EI_CACHE to another directory, and run the same command again",
            )
        )


def forget_all(bucket: str, keys: list[str], directory: Path | None = None) -> None:
    """Remove the records of deleted objects."""
    base = directory or root()
    for key in keys:
        place = hashlib.sha256(f"oss://{bucket}/{key}".encode()).hexdigest()[:32]
        for path in base.glob(f"{place}-*.json"):
            path.unlink(missing_ok=True)
