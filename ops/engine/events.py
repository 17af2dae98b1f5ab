"""What the engine reported during one run: which resources failed at which step and with what
message, and which were created. Read from the CLI's event log (`--event-log`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ops.engine.urns import name_of, type_of

EVENT_LOG_ENVIRONMENT = {"PULUMI_DEBUG_COMMANDS": "true"}
"""Variables under which the CLI accepts --event-log."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|<\{%[^%]*%\}>")


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failed step, or an error message that belongs to no step, such as the program's own;
    `step` and `resource` are empty then.
    """

    urn: str
    message: str
    step: str = ""
    resource: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """The resource as it was to become, or as it is in the state: urn, type, inputs …"""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return name_of(self.urn)

    @property
    def type(self) -> str:
        """The resource's type token, without those of its parents."""
        return type_of(self.urn)


@dataclasses.dataclass
class Report:
    """What one run of the CLI came to."""

    failures: list[Failure]
    created: list[dict[str, Any]]
    """Resources that were created in this run."""


@contextlib.contextmanager
def event_log() -> Iterator[tuple[list[str], pathlib.Path]]:
    """Yields the options that make the CLI write an event log, and the log's path. The log is
    removed afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="events-") as directory:
        log = pathlib.Path(directory) / "events"
        yield ["--event-log", str(log)], log


def read_log(log: pathlib.Path) -> Report:
    """The report in an event log. A killed run leaves a part of one, which is read as far as it
    goes.
    """
    messages: dict[str, list[str]] = {}
    steps: dict[str, tuple[str, dict[str, Any]]] = {}
    created = []
    for event in _events(log):
        if diagnostic := event.get("diagnosticEvent"):
            text = without_colours(diagnostic.get("message", ""))
            if diagnostic.get("severity") == "error" and text:
                messages.setdefault(diagnostic.get("urn", ""), []).append(text)
        elif failed := event.get("resOpFailedEvent"):
            metadata = failed["metadata"]
            resource = metadata.get("new") or metadata.get("old") or {}
            steps[metadata["urn"]] = (metadata["op"], resource)
        elif resource := _created(event.get("resOutputsEvent")):
            created.append(resource)
    failures = []
    for urn in dict.fromkeys([*steps, *messages]):
        step, resource = steps.get(urn, ("", {}))
        failures.append(Failure(urn, "\n".join(messages.get(urn, [])), step, resource))
    return Report(failures, created)


@contextlib.contextmanager
def follow_log(log: pathlib.Path, on_created: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """While the body runs, calls `on_created`, on a thread of its own, with every resource that is
    created, as soon as the log has it.
    """
    ended = threading.Event()

    def follow() -> None:
        position = 0
        while not ended.wait(0.3):
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(position)
                fresh = file.read()
            whole_lines = fresh[: fresh.rfind(b"\n") + 1]
            position += len(whole_lines)
            for line in whole_lines.splitlines():
                with contextlib.suppress(ValueError):
                    if resource := _created(json.loads(line).get("resOutputsEvent")):
                        on_created(resource)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def without_colours(text: str) -> str:
    """The text without terminal colours and the CLI's colour tags."""
    return _COLOUR.sub("", text).strip()


def _created(outputs_event: dict[str, Any] | None) -> dict[str, Any] | None:
    """The resource that a step has created, None for any other step."""
    metadata = (outputs_event or {}).get("metadata") or {}
    return metadata.get("new") if metadata.get("op") in ("create", "create-replacement") else None


def _events(log: pathlib.Path) -> list[dict[str, Any]]:
    events = []
    for line in log.read_text(errors="replace").splitlines() if log.exists() else []:
        try:
            events.append(json.loads(line))
        except ValueError:  # the last line of a run that was killed
            continue
    return events
