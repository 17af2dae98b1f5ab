"""What travels: requests as the services see them, answers and errors."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


Answer = dict[str, Any]
"""What a call answers, as JSON: the fields of the body."""


def request_id() -> str:
    """An id as the API gateway makes them."""
    return str(uuid.uuid4()).upper()


def oss_request_id() -> str:
    """24 hex digits, as OSS makes them."""
    return uuid.uuid4().hex[:24].upper()


class Asked(dict[str, Any]):
    """Parameters that remember which of them were asked for: the judge wants to know whether the
    API has them.
    """

    def __init__(self, values: dict[str, Any], asked: set[str], above: str = "") -> None:
        """`asked` takes the names, with `above` before them (`scaling_group.`)."""
        super().__init__(values)
        self._asked, self._above = asked, above

    def __getitem__(self, name: str) -> Any:
        self._asked.add(self._above + name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._asked.add(f"{self._above}{name}")
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value or the default; asked for either way."""
        self._asked.add(self._above + name)
        return super().get(name, default)

    @classmethod
    def all_through(cls, value: Any, asked: set[str], above: str = "") -> Any:
        """A JSON value whose objects remember, each below where it is: `taints.1.effect`."""
        if isinstance(value, dict):
            return cls(
                {
                    name: cls.all_through(one, asked, f"{above}{name}.")
                    for name, one in value.items()
                },
                asked,
                above,
            )
        if isinstance(value, list):
            return [
                cls.all_through(one, asked, f"{above}{number}.")
                for number, one in enumerate(value, 1)
            ]
        return value


@dataclass
class Request:
    """One HTTP request. `path` is percent-decoded, `raw_path` as sent; header names are lower
    case.
    """

    method: str
    scheme: str
    host: str
    path: str
    raw_path: str
    raw_query: str
    headers: dict[str, str]
    body: bytes = b""
    client: str = "127.0.0.1"
    tls_version: str = ""
    service: str = ""
    call: str = ""
    region: str = ""
    """The region that the host or the parameters name, "" for none."""
    vars: dict[str, str] = field(default_factory=dict)
    identity: Any = None
    asked: set[str] = field(default_factory=set)
    """Names of parameters and of the body's fields that somebody asked for."""
    asked_headers: set[str] = field(default_factory=set)
    """Names of headers that a handler of OSS asked for."""

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; the last of several equal names counts."""
        return Asked(dict(parse_qsl(self.raw_query, keep_blank_values=True)), self.asked)

    @cached_property
    def form(self) -> dict[str, str]:
        """A urlencoded body, else nothing."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def params(self) -> dict[str, str]:
        """RPC parameters: query and form together."""
        return Asked({**self.query, **self.form}, self.asked)

    @cached_property
    def json(self) -> Any:
        """The JSON body; an empty one counts as {}."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise ApiError(
                400, "InvalidParameter", f"The request body is not JSON: {error}"
            ) from None
        return Asked.all_through(value, self.asked)

    def need(self, name: str) -> str:
        """An RPC parameter that must be there. Raises MissingParameterError when it is not."""
        value = self.params.get(name, "")
        if not value:
            raise MissingParameterError(name)
        return value


@dataclass
class FileBody:
    """A slice of a file as body, sent in pieces."""

    path: Path
    start: int
    length: int


@dataclass
class Response:
    """One HTTP answer, with its body in memory or in a file."""

    status: int = 200
    body: bytes | FileBody = b""
    headers: dict[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """An error the service answers; its family (`families`) gives it the form that clients read."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.extra = status, code, message, extra


class MissingParameterError(ApiError):
    """A parameter that must be there and is not; its family has the words for it."""

    def __init__(self, name: str) -> None:
        super().__init__(400, "MissingParameter", f"{name} is mandatory for this action.")
        self.name = name


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    """An answer with a JSON body; `headers` come on top of its content type."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8", **headers})


def xml_response(text: str, status: int = 200, **headers: str) -> Response:
    """An XML answer of OSS; `text` without the XML head. No text: no body."""
    fixed = {
        "Content-Type": "application/xml",
        "x-oss-request-id": oss_request_id(),
        "Server": "AliyunOSS",
    }
    return Response(status, (XML_HEAD + text).encode() if text else b"", {**fixed, **headers})


def element(name: str, *children: Any) -> str:
    """`<name>children</name>`; strings that `element` made stay as they are, other values are
    escaped.
    """
    inner = "".join(child if isinstance(child, Xml) else escape(_text(child)) for child in children)
    return Xml(f"<{name}>{inner}</{name}>")


class Xml(str):
    """A piece of finished XML."""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
