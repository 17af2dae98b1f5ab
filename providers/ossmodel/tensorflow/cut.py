"""Protocol buffer messages that are cut off between two fields: what a lenient parser reads of
them.
"""

from __future__ import annotations

from typing import Any

from .bundle import varint

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MESSAGE = 11
"""FieldDescriptor.TYPE_MESSAGE."""


def completed(data: bytes, descriptor: Any) -> bytes | None:
    """`data` with the lengths of the messages that lack their end set to what is there; None if it
    isn't cut exactly between two fields.
    """
    place = start = 0
    try:
        while place < len(data):
            start = place
            tag, place = varint(data, place)
            kind = tag & 7
            if kind == _VARINT:
                _, place = varint(data, place)
            elif kind in (_FIXED64, _FIXED32):
                place += 8 if kind == _FIXED64 else 4
            elif kind == _LENGTH:
                head = place
                size, place = varint(data, place)
                if place + size > len(data):
                    inner = descriptor.fields_by_number.get(tag >> 3)
                    if inner is None or inner.type != _MESSAGE:
                        return None
                    rest = completed(data[place:], inner.message_type)
                    return None if rest is None else data[:head] + _written(len(rest)) + rest
                place += size
            else:
                return None
    except IndexError:
        return None
    return data if place == len(data) and start <= place else None


def _written(number: int) -> bytes:
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes([*result, number])
