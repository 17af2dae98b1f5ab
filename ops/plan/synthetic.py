"""Built-in loads S1 to S9, each with its disturbances: losses, stock-outs, a missing metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ops.plan.market import Disturbances, Event
from ops.plan.trace import Trace

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Synthetic:
    """A built-in load: what it is (`about`), its usual length, its rate over time as a share of the
    peak, and its disturbances.
    """

    about: str
    seconds: float
    shape: Callable[[np.ndarray], np.ndarray]
    disturbances: Callable[[float], Disturbances] = lambda _: Disturbances()
    grid: float = 10.0


def _flat(t: np.ndarray) -> np.ndarray:
    return np.ones_like(t)


def _bursts(t: np.ndarray) -> np.ndarray:
    """Each half hour ends with five minutes of up to four times the load; the bursts differ in
    height.
    """
    number = (t // 1800).astype(int)
    height = 0.6 + 0.4 * (np.sin(number * 12.9898) * 43758.5453 % 1.0)
    return np.where(t % 1800 >= 1500, height, 0.25)


def _day(t: np.ndarray) -> np.ndarray:
    """A day with mean and peak of a public production trace of a generative service: the highest
    hour has 3.2 times the mean, the lowest 0.06 of it.
    """
    hour = t / HOUR % 24.0
    day = np.minimum(np.exp(-(((hour - 11.0 + 12) % 24 - 12) ** 2) / (2 * 1.9**2)), 1.0)
    evening = 0.62 * np.exp(-(((hour - 20.5 + 12) % 24 - 12) ** 2) / (2 * 1.3**2))
    return 0.019 + 0.981 * np.minimum(day + evening, 1.0)


def _kill(notice: float, zone: int | None = None) -> Callable[[float], Disturbances]:
    return lambda seconds: Disturbances(
        [Event(seconds / 2, "kill", notice=notice, zone=zone, forced=True)]
    )


def _stock_out(seconds: float) -> Disturbances:
    """Half of the preemptible nodes are lost, and none can be bought for an hour (for a third of
    the trace where that is shorter).
    """
    begin, length = seconds / 3, min(HOUR, seconds / 3)
    return Disturbances(
        [Event(begin, "out"), Event(begin, "kill", 0.5, forced=True), Event(begin + length, "back")]
    )


def _outage(seconds: float) -> Disturbances:
    return Disturbances(outages=[(seconds / 2, seconds / 2 + min(600.0, seconds / 4))])


TRACES: dict[str, Synthetic] = {
    "S1": Synthetic("step x2 after 10 min", HOUR, lambda t: np.where(t < 600, 0.5, 1.0)),
    "S2": Synthetic("bursts: up to x4 for 5 min in each 30 min", DAY, _bursts),
    "S3": Synthetic("day curve: highest hour 3.2 x mean, lowest 0.06 x mean", DAY, _day, grid=60.0),
    "S4": Synthetic(
        "flat; all spot nodes get 300 s notice at half time", 2 * HOUR, _flat, _kill(300.0)
    ),
    "S4-120": Synthetic(
        "flat; all spot nodes get 120 s notice at half time", 2 * HOUR, _flat, _kill(120.0)
    ),
    "S4-0": Synthetic("flat; all spot nodes vanish at half time", 2 * HOUR, _flat, _kill(0.0)),
    "S5": Synthetic(
        "flat; the spot nodes of one zone vanish at half time", 2 * HOUR, _flat, _kill(0.0, zone=0)
    ),
    "S6": Synthetic(
        "flat; half the spot nodes get notice, none can be bought for 60 min",
        3 * HOUR,
        _flat,
        _stock_out,
    ),
    "S7": Synthetic("flat; the metric can't be read for 10 min", HOUR, _flat, _outage),
    "S8": Synthetic(
        "ramp: +10 % of the first load each minute for 20 min",
        HOUR,
        lambda t: (1 + 0.1 * np.clip((t - 600) // 60, 0, 20)) / 3,
    ),
    "S9": Synthetic("flat, random arrivals only", 6 * HOUR, _flat),
}


def make(name: str, peak: float, seconds: float | None = None) -> tuple[Trace, Disturbances]:
    """The built-in load `name` and its disturbances, with a highest minute of `peak` requests/s,
    for `seconds` (default: its usual length).
    """
    entry = TRACES[name]
    length = seconds or entry.seconds
    times = np.arange(0.0, length, entry.grid)
    trace = Trace(name, times, entry.shape(times + entry.grid / 2), length)
    return trace.scaled(peak), entry.disturbances(length)
