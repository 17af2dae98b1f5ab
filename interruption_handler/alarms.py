"""What an operator must know because the handler can't put it right: errors and warnings in its
log, each once per `PERIOD`, and a gauge that holds as long as they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import metrics, spot_notice
from .config import Config
from .log import log_event
from .snapshot import ClusterSnapshot, Node, Pod

PERIOD = 600.0
"""Seconds after which an alarm that still holds is logged again."""
REPORT_WITHIN = 300.0
"""Seconds within which the node problem detector must have reported on a new node."""
UNANSWERED = 120.0
"""Seconds without an answer of ECS after which it is no source of notices."""
OVERDUE = 120.0
"""Seconds after the end of the notice at which an instance that is still there was not
reclaimed.
"""
NAMED = 10
"""Objects that an alarm names; it counts the rest."""


@dataclass(frozen=True)
class Alarm:
    """Something to log; `key` says which alarm it is."""

    key: str
    level: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)
    about: tuple[Node | Pod, ...] = ()
    """The objects that it names."""


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Alarm]:
    """The alarms that hold at `now` (seconds since 1970)."""
    yield from _without_detector(snapshot, config, now)
    yield from _false_notices(snapshot, config, now)
    kept = spot_notice.kept_serving(snapshot, config, now)
    if kept:
        yield Alarm(
            "kept serving",
            "error",
            "pods on nodes whose notice ends are kept: they have no ready replacements, and too few others serve (interruption.minServingPercent)",
            {"pods": _names(kept), "count": len(kept)},
            _some(kept),
        )
    minimum = config.min_replicas
    if minimum is not None and 0 < minimum.outage_seconds < snapshot.unseen_seconds:
        yield Alarm(
            "metric reads 0",
            "error",
            "the HPA's metric reads 0 while the pods serve requests: no pod is removed. Does the log collector run?",
            {"seconds": round(snapshot.unseen_seconds)},
        )


def _without_detector(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Alarm]:
    """Without the condition nothing announces a reclaim: it must not look like calm."""
    watched = [
        node
        for node in snapshot.nodes.values()
        if node.ready
        and now - node.created > REPORT_WITHIN
        and config.pool_labels.items() <= node.labels.items()
    ]
    silent = [node for node in watched if not node.detector_reports]
    if snapshot.locks_age is not None:
        if snapshot.locks_age <= UNANSWERED:
            return  # ECS says what the condition would
        yield Alarm(
            "ecs silent",
            "error" if silent else "warning",
            "ECS does not say which instances it reclaims (interruption.noticeSource): see 'ecs not asked for locks' in the log",
            {"seconds": round(snapshot.locks_age)},
        )
    if not silent:
        return
    every = len(silent) == len(watched)
    yield Alarm(
        "no detector",
        "error" if every else "warning",
        f"{'no' if every else 'not every'} ready node of the pool carries the condition InstanceExpired: reclaim notices are not seen. Is ack-node-problem-detector installed, and does it run on these nodes?",
        {"nodes": _names(silent), "count": len(silent)},
        _some(silent),
    )


def _false_notices(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Alarm]:
    noticed = [node for node in snapshot.nodes.values() if node.notice_at is not None]
    paid = [node for node in noticed if not node.spot]
    if paid:
        yield Alarm(
            "pay-as-you-go notice",
            "warning",
            "InstanceExpired on nodes that are not preemptible: their pods move once replacements are ready, and none is deleted before",
            {"nodes": _names(paid), "count": len(paid)},
            _some(paid),
        )
    overdue = [
        node
        for node in noticed
        if node.notice_at is not None and now > node.notice_at + config.notice_seconds + OVERDUE
    ]
    if overdue:
        yield Alarm(
            "overdue",
            "error",
            "nodes are there long after the end of their notice: the notice was wrong, or interruption.noticeSeconds is",
            {"nodes": _names(overdue), "count": len(overdue)},
            _some(overdue),
        )


def _some(objects: Iterable[Node | Pod]) -> tuple[Node | Pod, ...]:
    return tuple(sorted(objects, key=lambda each: each.name)[:NAMED])


def _names(objects: Iterable[Node | Pod]) -> list[str]:
    return [each.name for each in _some(objects)]


class AlarmLog:
    """Logs alarms, each at most once per `PERIOD`."""

    def __init__(self) -> None:
        self._logged: dict[tuple[str, str], float] = {}

    def log(self, alarms: Iterable[Alarm], now: float) -> list[Alarm]:
        """Log the alarms that hold and were not logged lately, and return those; `now` is in
        seconds. An alarm that became more severe is a new one.
        """
        logged: list[Alarm] = []
        holding = list(alarms)
        metrics.ALARMS.replace(({"alarm": a.key, "level": a.level}, 1.0) for a in holding)
        for alarm in holding:
            key = (alarm.key, alarm.level)
            if now - self._logged.get(key, -PERIOD) >= PERIOD:
                self._logged[key] = now
                log_event(alarm.message, level=alarm.level, alarm=alarm.key, **alarm.detail)
                metrics.ALARMS_TOLD.add(alarm=alarm.key, level=alarm.level)
                logged.append(alarm)
        return logged
