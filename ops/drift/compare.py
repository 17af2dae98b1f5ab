"""Sorts every difference by its cause: changed by hand, gone, not deployed yet, moved by an
autoscaler, or set by something this program does not know.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ops.drift.events import Events, Read
from ops.drift.owners import owner, reported
from ops.engine.previews import State, Step
from ops.preview_comment.paths import ABSENT, compare, joined, look_up
from ops.preview_comment.redact import SENTINEL, redacted

QUIET = ("same", "read", "read-discard", "discard-replaced")
LONGEST = 160


@dataclass(frozen=True)
class Property:
    """One property that differs; texts, with no secret in them."""

    path: str
    was: str
    """As deployed; for what `up` would change: as it is now."""
    now: str
    """As it is now; for what `up` would change: as the program wants it."""
    owner: str = ""


@dataclass(frozen=True)
class Difference:
    """The differences of one resource that have the same cause."""

    sort: str
    """changed, gone, undeployed, owned or other."""
    name: str
    kind: str
    op: str
    """What `up` would do; "" when it would leave it."""
    properties: tuple[Property, ...] = ()


def differences(events: Events) -> list[Difference]:
    """Every difference, by resource, in the order of the stack."""
    urns = dict.fromkeys([*events.reads, *events.steps])
    return [
        difference
        for urn in urns
        for difference in _of(events.reads.get(urn), events.steps.get(urn))
    ]


def is_real(difference: Difference) -> bool:
    """Whether somebody has to act on the difference."""
    return difference.sort in ("changed", "gone", "undeployed")


def is_settled(events: Events) -> bool:
    """Whether the resources alone tell all: nothing differs that the program, as it was deployed,
    sends. Of anything else only the program can say what `up` would do about it.
    """
    return not any(map(is_real, without_program(events)))


def without_program(events: Events) -> list[Difference]:
    """Every difference as far as the resources alone tell: one of a property that the program sent
    is a change by somebody else.
    """
    sorted_: list[Difference] = []
    for read in events.reads.values():
        for difference in _of(read, None):
            sent = tuple(
                part
                for part in difference.properties
                if look_up(read.was.inputs, part.path) is not ABSENT
            )
            kept = tuple(part for part in difference.properties if part not in sent)
            sorted_ += (
                [
                    replace(
                        difference,
                        sort="changed",
                        properties=tuple(replace(part, owner="") for part in sent),
                    )
                ]
                if sent
                else []
            )
            sorted_ += (
                [replace(difference, properties=kept)] if kept or not difference.properties else []
            )
    return sorted_


def as_dicts(results: list[Difference]) -> list[dict[str, Any]]:
    """The differences as JSON objects."""
    return [asdict(difference) for difference in results]


def _of(read: Read | None, step: Step | None) -> Iterator[Difference]:
    name, kind = _names(read, step)
    op = step.op if step and step.op not in QUIET else ""
    if read and read.now is None:
        yield Difference("gone", name, kind, op)
        return
    moved = _moved(kind, read) if read and read.now else {}
    put_back = _planned(step) if step and op else {}
    if op:
        foreign = any(
            not owner(kind, path) or any(_touches(path, other) for other in put_back)
            for path in moved
        )
        yield Difference(
            "changed" if foreign else "undeployed", name, kind, op, tuple(put_back.values())
        )
    left = [
        one for path, one in moved.items() if not any(_touches(path, other) for other in put_back)
    ]
    owned = tuple(
        Property(one.path, one.was, one.now, owner(kind, one.path))
        for one in left
        if owner(kind, one.path)
    )
    other = tuple(one for one in left if not owner(kind, one.path))
    if owned:
        yield Difference("owned", name, kind, "", owned)
    if other and not op:
        yield Difference("other", name, kind, "", other)


def _names(read: Read | None, step: Step | None) -> tuple[str, str]:
    known = step or Step("", read.urn if read else "", None, None, {})
    return known.name, known.kind


def _moved(kind: str, read: Read) -> dict[str, Property]:
    """What the cloud has otherwise than the state of the stack, but for what is only reported."""
    assert read.now is not None
    was = leaves(read.was.outputs) | leaves(read.was.inputs)
    now = leaves(read.now.outputs) | leaves(read.now.inputs)
    paths = sorted(
        path for path in was | now if was.get(path) != now.get(path) and not reported(kind, path)
    )
    return {
        path: Property(
            path, _text(path, was.get(path), read.was), _text(path, now.get(path), read.now)
        )
        for path in paths
    }


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Everything that is set, by path: nothing, and an empty text, list or object, are not. JSON in
    a text is compared as what it says.
    """
    if isinstance(value, dict) and SENTINEL not in value:
        return {
            one: leaf
            for key, inner in value.items()
            for one, leaf in leaves(inner, joined(path, key)).items()
        }
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return {} if value in (None, "", [], {}) else {path: value}


def _planned(step: Step) -> dict[str, Property]:
    """What `up` would change, or nothing where all of the resource comes or goes."""
    if step.old is None or step.new is None:
        return {}
    paths = step.detailed or compare(step.old.inputs, step.new.inputs)
    wanted = sorted(path for path in paths if not path.startswith("__"))
    return {
        path: Property(
            path,
            _text(path, _at(step.old, path), step.old),
            _text(path, _at(step.new, path), step.new),
        )
        for path in wanted
    }


def _at(state: State, path: str) -> Any:
    """The value at a path, in the inputs or else in the outputs."""
    found = [look_up(side, path) for side in (state.inputs, state.outputs)]
    return next((value for value in found if value is not ABSENT), None)


def _text(path: str, value: Any, state: State) -> str:
    """The value as a person reads it, with no secret in it."""
    if value is None:
        return "nothing"
    hide = path.split(".", maxsplit=1)[0] in state.secret_outputs
    text = json.dumps(
        redacted(value, path.rpartition(".")[2], hide=hide), ensure_ascii=False, default=str
    )
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _touches(path: str, other: str) -> bool:
    """Whether one of two paths lies in the other."""
    short, long = sorted((path, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))
