"""The detailed difference between what an object has and what is wanted of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab.kubernetes_plugin.replacement import PathStep, Rule, forces
from lab.kubernetes_plugin.wire import UNKNOWN

_MISSING = object()


@dataclass(frozen=True)
class Change:
    """One changed property: "add", "update" or "delete", whether it replaces the object, whether it shows only in the inputs."""

    kind: str
    replace: bool = False
    input_diff: bool = False


def compare(old: dict[str, Any], new: dict[str, Any], rules: Iterable[Rule]) -> dict[str, Change]:
    """Changes by property path (`spec.ports[0].port`) that turn `old` into `new`."""
    changes: dict[str, Change] = {}
    _maps((), old, new, list(rules), changes)
    return changes


def _maps(path: tuple[PathStep, ...], old: dict[str, Any], new: dict[str, Any], rules: list[Rule], changes: dict[str, Change]) -> None:
    for key in sorted({*old, *new}):
        _values((*path, key), old.get(key, _MISSING), new.get(key, _MISSING), rules, changes)


def _lists(path: tuple[PathStep, ...], old: list[Any], new: list[Any], rules: list[Rule], changes: dict[str, Change]) -> None:
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else _MISSING
        after = new[index] if index < len(new) else _MISSING
        _values((*path, index), before, after, rules, changes)


def _values(path: tuple[PathStep, ...], old: Any, new: Any, rules: list[Rule], changes: dict[str, Change]) -> None:
    if _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        return _maps(path, old, new, rules, changes)
    if isinstance(old, list) and isinstance(new, list):
        return _lists(path, old, new, rules, changes)
    gone = new is _MISSING or new is None
    kind = "delete" if gone else "add" if old is _MISSING else "update"
    value = None if gone or new is UNKNOWN else new
    changes[path_text(path)] = Change(kind, forces(path, value, rules), gone)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return new is not UNKNOWN and old == new and not isinstance(old, (dict, list))


def path_text(path: Sequence[PathStep]) -> str:
    """A property path as Pulumi writes it: `metadata.annotations["a.b/c"]`, `spec.rules[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif any(mark in step for mark in '."[]'):
            escaped = step.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{step}" if text else step
    return text


def parse_path(text: str) -> tuple[PathStep, ...]:
    """The inverse of `path_text`, for `ignoreChanges`; `*` stands for any step. Raises ValueError on bad syntax."""
    steps: list[PathStep] = []
    rest = text
    while rest:
        if rest.startswith('["'):
            end = rest.find('"]')
            if end < 0:
                raise ValueError(f"unclosed quote in property path {text!r}")
            steps.append(rest[2:end].replace('\\"', '"'))
            rest = rest[end + 2 :]
        elif rest.startswith("["):
            inside, bracket, rest = rest[1:].partition("]")
            if not bracket or not (inside.isdigit() or inside == "*"):
                raise ValueError(f"bad index in property path {text!r}")
            steps.append(int(inside) if inside.isdigit() else inside)
        else:
            rest = rest.removeprefix(".")
            end = min((i for i in (rest.find("."), rest.find("[")) if i >= 0), default=len(rest))
            if end == 0:
                raise ValueError(f"empty step in property path {text!r}")
            steps.append(rest[:end])
            rest = rest[end:]
    return tuple(steps)


def contains(ignored: Sequence[PathStep], path: Sequence[PathStep]) -> bool:
    """Whether `path` is at or below the ignored path."""
    return len(ignored) <= len(path) and all(a == "*" or a == b for a, b in zip(ignored, path, strict=False))
