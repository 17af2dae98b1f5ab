"""A batch: the settings of all simulations of one run as arrays. Each row is one simulation, that
is one candidate with one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interruption_handler.pool_sizing import on_demand_nodes, smallest_pool_with
from ops.plan.candidate import Candidate
from ops.plan.model_parameters import ModelParameters

DRAWS = 8192
"""Random numbers for each seed; a simulation that needs more starts again from the first."""
Array = np.ndarray


@dataclass
class Batch:
    """Arrays of `count` rows; names as in the stack's settings. Times are modelled seconds."""

    candidates: list[Candidate]
    candidate: Array
    """Index into `candidates`."""
    seed: Array
    """Index of the seed (0 ... seeds-1)."""
    draws: Array
    """Random numbers of [0, 1), seeds × DRAWS: all candidates get the same numbers, and a
    candidate's result doesn't depend on the others.
    """
    min_size: Array
    max_size: Array
    on_demand_table: Array
    """rows × (largest max_size + 1): pay-as-you-go nodes that the pool wants among so many."""
    on_demand_rank: Array
    """rows × (largest max_size + 1): the smallest pool in which the mix has so many pay-as-you-go
    nodes.
    """
    spot_rank: Array
    """The same for preemptible nodes."""
    spot: Array
    """Whether the pool buys preemptible nodes."""
    compensate: Array
    """Whether it buys pay-as-you-go nodes when preemptible ones are out of stock."""
    remedy: Array
    """Whether ACK orders a replacement for a node under notice."""
    handler: Array
    """Whether the interruption handler runs."""
    mix: Array
    """Whether the handler keeps the mix."""
    mix_points: Array
    mix_after: Array
    headroom: Array
    drain: Array
    """Seconds before a node's end at which the handler deletes the pods still there."""
    gpu_wait: Array
    """Seconds for which the node scaler lets a pod wait before it orders a node."""
    look: Array
    """Seconds between two looks for waiting pods."""
    scan: Array
    """Seconds between two looks for empty nodes."""
    unneeded: Array
    """Seconds for which a node must be empty before it is released."""
    on_demand_price: Array
    """CNY per hour of the cheapest type."""
    spot_price: Array
    """rows × types, CNY per hour; inf where the candidate doesn't use that many types."""
    list_price: Array
    """The pay-as-you-go price of the same types."""

    @property
    def count(self) -> int:
        """How many simulations there are."""
        return len(self.candidate)

    def wanted_on_demand(self, rows: Array, total: Array) -> Array:
        """Pay-as-you-go nodes that the pools of `rows` want among `total` nodes."""
        return self.on_demand_table[rows, total]


def build(
    candidates: Sequence[Candidate], seeds: int, parameters: ModelParameters, first_seed: int = 0
) -> Batch:
    """A batch of every candidate with every seed; seeds vary fastest."""
    per_row = [candidate for candidate in candidates for _ in range(seeds)]
    slots = max(candidate.max_size for candidate in candidates)
    on_demand_table, on_demand_rank, spot_rank = _mix_tables(per_row, slots, parameters.rounding)
    spot_price, list_price = _prices(per_row, parameters)

    def column(read, dtype=float) -> Array:  # type: ignore[no-untyped-def]
        """One value for each row."""
        return np.array([read(candidate) for candidate in per_row], dtype=dtype)

    draws = [np.random.default_rng([7, first_seed + s]).random(DRAWS) for s in range(seeds)]
    scan = column(lambda c: 1.0 if c.policy == "skyserve" else c.scan_seconds)
    return Batch(
        candidates=list(candidates),
        candidate=np.repeat(np.arange(len(candidates)), seeds),
        seed=np.tile(np.arange(seeds), len(candidates)),
        draws=np.array(draws),
        min_size=column(lambda c: c.min_size, int),
        max_size=column(lambda c: c.max_size, int),
        on_demand_table=on_demand_table,
        on_demand_rank=on_demand_rank,
        spot_rank=spot_rank,
        spot=column(lambda c: c.spot, bool),
        compensate=column(lambda c: c.compensate, bool),
        remedy=column(lambda c: c.remedy, bool),
        handler=column(lambda c: c.handler, bool),
        mix=column(lambda c: c.handler and c.mix, bool),
        mix_points=column(lambda c: c.mix_points),
        mix_after=column(lambda c: c.mix_after * parameters.clock),
        headroom=column(lambda c: c.headroom, int),
        drain=column(lambda c: c.drain * parameters.clock),
        gpu_wait=column(lambda c: _gpu_wait(c, parameters)),
        look=np.ones_like(scan) if parameters.scan_on_events else scan,
        scan=scan,
        unneeded=column(lambda c: c.unneeded_seconds),
        on_demand_price=column(
            lambda c: parameters.prices[parameters.ranked(c.instance_types, spot=False)[0]]
        ),
        spot_price=spot_price,
        list_price=list_price,
    )


def _mix_tables(
    candidates: Sequence[Candidate], slots: int, rounding: str
) -> tuple[Array, Array, Array]:
    """The rules of interruption_handler.pool_sizing for every pool size up to `slots`."""
    sizes = range(slots + 1)
    rows: dict[tuple[int, int], tuple[list[int], list[int], list[int]]] = {}
    for candidate in candidates:
        base, percent = candidate.on_demand_base, candidate.on_demand_percent
        if (base, percent) not in rows:
            rows[base, percent] = (
                [on_demand_nodes(size, base, percent, rounding) for size in sizes],
                [smallest_pool_with(size, base, percent, spot=False) for size in sizes],
                [smallest_pool_with(size, base, percent, spot=True) for size in sizes],
            )
    tables = [rows[c.on_demand_base, c.on_demand_percent] for c in candidates]
    wanted = [
        table[0] if candidate.spot else list(sizes)
        for table, candidate in zip(tables, candidates, strict=True)
    ]
    return (
        np.array(wanted, np.int64),
        np.array([table[1] for table in tables], np.int64),
        np.array([table[2] for table in tables], np.int64),
    )


def _prices(candidates: Sequence[Candidate], parameters: ModelParameters) -> tuple[Array, Array]:
    """Preemptible and pay-as-you-go prices of the types over which each candidate's preemptible
    nodes are spread.
    """
    types_of = [candidate.spot_types(parameters) for candidate in candidates]
    spot = np.full((len(types_of), max(map(len, types_of))), np.inf)
    full = spot.copy()
    for row, types in enumerate(types_of):
        spot[row, : len(types)] = [parameters.spot_price(name) for name in types]
        full[row, : len(types)] = [parameters.prices[name] for name in types]
    return spot, full


def _gpu_wait(candidate: Candidate, parameters: ModelParameters) -> float:
    if candidate.policy == "skyserve":
        return 0.0
    return parameters.quick_buffer if candidate.quick else parameters.gpu_buffer
