"""The CLI's event stream of a refresh or preview, parsed: how each resource was deployed, how it is
now, and, where the program ran, what `up` would do about it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from ops.engine.previews import Message, PreviewFormatError, State, Step, parse
from ops.engine.urns import type_of
from ops.preview_comment.paths import parts

_BRIDGE_KEYS = frozenset({"__defaults", "__meta"})
"""Written by Pulumi's bridge into the properties of every Terraform provider, at any depth: which
values are the provider's defaults, and its private data. Nobody sets them and a refresh may drop
them (bridge 3.134.0 does, 3.137.0 does not).
"""
_BRIDGED = "alicloud:"
"""Types whose plugin is a Terraform provider behind the bridge. Elsewhere such a key is somebody's
own, in a ConfigMap for instance.
"""


@dataclass(frozen=True)
class Read:
    """One resource, asked for in the cloud or the cluster."""

    urn: str
    was: State
    """As the state of the stack has it."""
    now: State | None
    """As it is; None when it is gone."""


@dataclass(frozen=True)
class Events:
    """What the CLI reported: resources as read, steps that `up` would take, and errors."""

    reads: dict[str, Read]
    """By URN."""
    steps: dict[str, Step]
    """What `up` would do, by URN; resources that stay as they are, too."""
    errors: tuple[Message, ...]


def events(text: str) -> Events:
    """From the CLI's stream of events, one a line. Raises PreviewFormatError."""
    preview = parse(text)
    # `pulumi refresh` tells the result of a read as what it came to (same, update, delete), `pulumi
    # preview --refresh` as a refresh.
    results = (
        ("refresh", "same", "update", "delete")
        if all(step.op == "refresh" for step in preview.steps)
        else ("refresh",)
    )
    reads = {
        read.urn: read
        for line in filter(str.strip, text.splitlines())
        if (read := _read(json.loads(line), results))
    }
    errors = tuple(message for message in preview.messages if message.severity == "error")
    if preview.steps and not reads and not errors:
        raise PreviewFormatError(
            "nothing was asked for: expected the events of `pulumi preview --refresh --json`, one a line"
        )
    steps = {step.urn: _step(step) for step in preview.steps if step.op != "refresh"}
    return Events(reads, steps, errors)


def _read(event: Any, results: tuple[str, ...]) -> Read | None:
    """The result of a refresh, where the event is one."""
    metadata = (
        (event.get("resOutputsEvent") or {}).get("metadata") if isinstance(event, dict) else None
    )
    if not isinstance(metadata, dict) or metadata.get("op") not in results:
        return None
    urn = str(metadata.get("urn", ""))
    was = _own(urn, State.of(metadata.get("old")))
    return Read(urn, was, _own(urn, State.of(metadata.get("new")))) if was else None


def _step(step: Step) -> Step:
    detailed = (
        {path: how for path, how in step.detailed.items() if _BRIDGE_KEYS.isdisjoint(parts(path))}
        if _bridged(step.urn)
        else step.detailed
    )
    return replace(
        step, old=_own(step.urn, step.old), new=_own(step.urn, step.new), detailed=detailed
    )


def _own(urn: str, state: State | None) -> State | None:
    """A state without what the bridge keeps in it."""
    if state is None or not _bridged(urn):
        return state
    return replace(
        state,
        inputs=_without_bridge_keys(state.inputs),
        outputs=_without_bridge_keys(state.outputs),
    )


def _bridged(urn: str) -> bool:
    """Whether a URN names a resource of a bridged plugin:
    `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`.
    """
    return type_of(urn).startswith(_BRIDGED)


def _without_bridge_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_bridge_keys(inner)
            for key, inner in value.items()
            if key not in _BRIDGE_KEYS
        }
    return [_without_bridge_keys(inner) for inner in value] if isinstance(value, list) else value
