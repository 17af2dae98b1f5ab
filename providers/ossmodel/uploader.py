"""Uploads: small files side by side, large ones in parts side by side, each resumable and
verified.
"""

from __future__ import annotations

import mimetypes
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import oss2
from oss2 import exceptions

from . import digest
from .checkpoints import Checkpoints
from .control import is_transient
from .digest import FileEntry
from .engine import MIB, Reporter
from .errors import ModelError
from .remote import Remote

_TYPES = {
    ".pb": "application/x-protobuf",
    ".pbtxt": "text/plain; charset=utf-8",
    ".index": "application/octet-stream",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
_ROUNDS = 4


class Uploader:
    """Uploads files of one directory to one model version."""

    def __init__(self, remote: Remote, root: Path, reporter: Reporter) -> None:
        self._remote, self._root, self._reporter = remote, root, reporter
        self._bucket, self._layout, self._control = remote.bucket, remote.layout, remote.control
        self.done: dict[str, FileEntry] = {}
        """Files that are in the bucket now, verified."""
        self._lock = threading.Lock()
        self._bucket.moved = reporter.advance
        self._bucket.on_retry = self._retrying

    def upload(self, files: Mapping[str, FileEntry], part_size_mib: int, parallel: int) -> None:
        """Upload `files`, at most `parallel` requests at a time. What was finished before an error
        is in `done`.
        """
        self._reporter.begin("uploading", len(files), sum(entry.size for entry in files.values()))
        part = part_size_mib * MIB
        small = {path: entry for path, entry in files.items() if entry.size < part}
        pool = ThreadPoolExecutor(max_workers=parallel)
        try:
            futures = [
                pool.submit(self._one, path, entry, part, 1)
                for path, entry in sorted(small.items())
            ]
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for path, entry in sorted(files.items()):
            if path not in small:
                self._one(path, entry, part, parallel)

    def _retrying(self, error: Exception, attempt: int) -> None:
        self._reporter.status(f"repeating a request after {_reason(error)} (attempt {attempt + 1})")

    def _one(self, path: str, entry: FileEntry, part: int, threads: int) -> None:
        self._control.check()
        file = self._root / path
        self._refuse_changed(path, entry)
        if entry.size < part:
            self._put(path, file, entry)
        else:
            self._multipart(path, file, entry, part, threads)
        self._refuse_changed(path, entry)
        with self._lock:
            self.done[path] = entry
        self._reporter.file_done()

    def _refuse_changed(self, path: str, entry: FileEntry) -> None:
        """Raises `ModelError` if the file is no longer the one that was hashed. It is read again
        only if something touched it.
        """
        if digest.of_file(self._root / path, path) != entry:
            raise digest.changed(path)

    def _put(self, path: str, file: Path, entry: FileEntry) -> None:
        with open(file, "rb") as stream:
            self._bucket.put_file(
                self._layout.key(path), stream, headers=_headers(path), crc=entry.crc64
            )

    def _multipart(self, path: str, file: Path, entry: FileEntry, part: int, threads: int) -> None:
        key = self._layout.key(path)
        store = Checkpoints(self._layout.bucket, key, entry.sha256)
        for upload_id in store.take_others():
            self._remote.abort(key, upload_id)
        for attempt in range(1, _ROUNDS + 1):
            try:
                crc = self._resumable(key, file, store, part, threads)
                if crc is not None and str(crc) != entry.crc64:
                    raise exceptions.InconsistentError(
                        f"{key}: CRC-64 of the object is {crc}, of the file {entry.crc64}"
                    )
                return
            except (exceptions.OssError, ModelError) as error:
                try:
                    self._refuse_changed(path, entry)
                except ModelError:
                    self._give_up(key, store)
                    raise
                if isinstance(error, ModelError):
                    raise
                if self._arrived(key, entry):
                    store.forget()
                    return
                if attempt == _ROUNDS or not (
                    is_transient(error) or isinstance(error, exceptions.NoSuchUpload)
                ):
                    raise
                if isinstance(error, (exceptions.InconsistentError, exceptions.NoSuchUpload)):
                    store.forget()
                self._control.wait(attempt)

    def _give_up(self, key: str, store: Checkpoints) -> None:
        """Abort the upload of a content that no longer exists: nothing will ever finish it."""
        record = store.get(store.make_store_key())
        store.forget()
        if record:
            self._remote.abort(key, str(record["upload_id"]))

    def _resumable(self, key: str, file: Path, store: Any, part: int, threads: int) -> int | None:
        before = self._reporter.mark()
        told = threading.Event()

        def count_resumed(consumed: int, _total: int) -> None:
            if not told.is_set():
                told.set()
                self._reporter.advance(consumed, moved=False)

        try:
            result: Any = oss2.resumable_upload(
                self._bucket, key, str(file), store=store, headers=_headers(key), multipart_threshold=part, part_size=part,
                num_threads=threads, progress_callback=count_resumed,
            )  # fmt: skip
        except BaseException:
            self._reporter.reset(before)
            raise
        return result.crc

    def _arrived(self, key: str, entry: FileEntry) -> bool:
        """Whether the object is there although the answer said otherwise or was lost."""
        try:
            head: Any = self._bucket.head_object(key)
        except exceptions.OssError:
            return False
        return head.content_length == entry.size and str(head.server_crc) == entry.crc64


def content_type(path: str) -> str:
    """The media type an object is stored with; shards and unknown kinds are plain bytes."""
    suffix = Path(path).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _headers(path: str) -> dict[str, str]:
    return {"Content-Type": content_type(path)}


def _reason(error: Exception) -> str:
    status = getattr(error, "status", None)
    return f"HTTP {status}" if isinstance(status, int) and status > 0 else type(error).__name__
