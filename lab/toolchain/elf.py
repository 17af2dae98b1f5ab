"""Reading undefined symbols from a shared library, and writing a library that has such symbols,
without a C compiler.

For 64-bit little-endian ELF files (x86-64). Layout and numbers are those of the System V ABI:
https://refspecs.linuxfoundation.org/elf/elf.pdf
"""

import mmap
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_HEADER = "<16sHHIQQQIHHHHHH"
_SECTION = "<IIQQQQIIQQ"
_SEGMENT = "<IIQQQQQQ"
_SYMBOL = "<IBBHQQ"
_IDENT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
_SHT_DYNSYM = 11
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 4, 5, 6, 10, 11, 14
_READ_WRITE = 6
_PAGE = 0x1000
_GLOBAL_OBJECT = 0x11
_OBJECT_SIZE = 64


def undefined(library: Path, prefixes: tuple[str, ...]) -> list[str]:
    """Names that `library` expects from elsewhere and that begin with one of `prefixes`, sorted.
    ValueError if it is no such file.
    """
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = struct.unpack_from(_HEADER, data)
        if header[0][:6] != _IDENT[:6]:
            raise ValueError(f"{library} is not a 64-bit little-endian ELF file")
        sections = [
            struct.unpack_from(_SECTION, data, header[6] + number * header[11])
            for number in range(header[12])
        ]
        symbols = next((section for section in sections if section[1] == _SHT_DYNSYM), None)
        if symbols is None:
            raise ValueError(f"{library} has no dynamic symbols")
        strings = sections[symbols[6]][4]
        wanted = tuple(prefix.encode() for prefix in prefixes)
        names = set()
        for offset in range(symbols[4], symbols[4] + symbols[5], symbols[9]):
            name, _, _, section, _, _ = struct.unpack_from(_SYMBOL, data, offset)
            if section == 0 and name:
                start = strings + name
                text = data[start : data.find(b"\0", start)]
                if text.startswith(wanted):
                    names.add(text.decode())
        return sorted(names)


def library_of(names: Sequence[str], soname: str) -> bytes:
    """A shared library in which every one of `names` is an object of 64 zero bytes (they share
    them).
    """
    strings = b"\0"
    places = []
    for name in (*names, soname):
        places.append(len(strings))
        strings += name.encode() + b"\0"
    count = len(names) + 1
    # All symbols are in one hash bucket: the chain goes through them in order.
    hashes = struct.pack(
        f"<{3 + count}I", 1, count, 1 if names else 0, *[0, *range(2, count), 0][:count]
    )
    at_hash = 64 + 3 * 56
    at_symbols = _aligned(at_hash + len(hashes))
    at_strings = at_symbols + count * 24
    at_dynamic = _aligned(at_strings + len(strings))
    entries = [
        (_DT_HASH, at_hash), (_DT_STRTAB, at_strings), (_DT_SYMTAB, at_symbols), (_DT_STRSZ, len(strings)),
        (_DT_SYMENT, 24), (_DT_SONAME, places[-1]), (0, 0),
    ]  # fmt: skip
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    at_data = at_dynamic + len(dynamic)
    size = at_data + _OBJECT_SIZE
    symbols = bytes(24) + b"".join(
        struct.pack(_SYMBOL, place, _GLOBAL_OBJECT, 0, 1, at_data, _OBJECT_SIZE)
        for place in places[:-1]
    )
    header = struct.pack(_HEADER, _IDENT, 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    segments = (
        (_PT_LOAD, _READ_WRITE, 0, 0, 0, size, size, _PAGE),
        (
            _PT_DYNAMIC,
            _READ_WRITE,
            at_dynamic,
            at_dynamic,
            at_dynamic,
            len(dynamic),
            len(dynamic),
            8,
        ),
        (
            _PT_GNU_STACK,
            _READ_WRITE,
            0,
            0,
            0,
            0,
            0,
            16,
        ),  # without it the loader would want an executable stack
    )
    return _joined([
        (0, header), (64, b"".join(struct.pack(_SEGMENT, *segment) for segment in segments)),
        (at_hash, hashes), (at_symbols, symbols), (at_strings, strings), (at_dynamic, dynamic), (at_data, bytes(_OBJECT_SIZE)),
    ])  # fmt: skip


def _aligned(offset: int) -> int:
    return (offset + 7) // 8 * 8


def _joined(parts: Iterable[tuple[int, bytes]]) -> bytes:
    result = bytearray()
    for offset, content in parts:
        result += bytes(offset - len(result)) + content
    return bytes(result)
