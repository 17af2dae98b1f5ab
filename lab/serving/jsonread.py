"""Reads JSON as the server's parser does: same leniency (NaN, text after the value) and same error
texts and offsets.

The usual request goes through orjson; what orjson refuses is read again here, byte by byte.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from lab.serving.errors import StatusError, invalid

_TYPES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}
_SPACE = re.compile(rb"[ \n\r\t]*")
_NUMBER = re.compile(rb"-?(0|[1-9]\d*)")
_ESCAPES = {
    0x22: '"',
    0x2F: "/",
    0x5C: "\\",
    0x62: "\b",
    0x66: "\f",
    0x6E: "\n",
    0x72: "\r",
    0x74: "\t",
}
_MISSING_NAME = "Missing a name for object member."
_COMMA_OR_CURLY = "Missing a comma or } after an object member."
_COMMA_OR_SQUARE = "Missing a comma or ] after an array element."


class _MalformedError(Exception):
    """What is wrong: (text, offset in bytes)."""


def parse(body: bytes) -> Any:
    """The value in `body`; StatusError with the parser's text otherwise."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_slowly(body)


def json_type(value: Any) -> str:
    """A value's type as the server names it: "Array", "True"."""
    return _TYPES.get(type(value)) or ("True" if value else "False")


def is_b64(value: Any) -> bool:
    """Whether a value is {"b64": "..."}, which stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(text: str) -> bytes:
    """The bytes; padding may be missing, and white space is skipped, as absl::Base64Unescape has
    it. INVALID_ARGUMENT otherwise.
    """
    kept = "".join(text.split()).rstrip("=") if text.rstrip().count("=") <= 2 else "="
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _parse_slowly(body: bytes) -> Any:
    try:
        reader = _Reader(body)
        reader.skip()
        if reader.peek() == 0:
            raise _MalformedError("The document is empty.", reader.at)
        return reader.value(top=True)
    except _MalformedError as bad:
        raise _error(*bad.args) from None
    except RecursionError:
        raise invalid(
            "JSON Parse error: Terminate parsing due to Handler error. at offset: 0"
        ) from None


def _error(text: str, offset: int) -> StatusError:
    return invalid(f"JSON Parse error: {text} at offset: {offset}")


class _Reader:
    """A cursor over the body; every method raises _MalformedError at the offset where the server
    would stop.
    """

    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 3 if body.startswith(b"\xef\xbb\xbf") else 0

    def peek(self) -> int:
        return self.body[self.at] if self.at < len(self.body) else 0

    def skip(self) -> None:
        found = _SPACE.match(self.body, self.at)
        self.at = found.end() if found else self.at

    def value(self, top: bool = False) -> Any:
        """The value at the cursor (`top`: what stands first decides between "empty" and
        "invalid").
        """
        first = self.peek()
        if first == 0x7B:
            return self.members()
        if first == 0x5B:
            return self.elements()
        if first == 0x22:
            return self.string()
        for word, result in ((b"true", True), (b"false", False), (b"null", None)):
            if first == word[0]:
                return self.word(word, result)
        if first in b"]},:" or first == 0:
            raise _MalformedError("The document is empty." if top else "Invalid value.", self.at)
        return self.number()

    def word(self, word: bytes, result: Any) -> Any:
        for expected in word:
            if self.peek() != expected:
                raise _MalformedError("Invalid value.", self.at)
            self.at += 1
        return result

    def members(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        self.at += 1
        self.skip()
        if self.peek() == 0x7D:
            self.at += 1
            return result
        while True:
            self.skip()
            if self.peek() != 0x22:
                raise _MalformedError(_MISSING_NAME, self.at)
            name = self.string()
            self.skip()
            if self.peek() != 0x3A:
                raise _MalformedError("Missing a colon after a name of object member.", self.at)
            self.at += 1
            self.skip()
            result.setdefault(name, self.value())
            self.skip()
            if self.peek() == 0x7D:
                self.at += 1
                return result
            if self.peek() != 0x2C:
                raise _MalformedError(_COMMA_OR_CURLY, self.at)
            self.at += 1

    def elements(self) -> list[Any]:
        result: list[Any] = []
        self.at += 1
        self.skip()
        if self.peek() == 0x5D:
            self.at += 1
            return result
        while True:
            self.skip()
            result.append(self.value())
            self.skip()
            if self.peek() == 0x5D:
                self.at += 1
                return result
            if self.peek() != 0x2C:
                raise _MalformedError(_COMMA_OR_SQUARE, self.at)
            self.at += 1

    def number(self) -> Any:
        start = self.at
        special = re.compile(rb"-?(NaN|Infinity|Inf)").match(self.body, start)
        if special:
            self.at = special.end()
            return float(special.group().decode().replace("Infinity", "inf"))
        whole = _NUMBER.match(self.body, start)
        if not whole:
            raise _MalformedError(
                "Invalid value.", start + (1 if self.body[start : start + 1] == b"-" else 0)
            )
        self.at, text = whole.end(), whole.group()
        real = False
        for mark, name in (
            (rb"\.", "Miss fraction part in number."),
            (rb"[eE][+-]?", "Miss exponent in number."),
        ):
            found = re.compile(mark).match(self.body, self.at)
            if found:
                digits = re.compile(rb"\d+").match(self.body, found.end())
                if not digits:
                    raise _MalformedError(name, found.end())
                text, self.at, real = (
                    text + self.body[found.start() : digits.end()],
                    digits.end(),
                    True,
                )
        result = float(text) if real or not -(2**63) <= int(text) < 2**64 else int(text)
        if result in (float("inf"), float("-inf")):
            raise _MalformedError("Number too big to be stored in double.", start)
        return result

    def string(self) -> str:
        self.at += 1
        parts: list[bytes] = []
        while True:
            plain = re.compile(rb'[^"\\\x00-\x1f]*').match(self.body, self.at)
            assert plain
            parts.append(plain.group())
            self.at = plain.end()
            here = self.peek()
            if here == 0x22:
                self.at += 1
                return b"".join(parts).decode("utf-8", "surrogatepass")
            if here != 0x5C:
                missing = self.at >= len(self.body)
                raise _MalformedError(
                    "Missing a closing quotation mark in string."
                    if missing
                    else "Invalid encoding in string.",
                    self.at,
                )
            parts.append(self.escape().encode("utf-8", "surrogatepass"))

    def escape(self) -> str:
        start = self.at
        mark = self.body[start + 1] if start + 1 < len(self.body) else 0
        if mark in _ESCAPES:
            self.at += 2
            return _ESCAPES[mark]
        if mark != 0x75:
            raise _MalformedError("Invalid escape character in string.", start)
        code = self.hexadecimal(start)
        if 0xD800 <= code <= 0xDFFF:
            if code > 0xDBFF or self.body[self.at : self.at + 2] != b"\\u":
                raise _MalformedError("The surrogate pair in string is invalid.", start)
            low = self.hexadecimal(start)
            if not 0xDC00 <= low <= 0xDFFF:
                raise _MalformedError("The surrogate pair in string is invalid.", start)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code)

    def hexadecimal(self, start: int) -> int:
        digits = self.body[self.at + 2 : self.at + 6]
        if not re.fullmatch(rb"[0-9a-fA-F]{4}", digits):
            raise _MalformedError("Incorrect hex digit after \\u escape in string.", start)
        self.at += 6
        return int(digits, 16)
