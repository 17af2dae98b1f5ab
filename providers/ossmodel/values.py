"""Property values of the Pulumi protocol to and from plain Python data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands in a preview for a value that is known only after the update."""


def is_unknown(value: Any) -> bool:
    """Whether `value` is known only after the update."""
    return value == UNKNOWN


def to_plain(value: PropertyValue) -> Any:
    """Plain data; whole numbers become `int`, secrets are unwrapped."""
    inner = value.value
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    if isinstance(inner, Mapping):
        return {key: to_plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [to_plain(item) for item in inner]
    return inner


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """`to_plain` over a property map; nulls are left out, as an unset property is."""
    plain = {key: to_plain(value) for key, value in values.items()}
    return {key: value for key, value in plain.items() if value is not None}


def to_value(plain: Any, secret: bool = False) -> PropertyValue:
    """A property value from plain data (numbers travel as floats)."""
    if isinstance(plain, Mapping):
        return PropertyValue({key: to_value(item) for key, item in plain.items()}, secret)
    if isinstance(plain, (list, tuple)):
        return PropertyValue([to_value(item) for item in plain], secret)
    if isinstance(plain, int) and not isinstance(plain, bool):
        return PropertyValue(float(plain), secret)
    return PropertyValue(plain, secret)


def value_map(plain: Mapping[str, Any]) -> dict[str, PropertyValue]:
    """`to_value` over a dictionary; `None` values are left out."""
    return {key: to_value(value) for key, value in plain.items() if value is not None}
