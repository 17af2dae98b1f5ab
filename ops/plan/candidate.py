"""A candidate: one set of settings to try, under the names the stack's settings have.

`ops.plan.keys` makes candidates from settings; the defaults are the program's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from interruption_handler.cron import Cron
from ops.plan.model_parameters import ModelParameters

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Floor:
    """At least `pods` pods from each firing of a cron schedule until another floor's fires. A trace
    begins on a Monday at midnight.
    """

    schedule: str
    time_zone: str
    pods: int


@lru_cache(maxsize=200_000)
def floor_at(floors: tuple[Floor, ...], minute: int) -> int | None:
    """The floor that holds `minute` minutes after the start: that of the schedule that fired last,
    by the interruption handler's own calendar; None before the first firing.
    """
    fired = []
    for floor in floors:
        start = datetime(2026, 1, 5, tzinfo=ZoneInfo(floor.time_zone)).timestamp()  # a Monday
        fired_at = Cron.parse(floor.schedule).last(start + minute * 60.0, floor.time_zone)
        if fired_at is not None:
            fired.append((fired_at - start, floor.pods))
    return max(fired)[1] if fired else None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings of one simulation; `ops.plan.keys.default()` has the program's defaults.

    As in a stack: what Kubernetes and the handler measure is in wall seconds, what the cloud and
    its node scaler measure in modelled ones.
    """

    name: str
    min_size: int
    max_size: int
    on_demand_base: int
    on_demand_percent: int
    spot: bool
    """Whether the pool buys preemptible nodes."""
    compensate: bool
    """Whether it buys pay-as-you-go nodes when preemptible ones are out of stock."""
    remedy: bool
    """Whether ACK orders a replacement for a node under notice."""
    spot_pools: int
    """Instance types over which preemptible nodes are spread."""
    instance_types: tuple[str, ...]
    min_replicas: int
    max_replicas: int
    target_qps: float
    """Requests per second and pod at which the HPA aims."""
    scale_up_pods: int
    scale_up_percent: float
    scale_up_period: float
    stable_down: float
    """Stabilization window of the scale-down, in seconds."""
    scale_down_percent: float
    scale_down_period: float
    tolerance_up: float
    tolerance_down: float
    outage_replicas: int
    """Minimum while the metric is missing; 0: unchanged."""
    outage_seconds: float
    query_interval: int
    """Window of the metric, in seconds."""
    query_delay: int
    """Seconds by which the window ends before now."""
    scan_seconds: float
    """Seconds between two looks of the node scaler."""
    unneeded_seconds: float
    """Seconds for which a node must be empty before it is released."""
    headroom: int
    """Warm nodes beyond those that serve."""
    floors: tuple[Floor, ...]
    handler: bool
    """Whether the interruption handler runs."""
    quick: bool
    """Whether the node scaler's wait for GPU pods is skipped."""
    mix: bool
    """Whether the handler keeps the mix."""
    mix_points: float
    mix_after: float
    drain: float
    """Seconds before a node's release at which the handler deletes the pods still there."""
    policy: str = "hpa"
    """Who decides the number of pods: hpa, static, kpa or skyserve."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    """The stack's keys that were given."""

    def spot_types(self, parameters: ModelParameters) -> Sequence[str]:
        """Instance types over which preemptible nodes are spread, cheapest first."""
        return parameters.ranked(self.instance_types, spot=True)[: self.spot_pools]

    def policies(self) -> tuple[float, ...]:
        """(up pods, up percent, up period, down percent, down period) of the HPA's behavior."""
        return (
            self.scale_up_pods,
            self.scale_up_percent,
            self.scale_up_period,
            self.scale_down_percent,
            self.scale_down_period,
        )

    def minimum(self, now: float) -> int:
        """Fewest pods at `now` seconds since the start."""
        floor = floor_at(self.floors, int(now // 60)) if self.floors and self.handler else None
        return self.min_replicas if floor is None else min(floor, self.max_replicas)

    def metric(self, clock: float) -> tuple[int, int]:
        """Window and delay of the metric in wall seconds, shortened by the clock; whole seconds,
        at least one.
        """
        return (
            max(1, math.ceil(self.query_interval / clock)),
            max(1, math.ceil(self.query_delay / clock)),
        )


def seconds(text: str) -> float:
    """Seconds of a duration such as 30s, 10m or 1h. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]+)(s|m|h)", text)
    if not match:
        raise ValueError(text)
    return float(match[1]) * UNITS[match[2]]
