"""The settings of all simulations of one run as arrays: one entry per lane, a lane being one
candidate with one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ops.plan.candidate import Candidate
from ops.plan.world import World

DRAWS = 8192
Array = np.ndarray


@dataclass
class Lanes:
    """Arrays of `count` entries; names as in the stack's settings."""

    candidates: list[Candidate]
    candidate: Array
    """Index into `candidates`."""
    seed: Array
    """Index of the seed (0 ... seeds-1)."""
    table: Array
    """Random numbers of [0, 1) by seed: all candidates meet the same luck, and a candidate's result
    doesn't depend on the others.
    """
    min_size: Array
    max_size: Array
    base: Array
    percent: Array
    spot: Array
    compensate: Array
    remedy: Array
    handler: Array
    mix: Array
    mix_points: Array
    mix_after: Array
    fallback: Array
    headroom: Array
    drain: Array
    """Seconds before a node's end when the handler deletes what still serves there."""
    buffer: Array
    look: Array
    """Seconds between two looks for waiting pods."""
    scan: Array
    """Seconds between two looks for empty nodes."""
    unneeded: Array
    od_price: Array
    spot_price: Array
    """lanes × types, inf where the candidate doesn't use that many types."""
    list_price: Array
    """The same types on demand."""

    @property
    def count(self) -> int:
        """Number of lanes."""
        return len(self.candidate)


def build(candidates: Sequence[Candidate], seeds: int, world: World, first_seed: int = 0) -> Lanes:
    """Lanes for every candidate with every seed; seeds vary fastest."""
    all_of = [c for c in candidates for _ in range(seeds)]
    spot_price, list_price = _prices(all_of, world)

    def column(read, kind=float) -> Array:  # type: ignore[no-untyped-def]
        """One value for each lane."""
        return np.array([read(c) for c in all_of], dtype=kind)

    tables = [np.random.default_rng([7, first_seed + s]).random(DRAWS) for s in range(seeds)]
    return Lanes(
        candidates=list(candidates),
        candidate=np.repeat(np.arange(len(candidates)), seeds),
        seed=np.tile(np.arange(seeds), len(candidates)),
        table=np.array(tables),
        min_size=column(lambda c: c.min_size, int),
        max_size=column(lambda c: c.max_size, int),
        base=column(lambda c: c.on_demand_base, int),
        percent=column(lambda c: c.on_demand_percent),
        spot=column(lambda c: c.spot, bool),
        compensate=column(lambda c: c.compensate, bool),
        remedy=column(lambda c: c.remedy, bool),
        handler=column(lambda c: c.handler, bool),
        mix=column(lambda c: c.handler and c.mix, bool),
        mix_points=column(lambda c: c.mix_points),
        mix_after=column(lambda c: c.mix_after * world.clock),
        fallback=column(lambda c: c.policy == "skyserve", bool),
        headroom=column(lambda c: c.headroom, int),
        drain=column(lambda c: c.drain * world.clock),
        buffer=column(lambda c: _buffer(c, world)),
        look=column(
            lambda c: 1.0 if world.scan_on_events or c.policy == "skyserve" else c.scan_seconds
        ),
        scan=column(lambda c: 1.0 if c.policy == "skyserve" else c.scan_seconds),
        unneeded=column(lambda c: c.unneeded_seconds),
        od_price=column(lambda c: world.prices[world.ranked(c.instance_types, False)[0]]),
        spot_price=spot_price,
        list_price=list_price,
    )


def _prices(candidates: Sequence[Candidate], world: World) -> tuple[Array, Array]:
    """Preemptible and on-demand prices of the types each candidate's preemptible nodes are spread
    over.
    """
    kinds = [c.spot_types(world) for c in candidates]
    spot = np.full((len(kinds), max(map(len, kinds))), np.inf)
    full = spot.copy()
    for lane, own in enumerate(kinds):
        spot[lane, : len(own)] = [world.spot_price(kind) for kind in own]
        full[lane, : len(own)] = [world.prices[kind] for kind in own]
    return spot, full


def _buffer(candidate: Candidate, world: World) -> float:
    if candidate.policy == "skyserve":
        return 0.0
    return world.quick_buffer if candidate.quick else world.gpu_buffer
