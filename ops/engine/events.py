"""What the engine reported during one run: which resources failed at which step, and with what
message.
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

KNOWN = {"PULUMI_DEBUG_COMMANDS": "true"}
"""Variables under which the CLI knows --event-log."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|<\{%[^%]*%\}>")


@dataclasses.dataclass(frozen=True)
class Failure:
    """One thing that went wrong. `step` and `resource` are empty for a message that belongs to no
    step, such as the program's own.
    """

    urn: str
    message: str
    step: str = ""
    resource: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """The resource as it was to become, or as it is in the state: urn, type, inputs …"""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::")[-1]

    @property
    def kind(self) -> str:
        """Its type, without those of its parents."""
        return self.urn.split("::")[2].split("$")[-1] if self.urn.count("::") > 2 else ""


@dataclasses.dataclass
class Report:
    """One run of the CLI."""

    failures: list[Failure]
    created: list[dict[str, Any]]
    """Resources that were made in this run."""


@contextlib.contextmanager
def recorded() -> Iterator[tuple[list[str], pathlib.Path]]:
    """(options that make the CLI write its events down, the file they are in). The file goes at the
    end.
    """
    with tempfile.TemporaryDirectory(prefix="events-") as directory:
        log = pathlib.Path(directory) / "events"
        yield ["--event-log", str(log)], log


def read(log: pathlib.Path) -> Report:
    """The report in an event log of the CLI (`--event-log`); a run that was killed left a part of
    it.
    """
    messages: dict[str, list[str]] = {}
    steps: dict[str, tuple[str, dict[str, Any]]] = {}
    created = []
    for event in _events(log):
        if told := event.get("diagnosticEvent"):
            if told.get("severity") == "error" and (text := plain(told.get("message", ""))):
                messages.setdefault(told.get("urn", ""), []).append(text)
        elif failed := event.get("resOpFailedEvent"):
            metadata = failed["metadata"]
            steps[metadata["urn"]] = (
                metadata["op"],
                metadata.get("new") or metadata.get("old") or {},
            )
        elif made := _made(event.get("resOutputsEvent")):
            created.append(made)
    failures = []
    for urn in dict.fromkeys([*steps, *messages]):
        step, resource = steps.get(urn, ("", {}))
        failures.append(Failure(urn, "\n".join(messages.get(urn, [])), step, resource))
    return Report(failures, created)


@contextlib.contextmanager
def followed(log: pathlib.Path, made: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Calls `made`, on a thread of its own, with every resource that is made while the body runs,
    as soon as the log tells it.
    """
    ended = threading.Event()

    def follow() -> None:
        read = 0
        while not ended.wait(0.3):
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(read)
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            read += len(whole)
            for line in whole.splitlines():
                with contextlib.suppress(ValueError):
                    if resource := _made(json.loads(line).get("resOutputsEvent")):
                        made(resource)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _made(done: dict[str, Any] | None) -> dict[str, Any] | None:
    """The resource that a step has made, None for any other step."""
    metadata = (done or {}).get("metadata") or {}
    return metadata.get("new") if metadata.get("op") in ("create", "create-replacement") else None


def plain(text: str) -> str:
    """The text without colours."""
    return _COLOUR.sub("", text).strip()


def _events(log: pathlib.Path) -> list[dict[str, Any]]:
    events = []
    for line in log.read_text(errors="replace").splitlines() if log.exists() else []:
        try:
            events.append(json.loads(line))
        except ValueError:  # the last line of a run that was killed
            continue
    return events
