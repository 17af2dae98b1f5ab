"""Sizes of a node pool: how many nodes are pay-as-you-go, and how many nodes some pods need.

The handler, the settings' advice, the cost table of the preview comment, the policies and the
planner all compute with these functions. tests/data/pool_sizing.yaml holds the examples for all of
them, and for the cloud double, which has its own copy.
"""

from __future__ import annotations

from collections.abc import Iterable

NEVER = 100_000
"""A pool size that is never reached."""


def on_demand_nodes(total: int, base: int, percent: int, rounding: str = "ceil") -> int:
    """How many of `total` nodes are pay-as-you-go: the first `base` nodes, and `percent` (0 to 100)
    of the nodes above.

    `rounding` is `ceil`, `floor` or `round` (half up). Alibaba Cloud does not document which one a
    scaling group uses; `ceil` is what this project assumes, so that it never plans with too few.
    """
    hundredths = max(0, total - base) * percent
    above = {
        "ceil": -(-hundredths // 100),
        "floor": hundredths // 100,
        "round": (hundredths + 50) // 100,
    }[rounding]
    return min(total, base) + above


def exact_on_demand_nodes(total: int, base: int, percent: float) -> float:
    """The same without rounding: the limit that a share may not pass, as a number of nodes."""
    return min(total, base) + max(0, total - base) * percent / 100


def tolerated_on_demand_nodes(total: int, base: int, percent: int, points: float) -> float:
    """How many of `total` nodes may be pay-as-you-go when the share may be `points` percentage
    points too high; never fewer than `on_demand_nodes`, which rounds up.
    """
    return max(
        on_demand_nodes(total, base, percent),
        exact_on_demand_nodes(total, base, percent + points) + 1e-9,
    )


def smallest_pool_with(number: int, base: int, percent: int, *, spot: bool) -> int:
    """The smallest pool that has `number` preemptible (`spot`) or pay-as-you-go nodes, where the
    share is rounded up; `NEVER` and more if no pool has.
    """
    if spot:
        return NEVER + number if percent >= 100 else base - (-number * 100 // (100 - percent))
    if number <= base:
        return number
    return NEVER + number if percent <= 0 else base + (number - base - 1) * 100 // percent + 1


def pods_per_node(gpus_of_types: Iterable[int], gpus_per_pod: int) -> int:
    """Pods that fit on a node of any of the instance types; 0 if a type has too few GPUs for one.

    The poorest type counts, because the node scaler expects it when it orders a node for a pod.
    """
    return min(gpus_of_types) // gpus_per_pod


def nodes_for_pods(pods: int, per_node: int) -> int:
    """Nodes that `pods` pods need when `per_node` (1 or more) of them fit on a node."""
    return -(-pods // per_node)
