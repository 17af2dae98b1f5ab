"""What the CLI told, event by event: how each resource was, how it is, and, where the program ran, what `up` would do about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ops.preview_comment.document import Message, NotAPreview, State, Step, parse


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
    """All of it."""

    reads: dict[str, Read]
    """By URN."""
    steps: dict[str, Step]
    """What `up` would do, by URN; resources that stay as they are, too."""
    errors: tuple[Message, ...]


def events(text: str) -> Events:
    """From the CLI's stream of events, one a line. Raises NotAPreview."""
    preview = parse(text)
    # `pulumi refresh` tells the result of a read as what it came to (same, update, delete), `pulumi preview --refresh` as a refresh.
    results = ("refresh", "same", "update", "delete") if all(step.op == "refresh" for step in preview.steps) else ("refresh",)
    reads = {read.urn: read for line in filter(str.strip, text.splitlines()) if (read := _read(json.loads(line), results))}
    errors = tuple(message for message in preview.messages if message.severity == "error")
    if preview.steps and not reads and not errors:
        raise NotAPreview("nothing was asked for: expected the events of `pulumi preview --refresh --json`, one a line")
    steps = {step.urn: step for step in preview.steps if step.op != "refresh"}
    return Events(reads, steps, errors)


def _read(event: Any, results: tuple[str, ...]) -> Read | None:
    """The result of a refresh, where the event is one."""
    metadata = (event.get("resOutputsEvent") or {}).get("metadata") if isinstance(event, dict) else None
    if not isinstance(metadata, dict) or metadata.get("op") not in results:
        return None
    was = State.of(metadata.get("old"))
    return Read(str(metadata.get("urn", "")), was, State.of(metadata.get("new"))) if was else None
