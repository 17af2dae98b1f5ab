"""What `pulumi preview --json` printed, in either of its forms, as plain steps.

One form is a single document; with PULUMI_ENABLE_STREAMING_JSON_PREVIEW the CLI prints an event a
line instead. Both may hold anything a pull request can put there: nothing here trusts a type.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ops.engine.urns import name_of, type_of

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the CLI writes a value that is known only after the deployment."""


class PreviewFormatError(ValueError):
    """The text is not a preview in either form; the message is complete."""


@dataclass(frozen=True)
class State:
    """A resource before or after a step."""

    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    protect: bool = False
    retained: bool = False
    secret_outputs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, raw: Any) -> State | None:
        """From a checkpoint's form or an event's; None where there is no such side."""
        if not isinstance(raw, dict):
            return None
        return cls(
            _mapping(raw.get("inputs")),
            _mapping(raw.get("outputs")),
            raw.get("protect") is True,
            raw.get("retainOnDelete") is True,
            frozenset(
                one for one in raw.get("additionalSecretOutputs") or () if isinstance(one, str)
            ),
        )


@dataclass(frozen=True)
class Step:
    """What happens to one resource."""

    op: str
    urn: str
    old: State | None
    new: State | None
    detailed: dict[str, dict[str, Any]]
    replaced_by: tuple[str, ...] = ()
    """Properties that force a replacement."""
    diff_reasons: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Type token, such as alicloud:oss/bucket:Bucket."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """Logical name: the last part of the URN."""
        return name_of(self.urn)


@dataclass(frozen=True)
class Message:
    """A diagnostic message of the engine."""

    severity: str
    text: str
    urn: str = ""


@dataclass(frozen=True)
class Preview:
    """A parsed preview."""

    steps: tuple[Step, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    violations: tuple[dict[str, Any], ...] = ()
    """What the CLI's own policy host reported."""
    region: str = ""


def parse(text: str) -> Preview:
    """Either form, told apart by the first line. An empty text is an empty preview. Raises
    PreviewFormatError.
    """
    if not text.strip():
        return Preview()
    try:
        whole = json.loads(text)
    except ValueError:
        return _from_events(_lines(text))
    except RecursionError:
        raise PreviewFormatError("the preview is nested too deeply to be one") from None
    if isinstance(whole, dict) and "sequence" not in whole:
        return _from_document(whole)
    return _from_events([whole] if isinstance(whole, dict) else [])


def _lines(text: str) -> list[dict[str, Any]]:
    events = []
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise PreviewFormatError(
                f"line {number} is no JSON ({error}): expected what `pulumi preview --json` prints, unchanged"
            ) from None
        if isinstance(event, dict):
            events.append(event)
    return events


def _from_document(whole: dict[str, Any]) -> Preview:
    if not isinstance(whole.get("steps", []), list):
        raise PreviewFormatError(
            "`steps` is no list: expected what `pulumi preview --json` prints, unchanged"
        )
    steps = [
        _step(one, one.get("oldState"), one.get("newState"), "replaceReasons")
        for one in _mappings(whole.get("steps"))
    ]
    messages = tuple(_message(one) for one in _mappings(whole.get("diagnostics")))
    return Preview(
        *_settled(steps, whole.get("changeSummary")), messages, region=_region(whole.get("config"))
    )


def _from_events(events: Iterable[dict[str, Any]]) -> Preview:
    steps, messages, violations, summary, config = [], [], [], None, None
    for event in events:
        if metadata := _mapping(_mapping(event.get("resourcePreEvent")).get("metadata")):
            steps.append(_step(metadata, metadata.get("old"), metadata.get("new"), "keys", "diffs"))
        elif said := _mapping(event.get("diagnosticEvent")):
            messages.append(_message(said))
        elif broken := _mapping(event.get("policyEvent")):
            violations.append(broken)
        elif ended := _mapping(event.get("summaryEvent")):
            summary = ended.get("resourceChanges")
        elif begun := _mapping(event.get("preludeEvent")):
            config = begun.get("config")
    return Preview(*_settled(steps, summary), tuple(messages), tuple(violations), _region(config))


def _step(
    raw: dict[str, Any], old: Any, new: Any, replaced_by: str, reasons: str = "diffReasons"
) -> Step:
    detailed = {
        path: kind
        for path, kind in _mapping(raw.get("detailedDiff")).items()
        if isinstance(kind, dict)
    }
    return Step(
        str(raw.get("op", "")), str(raw.get("urn", "")), State.of(old), State.of(new), detailed,
        _texts(raw.get(replaced_by)), _texts(raw.get(reasons)),
    )  # fmt: skip


def _settled(steps: list[Step], summary: Any) -> tuple[tuple[Step, ...], dict[str, int]]:
    """One step a resource and operation: the parts that a replacement is told in are left out where
    the whole is told.
    """
    whole = {step.urn for step in steps if step.op == "replace"}
    parts = (
        "create-replacement",
        "delete-replaced",
        "discard-replaced",
        "read-replacement",
        "import-replacement",
    )
    kept = tuple(step for step in steps if not (step.op in parts and step.urn in whole))
    counts = {
        str(op): number for op, number in _mapping(summary).items() if isinstance(number, int)
    }
    return kept, counts or dict(Counter(step.op for step in kept))


def _message(raw: dict[str, Any]) -> Message:
    return Message(
        str(raw.get("severity", "info")),
        f"{raw.get('prefix') or ''}{raw.get('message') or ''}",
        str(raw.get("urn") or ""),
    )


def _region(config: Any) -> str:
    found = _mapping(config).get("alicloud:region")
    return found if isinstance(found, str) else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
