"""Spot markets as random processes: when preemptible nodes are lost and when none can be bought.

always    preemptible nodes can always be bought and are never lost.
calm      each node is lost independently with 3 % probability in 30 days (the lowest class that
          DescribeSpotAdvice publishes); never out of stock.
moderate  10 % in 30 days; 90 % of the losses hit all nodes of one (type, zone) within 3 minutes,
          which is then out of stock for a lognormal time (median 23 min, mean 40 min).
harsh     all (type, zone) pools at once: available for Exp(mean 3.1 h), then everything is lost
          within a minute and nothing can be bought for a lognormal time (median 45 min, mean
          4.1 h); in between, 0.54 times an hour, U(0.1, 0.7) of the nodes are lost. Mean
          availability 0.43, one loss per node in 1.8 h. No protected first hour.

Single events at stated times come from the load (`ops.plan.synthetic`) or from a recorded run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

SCENARIOS = ("always", "calm", "moderate", "harsh")
DAY = 86400.0
MONTH = 30 * DAY


@dataclass(frozen=True)
class Event:
    """Something that happens to preemptible nodes at `at` (seconds from the start)."""

    at: float
    effect: str
    """kill: a share of the nodes get notice; out: out of stock; back: in stock again."""
    share: float = 1.0
    zone: int | None = None
    """None: all zones."""
    type: int | None = None
    """Index of the instance type; None: all types."""
    notice: float | None = None
    """Seconds of notice; None: the usual notice."""
    forced: bool = False
    """Whether it also takes nodes in their protected first hour."""


@dataclass(frozen=True)
class Market:
    """What the market does with one seed."""

    events: tuple[Event, ...] = ()
    hazard: float = 0.0
    """Losses per node and second, independent of each other."""
    protected: float = 3600.0


@dataclass
class Disturbances:
    """Events that a load or a recorded run states, the same for all seeds. Times in seconds."""

    events: list[Event] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    """(begin, end) of the times at which the metric can't be read."""


def rate_of(share: float, seconds: float) -> float:
    """Losses per second for a probability `share` of being lost within `seconds`."""
    return -float(np.log1p(-share)) / seconds


def draw_market(
    scenario: str,
    seconds: float,
    seed: int,
    types: int,
    zones: int,
    protected: float,
    stated: Sequence[Event] = (),
) -> Market:
    """The market of one seed for a trace of `seconds`; `stated` events are added."""
    rng = np.random.default_rng([11, seed])
    if scenario == "moderate":
        total = rate_of(0.10, MONTH)
        events = [
            e
            for type_index in range(types)
            for zone in range(zones)
            for e in _pool_losses(rng, 0.9 * total, seconds, type_index, zone)
        ]
        return Market(_sorted([*events, *stated]), 0.1 * total, protected)
    if scenario == "harsh":
        return Market(_sorted([*_harsh(rng, seconds), *stated]), 0.0, 0.0)
    return Market(_sorted(stated), rate_of(0.03, MONTH) if scenario == "calm" else 0.0, protected)


def _sorted(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda e: e.at))


def _pool_losses(
    rng: np.random.Generator, rate: float, seconds: float, type_index: int, zone: int
) -> list[Event]:
    """All nodes of one (type, zone) within three minutes, then out of stock."""
    events: list[Event] = []
    at = rng.exponential(1 / rate)
    while at < seconds:
        back = at + _lognormal(rng, 23 * 60, 40 * 60)
        events.append(Event(at, "out", zone=zone, type=type_index))
        events += [
            Event(at + delay, "kill", share, zone, type_index)
            for delay, share in ((0.0, 0.4), (60.0, 0.6), (180.0, 1.0))
        ]
        events.append(Event(back, "back", zone=zone, type=type_index))
        at = back + rng.exponential(1 / rate)
    return events


def _harsh(rng: np.random.Generator, seconds: float) -> list[Event]:
    events: list[Event] = []
    at = 0.0
    while at < seconds:
        end = at + rng.exponential(3.1 * 3600)
        part = at + rng.exponential(3600 / 0.54)
        while part < min(end, seconds):
            events.append(Event(part, "kill", float(rng.uniform(0.1, 0.7))))
            part += rng.exponential(3600 / 0.54)
        at = end + _lognormal(rng, 45 * 60, 4.1 * 3600)
        events += [
            Event(end, "out"),
            Event(end, "kill", 0.5),
            Event(end + 60, "kill"),
            Event(at, "back"),
        ]
    return [e for e in events if e.at < seconds]


def _lognormal(rng: np.random.Generator, median: float, average: float) -> float:
    sigma = float(np.sqrt(2 * np.log(average / median)))
    return float(rng.lognormal(np.log(median), sigma))
