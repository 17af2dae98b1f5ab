"""Inputs in the form the API's own types give them: unknown fields and empty optional values gone, quantities canonical.

The published plugin converts inputs of built-in kinds to the Go types and back, then keeps what the user had written.
`types.json` (made by `typegen.py`) says which fields a type has and which are left out when empty.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import copy
import functools
import json
from pathlib import Path
from typing import Any

from lab.kubernetes_plugin import objects, quantity
from lab.kubernetes_plugin.wire import contains_unknown

READ_ONLY = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "uid",
)  # fmt: skip


class _Mismatch(Exception):
    """A value does not fit its type: the object is left as it is and the API server will say why."""


@functools.cache
def table() -> dict[str, Any]:
    """The type table."""
    return json.loads((Path(__file__).parent / "types.json").read_text())


def known_kind(api_version: str, kind: str) -> bool | None:
    """Whether a built-in kind is namespaced; None if the kind is not built in."""
    return table()["kinds"].get(api_version, {}).get(kind)


def normalized(obj: dict[str, Any]) -> dict[str, Any]:
    """A copy of `obj` in normal form. Objects with unknown values or of other kinds only lose their read-only metadata."""
    result = copy.deepcopy(obj)
    if not contains_unknown(result):
        if (objects.api_version(result), objects.kind(result)) == ("v1", "Secret"):
            _secret(result)
        else:
            result = objects.prune(_typed(result), result)
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        for field in READ_ONLY:
            metadata.pop(field, None)
    return result


def _typed(obj: dict[str, Any]) -> dict[str, Any]:
    version, kind = objects.api_version(obj), objects.kind(obj)
    if known_kind(version, kind) is None:
        return obj
    try:
        return _struct(f"{_package(version)}.{kind}", obj)
    except _Mismatch:
        return obj


@functools.cache
def _package(version: str) -> str:
    return {group_version: package for package, group_version in table()["packages"].items()}[version]


def _struct(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Mismatch(name)
    fields = table()["types"][name]
    result = {}
    for key, item in value.items():
        if key not in fields:
            continue
        kind, omit_empty, pointer = fields[key]
        nothing = None if pointer or kind.startswith(("[]", "map[]")) else _zero(kind)
        converted = nothing if item is None else _convert(kind, item)
        if omit_empty and (converted is None or (not pointer and _empty(kind, converted))):
            continue
        result[key] = converted
    return result


def _zero(kind: str) -> Any:
    return {"string": "", "int": 0, "bool": False, "float": 0, "quantity": "0"}.get(kind, {} if "." in kind else None)


def _empty(kind: str, value: Any) -> bool:
    if kind in ("string", "int", "bool", "float") or kind.startswith(("[]", "map[]")):
        return not value
    return False


def _convert(kind: str, value: Any) -> Any:
    if kind.startswith("[]"):
        if not isinstance(value, list):
            raise _Mismatch(kind)
        return [_convert(kind[2:], item) for item in value]
    if kind.startswith("map[]"):
        if not isinstance(value, dict):
            raise _Mismatch(kind)
        return {key: _convert(kind[5:], item) for key, item in value.items()}
    if "." in kind:
        return _struct(kind, value)
    return _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind == "quantity":
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _Mismatch(kind)
        try:
            return quantity.canonical(str(value))
        except ValueError as error:
            raise _Mismatch(kind) from error
    expected = {"string": str, "bytes": str, "bool": bool, "int": int, "float": (int, float)}.get(kind)
    if expected is None:
        return value
    if not isinstance(value, expected) or (kind in ("int", "float") and isinstance(value, bool)):
        raise _Mismatch(kind)
    return value


def _secret(obj: dict[str, Any]) -> None:
    """Write a Secret's `stringData` as `data`, as the API server does, and `data` in one spelling; in place."""
    texts, data = obj.get("stringData"), obj.get("data")
    if isinstance(texts, dict) and texts and all(isinstance(text, str) for text in texts.values()):
        data = {**(data if isinstance(data, dict) else {}), **{key: _encoded(text.encode()) for key, text in texts.items()}}
        del obj["stringData"]
        obj["data"] = data
        return
    if not isinstance(data, dict):
        return
    for key, text in data.items():
        with contextlib.suppress(binascii.Error, TypeError, ValueError):  # not base64: the API server refuses it with its own words
            data[key] = _encoded(base64.b64decode(text, validate=True))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
