"""CRC-64 as OSS computes it (ECMA-182, reflected): fast through liblzma, else through crcmod.

liblzma's `lzma_crc64` is the same function and runs at several GB/s without holding the interpreter
lock; crcmod's C extension manages about 0.4 GB/s while holding it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache

Update = Callable[[bytes, int], int]


@cache
def implementation() -> tuple[str, Update]:
    """Name and `update(data, crc) -> crc` of the fastest implementation that computes the right
    value here.
    """
    for make in (_liblzma, _crcmod):
        name, update = make()
        if update is not None and update(b"123456789", 0) == 0x995DC9BBDF1939FA:
            return name, update
    raise RuntimeError(
        "no CRC-64 implementation works here: neither liblzma nor crcmod gives the check value"
    )


def update(data: bytes, crc: int = 0) -> int:
    """CRC-64 of everything so far (`crc`) followed by `data`."""
    return implementation()[1](data, crc)


def _liblzma() -> tuple[str, Update | None]:
    for name in ("liblzma.so.5", ctypes.util.find_library("lzma")):
        try:
            function = ctypes.CDLL(name or "").lzma_crc64
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_uint64
        function.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

        def with_length(data: bytes, crc: int, function=function) -> int:
            return function(data, len(data), crc)

        return "liblzma", with_length
    return "liblzma", None


def _crcmod() -> tuple[str, Update | None]:
    from crcmod import mkCrcFun  # noqa: PLC0415 - optional: another implementation is used without it

    function = mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, rev=True, xorOut=0xFFFFFFFFFFFFFFFF)
    return "crcmod", function
