"""A fluid queue in front of all ready pods, first come, first served: how many requests are
answered in time.

A request that finds a queue longer than `deadline` seconds of work is late, one that finds more
than `patience` seconds is refused. Within a step rates are constant, so the step's counts are
exact, whatever its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZES = (1, 2, 3, 5, 8, 13, 21, 34)
GRID = 201


@dataclass
class Served:
    """Counts of requests, one per simulation. `in_time` and `late` are counted on arrival; those of
    them that still wait are the queue.
    """

    in_time: np.ndarray
    late: np.ndarray
    refused: np.ndarray
    queue: np.ndarray


def serve(
    queue: np.ndarray, rate: np.ndarray, capacity: np.ndarray, seconds: float, deadline: float, patience: float
) -> Served:  # fmt: skip
    """One step of `seconds` in which `rate` requests/s meet a capacity of `capacity` requests/s and
    a queue of `queue` requests. All times are in the same (modelled) seconds.

    Where the capacity fell, the end of the queue is refused after all. It was counted as late
    before, so `late` may be negative.
    """
    arrived = rate * seconds
    served = Served(
        arrived.copy(), np.zeros_like(arrived), np.zeros_like(arrived), np.zeros_like(arrived)
    )
    busy = np.flatnonzero((queue > 0) | (rate > capacity))
    if busy.size:
        _busy(served, busy, queue[busy], rate[busy], capacity[busy], seconds, deadline, patience)
    return served


def _busy(served: Served, rows, queue, rate, capacity, seconds, deadline, patience) -> None:  # type: ignore[no-untyped-def]
    """The simulations that queue. `rows` are their indices, the others their values."""
    cap, mark = capacity * patience, capacity * deadline
    spilled = np.maximum(queue - cap, 0.0)  # the capacity fell: the queue's end is refused
    held = queue - spilled
    slope = rate - capacity
    steep = np.where(np.abs(slope) < 1e-12, -1e-12, slope)
    to_mark = np.clip((mark - held) / steep, 0.0, seconds)
    growing = slope > 0
    good = np.where(
        growing,
        np.where(held < mark, to_mark, 0.0),
        np.where(held > mark, seconds - to_mark, seconds),
    )
    to_cap = np.clip((cap - held) / steep, 0.0, seconds)
    refused = np.where(growing, slope * (seconds - to_cap), 0.0)
    in_time = rate * good
    stopped = capacity <= 0
    in_time[stopped], refused[stopped] = 0.0, rate[stopped] * seconds
    served.in_time[rows] = in_time
    served.late[rows] = np.maximum(rate * seconds - in_time - refused, 0.0) - spilled
    served.refused[rows] = refused + spilled
    served.queue[rows] = np.where(stopped, 0.0, np.clip(held + slope * seconds, 0.0, cap))


def late_table(deadline: float, pod_qps: float) -> np.ndarray:
    """Share of requests that wait too long at one pod though the load is below capacity: row by
    number of pods (SIZES), column by load (0 to 1 in GRID steps).

    Poisson arrivals dealt round robin to n pods reach each as an Erlang-n process; with a constant
    service time the wait's tail falls as exp(-theta t), theta the root of E[exp(theta (service -
    gap))] = 1 (Kingman's bound, exact in its exponent).
    """
    service = 1.0 / pod_qps
    room = max(deadline - service, 0.0)
    table = np.zeros((len(SIZES), GRID))
    for row, size in enumerate(SIZES):
        for column in range(1, GRID):
            load = column / (GRID - 1)
            table[row, column] = np.exp(-_theta(size, load) / service * room) if load < 1 else 1.0
    return table


def _theta(size: int, load: float) -> float:
    """Root of x = size ln(1 + x / (size load)), x > 0, by halving."""
    low, high = 1e-9, 1.0
    while high < size * np.log1p(high / (size * load)):
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if middle < size * np.log1p(middle / (size * load)) else (low, middle)
        )
    return low


def late_share(
    table: np.ndarray, rate: np.ndarray, capacity: np.ndarray, pods: np.ndarray
) -> np.ndarray:
    """The share of `late_table` for each simulation; 0 where load is above capacity, which the
    fluid queue counts.
    """
    load = np.divide(rate, capacity, out=np.zeros_like(rate), where=capacity > 0)
    column = np.minimum((load * (GRID - 1)).astype(np.int64), GRID - 1)
    row = np.searchsorted(SIZES, np.maximum(pods, 1), side="right") - 1
    return np.where(load < 1.0, table[row, column], 0.0)
