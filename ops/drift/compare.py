"""Sorts every difference by its cause: changed by hand, gone, not deployed yet, moved by an
autoscaler, or set by something this program does not know; of the last, what matters for security
is a sort of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ops.drift.events import Events, Read
from ops.drift.owners import owner, reported
from ops.drift.security import is_security_relevant
from ops.engine.checkpoint import KUBERNETES_PROVIDER
from ops.engine.previews import State, Step
from ops.preview_comment.paths import ABSENT, compare, joined, look_up
from ops.preview_comment.redact import SENTINEL, redacted

QUIET = ("same", "read", "read-discard", "discard-replaced")
LONGEST = 160
NOTHING = "nothing"
"""How a property that is not set is shown."""


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
    """changed, gone, undeployed, security, owned or other."""
    name: str
    kind: str
    op: str
    """What `up` would do; "" when it would leave it."""
    properties: tuple[Property, ...] = ()
    retained: bool = False
    """Whether a destroy leaves the resource: an adopted one, which is its owner's."""


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
    return difference.sort in ("changed", "gone", "undeployed", "security")


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
                if look_up(read.was.inputs, part.path) is not ABSENT and not _is_added(part)
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


def _is_added(part: Property) -> bool:
    """Whether it is an element that was added to a list: another one may have been at its place."""
    return part.was == NOTHING and re.search(r"\[\d+\]$", part.path) is not None


def as_dicts(results: list[Difference]) -> list[dict[str, Any]]:
    """The differences as JSON objects."""
    return [asdict(difference) for difference in results]


def _of(read: Read | None, step: Step | None) -> Iterator[Difference]:
    retained = read is not None and read.was.retained
    for difference in _sorted(read, step):
        yield replace(difference, retained=True) if retained else difference


def _sorted(read: Read | None, step: Step | None) -> Iterator[Difference]:
    name, kind = _names(read, step)
    op = step.op if step and step.op not in QUIET else ""
    if read and read.now is None:
        yield Difference("gone", name, kind, op)
        return
    moved = _moved(kind, read) if read and read.now else []
    put_back = _planned(step) if step and op else {}
    if (
        kind == KUBERNETES_PROVIDER
        and op == "update"
        and all(owner(kind, path) for path in put_back)
    ):
        # Each preview asks ACK for a credential. Where both are hidden, nothing visible differs.
        parts = put_back.values() or [Property("kubeconfig", "a secret", "another")]
        yield Difference(
            "owned",
            name,
            kind,
            "",
            tuple(replace(part, owner=owner(kind, part.path)) for part in parts),
        )
        return
    if op:
        foreign = any(
            not owner(kind, one.path) or any(_touches(one.path, other) for other in put_back)
            for one in moved
        )
        yield Difference(
            "changed" if foreign else "undeployed", name, kind, op, tuple(put_back.values())
        )
    left = [one for one in moved if not any(_touches(one.path, other) for other in put_back)]
    sorts: dict[str, list[Property]] = {"security": [], "owned": [], "other": []}
    for one in left:
        who = owner(kind, one.path)
        if who:
            sorts["owned"].append(replace(one, owner=who))
        else:
            sorts["security" if is_security_relevant(kind, one.path) else "other"].append(one)
    for sort, properties in sorts.items():
        if properties:
            yield Difference(sort, name, kind, "", tuple(properties))


def _names(read: Read | None, step: Step | None) -> tuple[str, str]:
    known = step or Step("", read.urn if read else "", None, None, {})
    return known.name, known.kind


