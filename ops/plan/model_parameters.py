"""Parameters of the model: what settings can't change. How fast nodes boot and models load, what a
pod can serve, how the cloud and Kubernetes behave.

All times are modelled seconds unless they say wall seconds. With `clock` k one wall second is k
modelled seconds. Request rates and latencies are those of the wall: a trace of a lab run at k = 10
keeps its rates, while every modelled delay passes ten times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interruption_handler import capacity_mix

Points = tuple[tuple[float, float], ...]
"""A distribution: rising pairs (share of cases, seconds), linear in between."""


def uniform(low: float, high: float) -> Points:
    """A uniform distribution from `low` to `high` seconds."""
    return ((0.0, low), (1.0, high))


def draw(points: Points, shares: np.ndarray) -> np.ndarray:
    """Seconds for numbers of [0, 1)."""
    return np.interp(shares, [p for p, _ in points], [v for _, v in points])


BOOT, LOAD = uniform(120, 188), uniform(32, 50)


@dataclass(frozen=True)
class ModelParameters:
    """Parameters of one simulation; `--parameters FILE` sets them by name. Defaults: GPU nodes of
    ACK, the lab's stub pods, Kubernetes' defaults.
    """

    clock: float = 1.0
    """Modelled seconds in a wall second."""
    pod_qps: float = 14.3
    """Maximum requests per wall second that a ready pod serves."""
    deadline: float = 1.0
    """Wall seconds within which an answer is in time."""
    patience: float = 10.0
    """Wall seconds of queue after which a request is refused."""
    boot: Points = BOOT
    """From the order to a ready node."""
    load: Points = LOAD
    """From a pod's binding to its readiness: image, mount, model."""
    notice: float = 300.0
    """Between the reclaim notice of a preemptible node and its end."""
    protected: float = 3600.0
    """Age below which the market does not take a preemptible node."""
    gpu_buffer: float = 30.0
    """How long the node scaler lets a waiting GPU pod wait before it orders a node (compiled in; no
    flag).
    """
    quick_buffer: float = 1.0
    """The same wait with nodeScaler.skipGpuWait."""
    scan_on_events: bool = True
    """Whether the node scaler also looks when a pod starts to wait, as upstream's does, and not
    only every nodeScaler.scanInterval.
    """
    bulk: int = 10
    """Maximum empty nodes released in one look."""
    sync: float = 15.0
    """Period of the HPA."""
    gone: float = 5.0
    """From a node's end to the removal of its Node object."""
    handler_seconds: float = 2.0
    """From that removal to the deletion of the node's pods by the interruption handler."""
    pod_gc: tuple[float, float] = (40.0, 60.0)
    """From that removal to the deletion of the node's pods by Kubernetes' pod collector: wall
    seconds, because no clock shortens them.
    """
    rounding: str = "ceil"
    """How the on-demand share is rounded: ceil, round or floor (Alibaba Cloud documents none)."""
    billed_after: float = 0.0
    """Seconds from the order to the first billed one."""
    mix_growth: int = capacity_mix.GROWTH
    """How many times more nodes the handler replaces at a time after each success."""
    bursty: bool = True
    """Whether requests come at random (Poisson) or evenly."""
    zones: int = 3
    prices: dict[str, float] = field(default_factory=dict)
    """CNY per hour and instance type, pay-as-you-go."""
    spot_fraction: dict[str, float] = field(default_factory=dict)
    """Preemptible price as a share of `prices`, by instance type; key "" for all others."""
    vcpus: dict[str, int] = field(default_factory=dict)
    """vCPUs by instance type: the cloud ranks types by price per vCPU."""

    def spot_price(self, instance_type: str) -> float:
        """CNY per hour of a preemptible node."""
        fraction = self.spot_fraction.get(instance_type, self.spot_fraction.get("", 0.3))
        return self.prices[instance_type] * fraction

    def ranked(self, instance_types: Sequence[str], *, spot: bool) -> list[str]:
        """Instance types, cheapest per vCPU first, as preemptible or as pay-as-you-go nodes."""
        prices = {
            name: self.spot_price(name) if spot else self.prices[name] for name in instance_types
        }
        return sorted(instance_types, key=lambda name: prices[name] / self.vcpus.get(name, 1))
