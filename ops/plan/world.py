"""What the settings can't change: how fast nodes boot and models load, what a pod can serve, how
the cloud and Kubernetes behave.

All times are modelled seconds. With `clock` k one wall second is k modelled seconds: request rates
and request latencies are those of the wall, so a trace of a lab run at k = 10 keeps its rates while
every modelled delay passes ten times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

Points = tuple[tuple[float, float], ...]
"""A distribution: (share of cases, seconds), rising; between two points it is straight."""


def uniform(low: float, high: float) -> Points:
    """Evenly spread from `low` to `high` seconds."""
    return ((0.0, low), (1.0, high))


def draw(points: Points, shares: np.ndarray) -> np.ndarray:
    """Seconds for numbers of [0, 1)."""
    return np.interp(shares, [p for p, _ in points], [v for _, v in points])


def mean(points: Points) -> float:
    """Expected seconds."""
    pairs = zip(points, points[1:], strict=False)
    return points[0][0] * points[0][1] + sum(
        (p2 - p1) * (v1 + v2) / 2 for (p1, v1), (p2, v2) in pairs
    )


@dataclass(frozen=True)
class World:
    """The surroundings of one simulation. Defaults: GPU nodes of ACK, the lab's stub pods,
    Kubernetes' defaults.
    """

    clock: float = 1.0
    """Modelled seconds in a wall second."""
    pod_qps: float = 14.3
    """Requests per (wall) second a ready pod serves at most."""
    deadline: float = 1.0
    """Wall seconds within which an answer is in time."""
    patience: float = 10.0
    """Wall seconds of queue after which a request is refused."""
    boot: Points = uniform(120, 188)
    """From the order to a Ready node."""
    load: Points = uniform(32, 50)
    """From a pod's binding to its being Ready: image, mount, model."""
    notice: float = 300.0
    """Between the reclaim notice of a preemptible node and its end."""
    protected: float = 3600.0
    """Age below which the market leaves a preemptible node alone."""
    gpu_buffer: float = 30.0
    """How long the node autoscaler lets a waiting GPU pod wait (compiled in; no flag)."""
    quick_buffer: float = 1.0
    """The same with nodeScaler.skipGpuWait."""
    scan_on_events: bool = True
    """Whether the node autoscaler also looks when a pod starts to wait, as upstream's does, not
    only each nodeScaler.scanInterval.
    """
    bulk: int = 10
    """Empty nodes given back at most in one look."""
    sync: float = 15.0
    """The HPA's period."""
    gone: float = 5.0
    """From a node's end to the removal of its Node object."""
    handler_seconds: float = 2.0
    """From there to the deletion of its pods by the interruption handler."""
    pod_gc: tuple[float, float] = (40.0, 60.0)
    """The same by Kubernetes' own pod collector: wall seconds, no clock shortens them."""
    rounding: str = "ceil"
    """Of the on-demand share: ceil, round or floor (Alibaba documents none)."""
    billed_after: float = 0.0
    """Seconds from the order to the first billed one."""
    mix_growth: int = 4
    """How many times more nodes it replaces at a time after each success, a first one being a
    probe.
    """
    bursty: bool = True
    """Whether requests come at random (Poisson) or evenly."""
    zones: int = 3
    prices: dict[str, float] = field(default_factory=dict)
    """Instance type -> CNY per hour on demand."""
    spot_fraction: dict[str, float] = field(default_factory=dict)
    """Instance type -> preemptible price as a share of that; key "" for all others."""
    vcpus: dict[str, int] = field(default_factory=dict)
    """Instance type -> vCPUs: the cloud ranks types by price per vCPU."""

    def spot_price(self, kind: str) -> float:
        """CNY per hour of a preemptible node."""
        return self.prices[kind] * self.spot_fraction.get(kind, self.spot_fraction.get("", 0.3))

    def ranked(self, kinds: Sequence[str], spot: bool) -> list[str]:
        """Instance types, cheapest per vCPU first."""
        return sorted(
            kinds,
            key=lambda k: (self.spot_price(k) if spot else self.prices[k]) / self.vcpus.get(k, 1),
        )
