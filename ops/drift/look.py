"""Asks the CLI how every resource is now. A resource that cannot be read is left out and named, and
the others are read all the same: the engine itself ends a refresh at the first that fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field, replace

from ops.drift.events import Events, events
from ops.engine.checkpoint import PROVIDER
from ops.engine.cli import (
    OVERWRITE_FOREIGN_FIELDS,
    CommandFailed,
    Stack,
    environment,
    own_temporary_directory,
)
from ops.engine.events import Failure
from ops.engine.kubeconfig import is_temporary
from ops.engine.previews import PreviewFormatError
from ops.engine.remediation import short, what_to_do

PROGRESS = 5.0
"""Seconds between two lines that say how far it is."""
ROUNDS = 8
"""Reads before the rest is given up. Each leaves out what failed in those before; what is read at
the same time fails at the same time.
"""
NOT_ASKED = "it was not asked for: reading ended before it, at the failures above"


@dataclass(frozen=True)
class Unread:
    """A resource of which it is not known how it is now."""

    urn: str
    cause: str
    """In the service's own words."""
    remedy: str


@dataclass(frozen=True)
class Look:
    """What was found, and what was not."""

    events: Events
    unread: tuple[Unread, ...] = ()
    unplanned: tuple[str, ...] = ()
    """Why it is not known what `up` would do about the differences, one error a line; empty where
    it is known, or was not asked for.
    """
    planned: bool = True
    """Whether the program has told what `up` would do."""

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is known."""
        return not (self.unread or self.unplanned)


@dataclass
class _Reading:
    """What several runs have read."""

    reads: Events = field(default_factory=lambda: Events({}, {}, ()))
    failed: dict[str, str] = field(default_factory=dict)
    """Messages by URN."""


def read_all(stack: Stack) -> Look:
    """Every resource as it is now; the program does not run, but for a stack whose kubeconfig is
    temporary: it asks for one. Raises PreviewFormatError when nothing could be read at all.
    """
    # A kubeconfig that has run out can't read the cluster: the program asks for another one first.
    command = ("refresh", "--preview-only", *(["--run-program"] if is_temporary(stack) else []))
    reading = _Reading()
    found, ended = Events({}, {}, ()), False
    for _ in range(ROUNDS):
        left_out = [word for urn in reading.failed for word in ("--exclude", urn)]
        found = ask(stack, *command, *left_out)
        reading.reads = replace(reading.reads, reads={**reading.reads.reads, **found.reads})
        failed = {one.urn: one.text for one in found.errors if _is_resource(one.urn)}
        if not found.errors or not failed.keys() - reading.failed.keys():
            ended = not found.errors
            break
        reading.failed |= failed
    if not reading.failed and not ended:
        _say(found)
        raise PreviewFormatError("what differs is not known, see above; nothing was changed")
    unread = [
        Unread(urn, short(_reason(text)), what_to_do(Failure(urn, text, "refresh")))
        for urn, text in reading.failed.items()
        if urn not in reading.reads.reads
    ]
    if not ended:
        known = {*reading.reads.reads, *reading.failed}
        unread += [Unread(urn, NOT_ASKED, "") for urn in _urns_of(stack) if urn not in known]
    return Look(reading.reads, tuple(unread), planned=False)


def with_program(stack: Stack, before: Look | None = None) -> Look:
    """The same with what `up` would do about it. Where the program or a plugin's dry run fails on
    what was found (a plugin's does on what the cluster refuses), or a resource can't be read, the
    differences are known without it, by `before` or by another look. Raises PreviewFormatError when
    nothing could be read at all.
    """
    run = ["--run-program"] if is_temporary(stack) else []
    stream = ask(stack, "preview", "--refresh", *run)
    if not stream.errors:
        return Look(stream)
    found = before or read_all(stack)
    unread = {one.urn for one in found.unread}
    errors = [
        short(_reason(error.text))
        for error in stream.errors
        if error.urn not in unread and error.text.strip() != "preview failed"
    ]
    why = errors or ["what could not be read keeps the program from being asked"]
    return replace(found, unplanned=tuple(why), planned=False)


def ask(stack: Stack, *command: str) -> Events:
    """Runs the CLI, which reads every resource; says how far it is. Raises PreviewFormatError."""
    lines, reported_at = [], time.monotonic()
    with own_temporary_directory() as variables:
        process = subprocess.Popen(
            stack.command(*command, "--stack", stack.name, "--json", "--non-interactive"),
            env={
                **environment(),
                **OVERWRITE_FOREIGN_FIELDS,
                **variables,
                "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        print(f"reading every resource of stack {stack.name} …", file=sys.stderr, flush=True)
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if time.monotonic() - reported_at > PROGRESS:
                reported_at = time.monotonic()
                print(
                    f"  {sum('resOutputsEvent' in one for one in lines)} answers",
                    file=sys.stderr,
                    flush=True,
                )
        code = process.wait()
    found = events("".join(lines))
    if code != 0 and not found.errors:
        raise PreviewFormatError(
            f"`pulumi {' '.join(command)}` ended with exit status {code}, see above; is the stack there (make up)?"
        )
    return found


def _is_resource(urn: str) -> bool:
    """Whether a message speaks of one resource, and not of the program or of the whole run."""
    return bool(urn) and "::pulumi:pulumi:Stack::" not in urn


def _reason(text: str) -> str:
    """A message without the engine's words before it."""
    return text.strip().removeprefix("error: ").removeprefix("Preview failed: ")


def _urns_of(stack: Stack) -> list[str]:
    """What the state has that a refresh reads. Nothing where the state can't be read."""
    try:
        rows = stack.export_state()["deployment"].get("resources") or []
    except CommandFailed:
        return []
    return [
        row["urn"] for row in rows if row.get("custom") and not row["type"].startswith(PROVIDER)
    ]


def _say(found: Events) -> None:
    for message in found.errors:
        text = message.text.strip()
        print(text if text.startswith("error:") else f"error: {text}", file=sys.stderr)
