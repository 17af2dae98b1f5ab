"""The handler's figures, in Prometheus' text format 0.0.4: what /metrics answers.

Each replica counts for itself. The leader's are the ones that move, so a dashboard sums over the
pods. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "interruption_handler_"
Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
_lock = threading.Lock()


class _Metric:
    """A family of samples with the same name and the same labels."""

    kind = "untyped"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        """`name` without the prefix; `text` says what is counted, and its unit."""
        self.name, self._text, self._labels = PREFIX + name, text, tuple(labels)
        self._values: dict[Labels, float] = {}

    def value(self, **labels: str) -> float:
        """The value under these labels; 0 where there is none yet."""
        with _lock:
            return self._values.get(self._key(labels), 0.0)

    def _key(self, labels: dict[str, str]) -> Labels:
        return tuple((label, labels[label]) for label in self._labels)

    def samples(self) -> Iterator[Sample]:
        """The samples of this moment."""
        with _lock:
            values = sorted(self._values.items())
        for labels, value in values:
            yield self.name, labels, value

    def lines(self) -> Iterator[str]:
        """The family as the page shows it."""
        yield f"# HELP {self.name} {_escaped(self._text, quotes=False)}"
        yield f"# TYPE {self.name} {self.kind}"
        for name, labels, value in self.samples():
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
            yield f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


class Counter(_Metric):
    """A number that only grows, for each set of labels."""

    kind = "counter"

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str] = (),
        known: Iterable[Sequence[str]] = (),
    ) -> None:
        """`known` are label values that are shown as 0 before anything is counted: a rate over a
        series that begins with its first event misses that event.
        """
        super().__init__(name, text, labels)
        for values in [()] if not labels else known:
            self._values[tuple(zip(self._labels, values, strict=True))] = 0.0

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count so many more under these labels."""
        key = self._key(labels)
        with _lock:
            self._values[key] = self._values.get(key, 0.0) + amount


class Gauge(_Metric):
    """A number of this moment, for each set of labels."""

    kind = "gauge"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, text, labels)
        self._read: Callable[[], float] | None = None

    def follow(self, read: Callable[[], float]) -> None:
        """Ask `read` whenever the page is made; for a gauge without labels."""
        self._read = read

    def replace(self, values: Iterable[tuple[dict[str, str], float]]) -> None:
        """Set the values under these labels; those that are shown already and not given are 0."""
        with _lock:
            given = {self._key(labels): value for labels, value in values}
            self._values = {**dict.fromkeys(self._values, 0.0), **given}

    def samples(self) -> Iterator[Sample]:
        """The samples of this moment."""
        if self._read is not None:
            yield self.name, (), self._read()
        yield from super().samples()


class Histogram(_Metric):
    """How often a number was how large, for each set of labels."""

    kind = "histogram"

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        """`bounds` are the upper ones of the buckets, ascending, without infinity."""
        super().__init__(name, text, labels)
        self._bounds = (*bounds, math.inf)
        self._counts: dict[Labels, list[int]] = {}

    def observe(self, number: float, **labels: str) -> None:
        """Count one number."""
        key = self._key(labels)
        with _lock:
            counts = self._counts.setdefault(key, [0] * len(self._bounds))
            counts[next(n for n, bound in enumerate(self._bounds) if number <= bound)] += 1
            self._values[key] = self._values.get(key, 0.0) + number

    def samples(self) -> Iterator[Sample]:
        """The samples of this moment."""
        with _lock:
            shown = [
                (key, list(counts), self._values[key])
                for key, counts in sorted(self._counts.items())
            ]
        for key, counts, total in shown:
            upto = 0
            for bound, count in zip(self._bounds, counts, strict=True):
                upto += count
                yield f"{self.name}_bucket", (*key, ("le", _number(bound))), upto
            yield f"{self.name}_sum", key, total
            yield f"{self.name}_count", key, upto


ACTIONS = Counter(
    "actions_total",
    "Actions by outcome: done, refused (429), conflict (409: the object has changed), failed, gone (404), not_needed, lease_lost, dry_run.",
    ("action", "outcome"),
)
NOTICES = Counter(
    "notices_total", "Reclaim notices seen while leading: nodes whose InstanceExpired became true."
)
SINCE_NOTICE = Histogram(
    "seconds_since_notice",
    "Seconds from a node's reclaim notice to what was done: cordon, detach, evict or delete.",
    ("action",),
    (1, 2.5, 5, 10, 20, 30, 60, 90, 120, 180, 240, 270, 300),
)
WATCHES = Counter(
    "watch_restarts_total",
    "Watches begun again, by what ended them: ended (by the server, as asked), expired (410), failed.",
    ("resource", "why"),
)
API_ERRORS = Counter(
    "api_errors_total",
    "Requests to the API server that failed, by method and HTTP status; code 0: no answer.",
    ("method", "code"),
)
ECS_LOOKS = Counter(
    "ecs_looks_total",
    "Looks for operation locks at ECS by outcome: done, failed (interruption.noticeSource: ecs).",
    ("outcome",),
)
LEADER = Gauge("leader", "1 while this replica holds the Lease and acts, otherwise 0.")
ALARMS = Gauge("alarm", "1 while the alarm holds, otherwise 0.", ("alarm", "level"))
ALARMS_TOLD = Counter(
    "alarms_total", "Alarms logged, each once in ten minutes.", ("alarm", "level")
)
EVENTS = Counter("events_sent_total", "Kubernetes Events written.")
EVENTS_DROPPED = Counter(
    "events_dropped_total",
    "Kubernetes Events that were not written: the queue was full, the Lease lost, the server refused (failed), or the handler ended.",
    ("why",),
    (("queue_full",), ("lease_lost",), ("failed",), ("ended",)),
)
FAMILIES: tuple[_Metric, ...] = (
    ACTIONS, NOTICES, SINCE_NOTICE, WATCHES, API_ERRORS, ECS_LOOKS, LEADER, ALARMS, ALARMS_TOLD, EVENTS, EVENTS_DROPPED,
)  # fmt: skip


def page() -> str:
    """All figures of this moment."""
    return "".join(f"{line}\n" for family in FAMILIES for line in family.lines())


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
