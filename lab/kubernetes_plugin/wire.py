"""Pulumi's property values: protobuf structs to plain Python and back, with secrets and unknowns kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    """A value that only the run itself will tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, _memo: Any) -> _Unknown:
        return self


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in its state and never prints."""

    value: Any

    def __repr__(self) -> str:
        return "Secret([secret])"


def load(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A struct's fields as Python values; whole numbers become ints."""
    return {key: _load(value) for key, value in struct.fields.items()}


def _load(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields and fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
            return Secret(_load(fields["value"]))
        return load(value.struct_value)
    if kind == "list_value":
        return [_load(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def dump(values: dict[str, Any]) -> struct_pb2.Struct:
    """Python values as a struct."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        _dump(struct.fields[key], value)
    return struct


def _dump(target: struct_pb2.Value, value: Any) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        target.string_value = UNKNOWN_TEXT
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Secret):
        target.struct_value.fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
        _dump(target.struct_value.fields["value"], value.value)
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _dump(target.struct_value.fields[key], item)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        for item in value:
            _dump(target.list_value.values.add(), item)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be a property value")


def plain(value: Any) -> Any:
    """The value without its secret wrappers (unknowns stay)."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def contains_unknown(value: Any) -> bool:
    """Whether an unknown is anywhere inside."""
    return _any(value, lambda item: item is UNKNOWN)


def contains_secret(value: Any) -> bool:
    """Whether a secret is anywhere inside."""
    return _any(value, lambda item: isinstance(item, Secret))


def _any(value: Any, test: Any) -> bool:
    if test(value):
        return True
    if isinstance(value, Secret):
        return _any(value.value, test)
    if isinstance(value, dict):
        return any(_any(item, test) for item in value.values())
    return isinstance(value, list) and any(_any(item, test) for item in value)


def mark_secrets(outs: dict[str, Any], ins: dict[str, Any] | None) -> None:
    """Copy the secretness of `ins` onto `outs` in place; a Secret's data is always secret.

    A list with one secret inside becomes secret as a whole, because the server may reorder it.
    """
    if outs.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in outs and not isinstance(outs[key], Secret):
                outs[key] = Secret(outs[key])
        return
    for key, given in (ins or {}).items():
        if key not in outs:
            continue
        if isinstance(outs[key], dict) and isinstance(given, dict):
            mark_secrets(outs[key], given)
        elif not isinstance(outs[key], Secret) and contains_secret(given):
            outs[key] = Secret(outs[key])