def _moved(kind: str, read: Read) -> list[Property]:
    """What the cloud has otherwise than the state of the stack, but for what is only reported.

    A provider cuts the inputs that it reads back to the shape of the inputs that it was given
    (pulumi-kubernetes: pruneLiveState), so that what others added to a list is in the outputs
    alone: lists are compared there.
    """
    assert read.now is not None
    was_outputs, now_outputs = leaves(read.was.outputs), leaves(read.now.outputs)
    was, now = was_outputs | leaves(read.was.inputs), now_outputs | leaves(read.now.inputs)
    for path in was_outputs | now_outputs:
        old, new = was_outputs.get(path), now_outputs.get(path)
        if old != new and (isinstance(old, list) or isinstance(new, list)):
            was[path], now[path] = old, new
    # A list of texts in the cluster keeps its order: what differs is told, not the whole.
    exact = kind.startswith("kubernetes:")
    return [
        Property(path, _text(path, old, read.was), _text(path, new, read.now))
        for path, old, new in _differing(was, now, exact)
        if not reported(kind, path)
    ]


def _differing(
    was: dict[str, Any], now: dict[str, Any], exact: bool = False
) -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of everything that differs; of lists of objects, the objects.
    `exact`: of other lists the elements, too, and an object that is empty differs from none, as
    Kubernetes has it (`namespaceSelector: {}` is every namespace).
    """
    for path in sorted(was | now):
        old, new = was.get(path), now.get(path)
        if old == new:
            continue
        lists = isinstance(old, list) and isinstance(new, list)
        if _has_objects(old) or _has_objects(new) or (exact and lists):
            yield from _elements(path, old or [], new or [], exact)
        else:
            yield path, old, new


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _elements(path: str, was: Any, now: Any, exact: bool = False) -> Iterator[tuple[str, Any, Any]]:
    """What differs between two lists of objects: equal ones are paired first, then those of the
    same name, then the rest in order; what is left was added or removed. The position in a path is
    that in the new list, of what was removed that in the old one. Of lists that differ in their
    order alone, the list.
    """
    if not (isinstance(was, list) and isinstance(now, list)):
        yield path, was, now
        return
    before, after = dict(enumerate(was)), dict(enumerate(now))
    pairs = []
    for alike in (_equal, _same_name, _same_sort):
        for new in list(after):
            old = next((one for one in before if alike(before[one], after[new])), None)
            if old is not None:
                pairs.append((new, before.pop(old), after.pop(new)))
    if not before and not after and all(old == new for _, old, new in pairs):
        yield path, was, now
    for index, old, new in sorted(pairs, key=lambda pair: pair[0]):
        element = f"{path}[{index}]"
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and not _is_variable(new):
            parts = list(_differing(leaves(old, element), leaves(new, element), exact))
            yield from parts or ([(element, old, new)] if exact else [])
        else:
            yield element, old, new
    yield from ((f"{path}[{index}]", None, item) for index, item in after.items())
    yield from ((f"{path}[{index}]", item, None) for index, item in before.items())


def _equal(old: Any, new: Any) -> bool:
    return old == new


def _same_name(old: Any, new: Any) -> bool:
    return (
        isinstance(old, dict)
        and isinstance(new, dict)
        and any(key in old and old[key] == new.get(key) for key in ("name", "key", "mountPath"))
    )


def _same_sort(old: Any, new: Any) -> bool:
    """Whether both are without a name: one may be the other, changed."""
    return not any(
        key in one
        for one in (old, new)
        if isinstance(one, dict)
        for key in ("name", "key", "mountPath")
    )


def _is_variable(item: dict[str, Any]) -> bool:
    """Whether an object is an environment variable: its value is redacted by its name, and stays
    beside it.
    """
    return set(item) <= {"name", "value"}


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
            document = json.loads(value)
            # A list is kept as text: its elements have no paths in the inputs.
            value = document if isinstance(document, dict) else json.dumps(document)
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
        return NOTHING
    hide = path.split(".", maxsplit=1)[0] in state.secret_outputs
    text = json.dumps(
        redacted(value, path.rpartition(".")[2], hide=hide), ensure_ascii=False, default=str
    )
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _touches(path: str, other: str) -> bool:
    """Whether one of two paths lies in the other."""
    short, long = sorted((path, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))
