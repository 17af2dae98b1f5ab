"""Log groups on the wire: protobuf, possibly compressed, read without a schema compiler."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import lz4.block

from lab.alicloud.protocol import ApiError, Request

_ZLIB_OR_GZIP = 47  # the window bits by which zlib finds out itself


def plain_body(request: Request) -> bytes:
    """The body unpacked as its headers say."""
    kind, size = (
        request.headers.get("x-log-compresstype", ""),
        request.headers.get("x-log-bodyrawsize", ""),
    )
    if not kind:
        return request.body
    if not size.isdigit():
        raise ApiError(400, "InvalidLogBodyRawSize", "x-log-bodyrawsize is not a number")
    try:
        if kind == "lz4":
            data = _unpack_lz4(request.body, int(size))
        elif kind in ("deflate", "gzip"):
            data = zlib.decompress(request.body, _ZLIB_OR_GZIP)
        else:
            raise ApiError(
                400,
                "UnsupportedCompressType",
                f"x-log-compresstype {kind} is not supported by the lab: use lz4, deflate or gzip",
            )
    except (ValueError, RuntimeError, zlib.error) as error:
        raise ApiError(
            400, "PostBodyUncompressError", f"the body can not be unpacked: {error}"
        ) from None
    if len(data) != int(size):
        raise ApiError(
            400,
            "PostBodyUncompressError",
            f"the body has {len(data)} bytes, x-log-bodyrawsize says {size}",
        )
    return data


def _unpack_lz4(data: bytes, size: int) -> bytes:
    try:
        return lz4.block.decompress(data, uncompressed_size=size)
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from None


def log_group(data: bytes) -> tuple[str, str, list[tuple[int, dict[str, str]]]]:
    """(topic, source, [(time, fields)]) of one LogGroup; its tags become `__tag__:` fields."""
    topic, source, logs, tags = "", "", [], {}
    try:
        for number, value in _fields(data):
            if number == 1:
                logs.append(_log(value))
            elif number == 3:
                topic = value.decode()
            elif number == 4:
                source = value.decode()
            elif number == 6:
                key, text = _pair(value)
                tags[f"__tag__:{key}"] = text
    except (IndexError, ValueError, AttributeError, TypeError) as error:
        raise ApiError(400, "PostBodyInvalid", f"the body is not a log group: {error}") from None
    return topic, source, [(time, {**fields, **tags}) for time, fields in logs]


def _log(data: bytes) -> tuple[int, dict[str, str]]:
    time, fields = 0, {}
    for number, value in _fields(data):
        if number == 1:
            time = int(value)
        elif number == 2:
            key, text = _pair(value)
            fields[key] = text
    return time, fields


def _pair(data: bytes) -> tuple[str, str]:
    parts = dict(_fields(data))
    return parts.get(1, b"").decode(), parts.get(2, b"").decode("utf-8", "replace")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(data, place)
        elif kind == 2:
            size, place = _varint(data, place)
            value, place = data[place : place + size], place + size
            if place > len(data):
                raise ValueError("a field ends behind the body")
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, place = int.from_bytes(data[place : place + size], "little"), place + size
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def old_logs(request: Request) -> bool:
    """Whether a call for a logstore is the old form of GetLogs."""
    return any(f"&type={kind}" in f"&{request.raw_query}" for kind in ("log", "histogram"))
