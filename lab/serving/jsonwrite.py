"""Writes JSON as the server does: its indentation, its one-line lists, its decimals."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

LIMIT = 256
"""Bytes after which a value quoted in an error text is cut."""


def decimal(value: float, kind: Any = np.float32) -> str:
    """Shortest six-digit form that reads back as the same number, else all digits; whole numbers
    get '.0'.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "-Infinity" if value < 0 else "Infinity"
    text = f"{value:.6g}"
    if kind(text) != kind(value):
        text = f"{value:.{9 if kind is np.float32 else 17}g}"
    return text if "." in text or "e" in text else text + ".0"


def quote(text: str) -> str:
    """A JSON string, non-ASCII characters as they are."""
    parts = []
    for character in text:
        short = {
            '"': '\\"',
            "\\": "\\\\",
            "\b": "\\b",
            "\f": "\\f",
            "\n": "\\n",
            "\r": "\\r",
            "\t": "\\t",
        }.get(character)
        parts.append(short or (f"\\u{ord(character):04X}" if ord(character) < 0x20 else character))
    return '"' + "".join(parts) + '"'


class Writer:
    """A pretty printer with the server's rules: 4 spaces; `one_line` puts the elements of a list on
    one line.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.parts: list[str] = []
        self.levels: list[list[Any]] = []
        self.one_line = False
        self.size, self.limit = 0, limit

    def full(self) -> bool:
        """Whether the size limit is reached (then nothing more is written)."""
        return self.limit is not None and self.size >= self.limit

    def put(self, text: str) -> None:
        """Append text as it is."""
        self.parts.append(text)
        self.size += len(text.encode("utf-8", "surrogatepass"))

    def prefix(self) -> None:
        """What stands before the next value: comma, colon, line end and indentation."""
        if not self.levels:
            return
        level = self.levels[-1]
        indent = "    " * len(self.levels)
        if level[0] == "[":
            if level[1]:
                self.put(", " if self.one_line else ",")
            if not self.one_line:
                self.put("\n" + indent)
        elif level[1] % 2:
            self.put(": ")
        else:
            self.put((",\n" if level[1] else "\n") + indent)
        level[1] += 1

    def raw(self, text: str) -> None:
        """Write a scalar that is JSON already."""
        self.prefix()
        self.put(text)

    def start(self, bracket: str) -> None:
        """Opens `{` or `[`."""
        self.prefix()
        self.levels.append([bracket, 0])
        self.put(bracket)

    def end(self) -> None:
        """Closes the innermost bracket."""
        bracket, count = self.levels.pop()
        if count and not (bracket == "[" and self.one_line):
            self.put("\n" + "    " * len(self.levels))
        self.put("]" if bracket == "[" else "}")

    def text(self) -> str:
        """All that was written."""
        return "".join(self.parts)


def error_body(message: str) -> bytes:
    """`{"error": ...}` as the server prints it."""
    return ("{\n    " + '"error": ' + quote(message) + "\n}").encode("utf-8", "surrogatepass")


def debug(value: Any) -> str:
    """A value quoted in an error text, cut near 256 bytes."""
    writer = Writer(LIMIT)
    writer.one_line = True
    _accept(writer, value)
    return writer.text()


def _accept(writer: Writer, value: Any) -> bool:
    """Writes `value`; False as soon as the limit is hit."""
    if writer.full():
        return False
    if isinstance(value, dict):
        writer.start("{")
        for key, item in value.items():
            if writer.full():
                return False
            writer.raw(quote(key))
            if not _accept(writer, item):
                return False
    elif isinstance(value, list):
        writer.start("[")
        if not all(_accept(writer, item) for item in value):
            return False
    else:
        writer.raw(scalar(value))
        return True
    if writer.full():
        return False
    writer.end()
    return True


def scalar(value: Any) -> str:
    """A JSON scalar in an error text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quote(value)
    return repr(value)


def write_tensor(writer: Writer, value: Any, kind: str, as_bytes: bool) -> None:
    """A tensor's values (nested lists, or one scalar) as nested lists; strings as {"b64"} if
    `as_bytes`. `kind` is its type, "DT_FLOAT".
    """
    if isinstance(value, list):
        writer.start("[")
        for part in value:
            write_tensor(writer, part, kind, as_bytes)
        writer.end()
    elif isinstance(value, bytes):
        if as_bytes:
            writer.start("{")
            writer.raw('"b64"')
            writer.raw(quote(base64.b64encode(value).decode()))
            writer.end()
        else:
            writer.raw(quote(value.decode("utf-8", "surrogateescape")))
    elif isinstance(value, bool):
        writer.raw("true" if value else "false")
    elif isinstance(value, float):
        writer.raw(decimal(value, np.float64 if kind == "DT_DOUBLE" else np.float32))
    else:
        writer.raw(str(value))
