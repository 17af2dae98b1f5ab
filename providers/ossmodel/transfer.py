"""An oss2 bucket whose uploads can be stopped, are counted as they flow, checked by CRC-64 and
repeated part by part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import oss2
from oss2 import exceptions, utils

from . import crc64
from .control import Control, retrying
from .digest import changed

CONNECT_TIMEOUT = 10
READ_TIMEOUT = 60

Moved = Callable[[int], None]
"""Called with the bytes just sent; negative when they have to be sent again."""


class Body:
    """A slice of a file as a request body: knows its length, its CRC-64 so far, and stops when told
    to.
    """

    def __init__(self, stream: BinaryIO, size: int, control: Control, moved: Moved) -> None:
        self._stream, self._size, self._control, self._moved = stream, size, control, moved
        self._start = stream.tell()
        self.sent = 0
        self.crc = 0

    def __len__(self) -> int:
        return self._size - self.sent

    def read(self, amount: int = -1) -> bytes:
        """The next bytes of the slice, at most `amount`."""
        self._control.check()
        left = self._size - self.sent
        data = self._stream.read(left if amount is None or amount < 0 else min(amount, left))
        if left and not data:
            raise changed(os.path.basename(str(getattr(self._stream, "name", "a file"))))
        self.crc = crc64.update(data, self.crc)
        self.sent += len(data)
        self._moved(len(data))
        return data

    def rewind(self) -> None:
        """Back to the beginning of the slice, for another attempt."""
        self._moved(-self.sent)
        self._stream.seek(self._start, os.SEEK_SET)
        self.sent = self.crc = 0


class TransferBucket(oss2.Bucket):
    """`oss2.Bucket` for uploads; everything else is oss2's own."""

    def __init__(
        self, auth: Any, endpoint: str, name: str, region: str, connections: int = 4
    ) -> None:
        session = oss2.Session(pool_size=connections + 2)
        timeout: Any = (CONNECT_TIMEOUT, READ_TIMEOUT)
        super().__init__(
            auth,
            endpoint,
            name,
            session=session,
            connect_timeout=timeout,
            enable_crc=False,
            region=region,
        )
        self.control = Control()
        self.moved: Moved = lambda _: None
        self.on_retry: Callable[[Exception, int], None] | None = None

    def upload_part(
        self,
        key: str,
        upload_id: str,
        part_number: int,
        data: Any,
        progress_callback=None,  # noqa: ARG002 - oss2's signature; bytes are counted by Body
        headers=None,
    ):
        """One part; `data` is the slice of an open file that `oss2.resumable_upload` passes."""
        upload = super().upload_part
        body = Body(data.file_object, data.size, self.control, self.moved)
        return self._checked(
            body, "upload part", lambda: upload(key, upload_id, part_number, body, headers=headers)
        )

    def put_object(self, key: str, data: Any, headers=None, progress_callback=None):  # noqa: ARG002 - oss2's signature
        """A whole object from bytes."""
        put = super().put_object
        return retrying(
            lambda: put(key, data, headers=headers), self.control, on_retry=self.on_retry
        )

    def put_file(self, key: str, file: BinaryIO, headers: dict[str, str], crc: str) -> None:
        """A whole object from an open file whose CRC-64 is known to be `crc`. Raises `ModelError`
        if other bytes were sent: the file changed since, in whatever way, and the object is removed
        again.
        """
        put = super().put_object
        body = Body(file, utils.file_object_remaining_bytes(file), self.control, self.moved)
        sent: list[int] = []

        def send() -> Any:
            result = put(key, body, headers=headers)
            sent[:] = [body.crc]
            return result

        result = self._checked(body, "put object", send)
        if str(sent[0]) != crc:
            version = {"versionId": result.versionid} if result.versionid else None
            retrying(lambda: self.delete_object(key, params=version), self.control)
            raise changed(os.path.basename(file.name))

    def _checked(self, body: Body, what: str, send: Callable[[], Any]) -> Any:
        def once() -> Any:
            if body.sent:
                body.rewind()
            result = send()
            if result.crc is not None and result.crc != body.crc:
                raise exceptions.InconsistentError(
                    f"{what}: CRC-64 differs: sent {body.crc}, stored {result.crc}",
                    result.request_id,
                )
            return result

        try:
            return retrying(once, self.control, on_retry=self.on_retry)
        except BaseException:
            body.rewind()
            raise
