"""The differences of one step as the lines of a diff, with nothing secret in them."""

from __future__ import annotations

import difflib
import json
from typing import Any

from ops.engine.previews import UNKNOWN, State, Step
from ops.preview_comment.paths import ABSENT, compare, look_up
from ops.preview_comment.redact import HIDDEN, redacted, scrub

LATER = "(known after the deployment)"
INTERNAL = (
    "__defaults",
    "__internal",
    "__meta",
    "__inputs",
    "__initialApiVersion",
    "__fieldManager",
)
MOST_LINES = 120
"""Of one resource: the rest is counted."""
LONGEST_LINE = 400
MOST_COMPARED = 2_000
"""Lines of one text: comparing takes the square of it."""


def shown_inputs(kind: str, state: State | None) -> dict[str, Any]:
    """The inputs without the engine's own keys and without secrets."""
    return _clean(kind, state, state.inputs) if state else {}


def _clean(kind: str, state: State, values: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in _without_internal(values).items():
        whole = key in state.secret_outputs or (
            kind.startswith("kubernetes:core/v1:Secret") and key in ("data", "stringData")
        )
        result[key] = redacted(value, key, hide=whole)
    return result


def lines(step: Step) -> list[str]:
    """The step's differences: `-` what was, `+` what will be."""
    if step.old is None or step.new is None:
        side, mark = (step.new, "+") if step.new else (step.old, "-")
        found = [
            line
            for key, value in shown_inputs(step.kind, side).items()
            for line in _whole(mark, key, value)
        ]
    else:
        found = [
            line for path, kind in _differing(step).items() for line in _changed(step, path, kind)
        ]
    return _bounded(found)


def _bounded(found: list[str]) -> list[str]:
    clean = [scrub(line) for line in found[:MOST_LINES]]  # paths too: a key may stand in a key
    cut = [line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in clean]
    return cut + ([f"  … {len(found) - MOST_LINES} more lines"] if len(found) > MOST_LINES else [])


def _differing(step: Step) -> dict[str, str]:
    """Paths and kinds, from the provider where it says them, else found by comparing the inputs."""
    if step.detailed:
        kinds = {path: str(kind.get("kind", "update")) for path, kind in step.detailed.items()}
        return {path: kind for path, kind in kinds.items() if not _has_details(path, kinds)}
    assert step.old is not None and step.new is not None
    found = compare(_without_internal(step.old.inputs), _without_internal(step.new.inputs))
    return found | {
        key: "update"
        for key in step.diff_reasons
        if not any(path.startswith(key) for path in found)
    }


def _has_details(path: str, kinds: dict[str, str]) -> bool:
    return any(other != path and other.startswith((f"{path}.", f"{path}[")) for other in kinds)


def _changed(step: Step, path: str, kind: str) -> list[str]:
    old, new = _value(step.kind, step.old, path), _value(step.kind, step.new, path)
    note = (
        "  # forces the replacement"
        if kind.endswith("-replace") or path in step.replaced_by
        else ""
    )
    if old == new and HIDDEN in json.dumps(old if old is not ABSENT else None):
        return [f"~ {path}: {HIDDEN} (another value){note}"]
    old = ABSENT if kind.startswith("add") and step.detailed else old
    new = ABSENT if kind.startswith("delete") else new
    before, after = _text(old).splitlines(), _text(new).splitlines()
    if old is not ABSENT and new is not ABSENT and max(len(before), len(after)) > 1:
        before, after = before[:MOST_COMPARED], after[:MOST_COMPARED]
        changed = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
        return [f"~ {path}:{note}", *(line for line in changed if not line.startswith("@@"))]
    return [*(_whole("-", path, old, note)), *(_whole("+", path, new, note))]


def _whole(mark: str, path: str, value: Any, note: str = "") -> list[str]:
    if value is ABSENT:
        return []
    first, *rest = _text(value).splitlines() or ['""']
    if rest:
        return [f"{mark} {path}:{note}", *(f"{mark}   {line}" for line in (first, *rest))]
    return [f"{mark} {path}: {first}{note}"]


def _value(kind: str, state: State | None, path: str) -> Any:
    """The value in the inputs, else in the outputs: some differences are of what the cloud
    reports.
    """
    if state is None:
        return ABSENT
    found = look_up(_clean(kind, state, state.inputs), path)
    return look_up(_clean(kind, state, state.outputs), path) if found is ABSENT else found


def _text(value: Any) -> str:
    """As a person reads it: JSON, laid out where it is long; text of several lines as it is."""
    if value is ABSENT:
        return ""
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            try:
                return _text(json.loads(value))
            except (ValueError, RecursionError):
                pass
        return (
            value.replace(UNKNOWN, LATER)
            if "\n" in value or value in (UNKNOWN, HIDDEN)
            else _dumped(value)
        )
    return _dumped(value)


def _dumped(value: Any) -> str:
    short = json.dumps(value, ensure_ascii=False)
    laid_out = short if len(short) <= 100 else json.dumps(value, ensure_ascii=False, indent=2)
    return (
        laid_out.replace(f'"{UNKNOWN}"', LATER)
        .replace(UNKNOWN, LATER)
        .replace(f'"{HIDDEN}"', HIDDEN)
    )


def _without_internal(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_internal(inner) for key, inner in value.items() if key not in INTERNAL
        }
    return [_without_internal(inner) for inner in value] if isinstance(value, list) else value
