"""The bytes of objects, one file per version or part, and their checksums."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import crcmod

from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.state import Region

_PIECE = 1 << 20


@dataclass(frozen=True)
class Blob:
    """Stored bytes. `etag` is the upper-case MD5, `crc` the CRC-64 as OSS writes it."""

    name: str
    size: int
    etag: str
    crc: str


_CRC64 = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, rev=True, xorOut=0xFFFFFFFFFFFFFFFF)
"""CRC-64 of ECMA-182, as OSS computes it."""


def path_of(region: Region, name: str) -> Path:
    """Where a blob lies."""
    return region.blobs / name[:2] / name


def write(region: Region, pieces: Iterable[bytes]) -> Blob:
    """Store bytes; computes size, MD5 and CRC-64 on the way. A full disk ends in an error of the
    service and leaves nothing.
    """
    name = uuid.uuid4().hex
    path = path_of(region, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, crc, size = hashlib.md5(), 0, 0
    try:
        with path.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                crc = _CRC64(piece, crc)
                size += len(piece)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ApiError(
            500, "InternalError", f"The lab's object store can not write: {error.strerror}."
        ) from None
    return Blob(name, size, digest.hexdigest().upper(), str(crc))


def read_pieces(region: Region, names: Iterable[str]) -> Iterable[bytes]:
    """The bytes of several blobs one after the other."""
    for name in names:
        with path_of(region, name).open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


def remove(region: Region, names: Iterable[str]) -> None:
    """Delete the files of blobs that nothing refers to any more."""
    for name in names:
        if name:
            path_of(region, name).unlink(missing_ok=True)


def check_md5(request: Request) -> None:
    """A Content-MD5 that is given must be right."""
    wanted = request.headers.get("content-md5", "")
    if wanted and wanted != base64.b64encode(hashlib.md5(request.body).digest()).decode():
        raise ApiError(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
