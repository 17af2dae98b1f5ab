"""Property paths as the engine writes them: spec.containers[0].image,
metadata.annotations["a.b/c"].
"""

from __future__ import annotations

import re
from typing import Any

ABSENT = object()
"""Where a path leads nowhere."""
_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


def parts(path: str) -> list[str | int]:
    """The steps of a path."""
    return [
        int(index) if index else (quoted or plain) for quoted, index, plain in _PART.findall(path)
    ]


def look_up(value: Any, path: str) -> Any:
    """The value at a path, or ABSENT. A secret hides everything below it."""
    for part in parts(path):
        if value == "[secret]":
            return value
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            value = value[part]
        elif isinstance(value, dict) and str(part) in value:
            value = value[str(part)]
        else:
            return ABSENT
    return value


def compare(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """Paths at which two values differ, each with add, delete or update: for steps the engine gives
    no detail of.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, str] = {}
        for key in [*old, *(key for key in new if key not in old)]:
            inner = joined(path, key)
            if key not in new:
                found[inner] = "delete"
            elif key not in old:
                found[inner] = "add"
            else:
                found |= compare(old[key], new[key], inner)
        return found
    return {} if old == new else {path or "(all)": "update"}


def joined(path: str, key: str) -> str:
    """The path of a key below a path."""
    plain = re.fullmatch(r"[\w-]+", key)
    return f"{path}.{key}" if path and plain else key if plain else f'{path}["{key}"]'
