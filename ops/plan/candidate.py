"""One set of settings to be tried, under the names the stack's settings have, with the program's
own defaults and bounds.
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

from ops.plan.world import World

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
    by the handler's own calendar.
    """
    from interruption_handler.cron import Cron

    fired = []
    for one in floors:
        start = datetime(2026, 1, 5, tzinfo=ZoneInfo(one.time_zone)).timestamp()  # a Monday
        moment = Cron.parse(one.schedule).last(start + minute * 60.0, one.time_zone)
        if moment is not None:
            fired.append((moment - start, one.pods))
    return max(fired)[1] if fired else None


@dataclass(frozen=True)
class Candidate:
    """Settings of one simulation. Defaults are the program's; `settings` keeps the stack keys that
    were given.

    As in a stack: what Kubernetes and the handler count is in wall seconds, what the cloud and its
    node scaler count in modelled ones.
    """

    name: str = "tutorial"
    min_size: int = 1
    max_size: int = 10
    on_demand_base: int = 0
    on_demand_percent: float = 30
    spot: bool = True
    compensate: bool = True
    remedy: bool = True
    spot_pools: int = 2
    instance_types: tuple[str, ...] = ("ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge")
    min_replicas: int = 1
    max_replicas: int = 10
    target_qps: float = 10
    scale_up_pods: int = 4
    scale_up_percent: float = 100
    scale_up_period: float = 60
    stable_down: float = 300
    scale_down_percent: float = 50
    scale_down_period: float = 300
    tolerance_up: float = 0.1
    tolerance_down: float = 0.1
    outage_replicas: int = 0
    outage_seconds: float = 60
    query_interval: int = 15
    query_delay: int = 10
    scan_seconds: float = 30
    unneeded_seconds: float = 600
    headroom: int = 0
    floors: tuple[Floor, ...] = ()
    handler: bool = True
    quick: bool = True
    """Whether the node scaler's wait for GPU pods is avoided."""
    mix: bool = True
    mix_points: float = 4
    mix_after: float = 300
    drain: float = 30
    policy: str = "hpa"
    """hpa, static, kpa or skyserve."""
    lookahead: float = 0.0
    """Seconds a perfect forecast sees ahead; only for comparison."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def spot_types(self, world: World) -> Sequence[str]:
        """Instance types preemptible nodes are spread over, cheapest first."""
        return world.ranked(self.instance_types, True)[: self.spot_pools]

    def policies(self) -> tuple[float, ...]:
        """(up pods, up percent, up period, down percent, down period), as the HPA's behaviour has
        them.
        """
        return (
            self.scale_up_pods,
            self.scale_up_percent,
            self.scale_up_period,
            self.scale_down_percent,
            self.scale_down_period,
        )

    def low(self, now: float) -> int:
        """Fewest pods at `now` seconds since the start."""
        floor = floor_at(self.floors, int(now // 60)) if self.floors and self.handler else None
        return self.min_replicas if floor is None else min(floor, self.max_replicas)

    def metric(self, clock: float) -> tuple[int, int]:
        """Window of the metric and how far it lies back: wall seconds, shortened by the clock,
        whole and at least one.
        """
        return max(1, math.ceil(self.query_interval / clock)), max(
            1, math.ceil(self.query_delay / clock)
        )


def seconds(text: str) -> float:
    """Seconds of a duration such as 30s, 10m or 1h; ValueError for anything else."""
    match = re.fullmatch(r"([0-9]+)(s|m|h)", text)
    if not match:
        raise ValueError(text)
    return float(match[1]) * UNITS[match[2]]
