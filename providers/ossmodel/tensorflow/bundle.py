"""The variables of a SavedModel: `variables.index` and its shards, read without TensorFlow.

The index is a table in LevelDB's format (TensorFlow's lib/io/table): blocks of sorted keys, each
block with a CRC-32C. The empty key holds a BundleHeaderProto, every other key is a tensor's name
with a BundleEntryProto that says where in which shard its bytes lie.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from .messages import message

VERSION = 1
"""kTensorBundleVersion: the newest index that TensorFlow reads (util/tensor_bundle)."""
_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_CHUNK = 1 << 22
SIZES = {
    1: 4,
    2: 8,
    3: 4,
    4: 1,
    5: 2,
    6: 1,
    8: 8,
    9: 8,
    10: 1,
    11: 1,
    12: 1,
    13: 4,
    14: 2,
    15: 2,
    16: 2,
    17: 2,
    18: 16,
    19: 2,
    22: 4,
    23: 8,
}
"""Bytes of one element by type number; types without a fixed size are left out."""


class DamagedError(Exception):
    """The index can't be read; TensorFlow answers DATA_LOSS or OUT_OF_RANGE."""


@dataclass(frozen=True)
class Bundle:
    """An index that could be read."""

    shards: int
    entries: dict[str, Any] = field(default_factory=dict)
    """BundleEntryProto by tensor name."""
    slices: list[Any] = field(default_factory=list)
    """Entries of parts of partitioned variables."""


def read(path: Path) -> Bundle:
    """The index at `path`. Raises `DamagedError`, or OSError."""
    data = path.read_bytes()
    if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise DamagedError(
            f"{path.name} has {len(data)} bytes and not the end that an index has; it is cut off or another file"
        )
    try:
        footer = data[-_FOOTER:]
        _, place = _handle(footer, 0)
        index, _ = _handle(footer, place)
        rows = dict(
            row for _, value in _block(data, *index) for row in _block(data, *_handle(value, 0)[0])
        )
        header = message("BundleHeaderProto").FromString(rows.pop(b""))
        entries = {
            key: message("BundleEntryProto").FromString(value) for key, value in rows.items()
        }
    except (IndexError, KeyError, struct.error, DecodeError) as error:
        raise DamagedError(f"{path.name} is damaged ({error or type(error).__name__})") from None
    if header.version.min_consumer > VERSION or VERSION in header.version.bad_consumers:
        raise DamagedError(
            f"{path.name} wants a reader of version {header.version.min_consumer}; TensorFlow's has version {VERSION}"
        )
    result = Bundle(header.num_shards)
    for key, entry in entries.items():
        if b"\0" in key:
            result.slices.append(entry)
        else:
            result.entries[key.decode("utf-8", "replace")] = entry
    return result


def shard_name(bundle: Bundle, entry: Any) -> str:
    """File name of the shard that holds an entry."""
    return f"variables.data-{entry.shard_id:05d}-of-{bundle.shards:05d}"


def parts(bundle: Bundle, entry: Any) -> list[Any]:
    """The entries whose bytes make up a tensor: itself, or, if it was partitioned, all partial
    ones.
    """
    return bundle.slices if entry.slices else [entry]


def expected_size(entry: Any) -> int | None:
    """Bytes that type and shape ask for; None if they don't determine it."""
    elements = 1
    for dimension in entry.shape.dim:
        elements *= dimension.size
    size = SIZES.get(entry.dtype)
    return None if size is None else elements * size


def intact(path: Path, entry: Any) -> bool:
    """Whether the entry's bytes in its shard have the checksum that the index gives; TensorFlow
    compares it when it restores.
    """
    with open(path, "rb") as stream:
        stream.seek(entry.offset)
        if entry.dtype == 7:
            crc = _string_checksum(stream.read(entry.size), entry)
        elif entry.dtype in SIZES:
            crc, left = 0, entry.size
            while left > 0 and (data := stream.read(min(_CHUNK, left))):
                crc, left = _checksum(data, crc), left - len(data)
        else:
            return True
    return crc is not None and _masked(crc) == entry.crc32c


def _string_checksum(data: bytes, entry: Any) -> int | None:
    """Strings lie as their lengths, a checksum of the lengths, and their bytes; None if the lengths
    don't fit.
    """
    count = 1
    for dimension in entry.shape.dim:
        count *= dimension.size
    crc, place, total = 0, 0, 0
    try:
        for _ in range(count):
            length, place = varint(data, place)
            crc = _checksum(struct.pack("<I" if length < 1 << 32 else "<Q", length), crc)
            total += length
    except IndexError:
        return None
    if len(data) != place + 4 + total or struct.unpack("<I", data[place : place + 4])[0] != _masked(
        crc
    ):
        return None
    return _checksum(data[place:], crc)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block."""
    block = data[offset : offset + size]
    trailer = data[offset + size : offset + size + 5]
    if len(block) < size or len(trailer) < 5 or size < 4:
        raise IndexError("a block lies beyond its end")
    if trailer[0] != 0:
        raise IndexError("a compressed block")  # TensorFlow writes none
    if struct.unpack("<I", trailer[1:])[0] != _masked(_checksum(block + trailer[:1], 0)):
        raise IndexError("a block's checksum doesn't match")
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    place, key = 0, b""
    while place < end:
        shared, place = varint(block, place)
        fresh, place = varint(block, place)
        length, place = varint(block, place)
        key = key[:shared] + block[place : place + fresh]
        yield key, block[place + fresh : place + fresh + length]
        place += fresh + length


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def varint(data: bytes, place: int) -> tuple[int, int]:
    """(the number at `place`, where it ends). Raises IndexError if it has no end."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise IndexError("a number has no end")


def _masked(crc: int) -> int:
    """CRCs are stored rotated and shifted, so that a CRC of data with CRCs in it means something
    (lib/hash/crc32c.h).
    """
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc32c() -> Callable[[bytes, int], int]:
    from crcmod.predefined import mkPredefinedCrcFun  # comes with oss2  # noqa: PLC0415 - only checksums need it

    return mkPredefinedCrcFun("crc-32c")


def _checksum(data: bytes, crc: int) -> int:
    return _crc32c()(data, crc)
