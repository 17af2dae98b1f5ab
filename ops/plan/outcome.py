"""The outcome: one row per candidate, the frontier, and the cheapest candidate that keeps the
promise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ops.plan.candidate import Candidate
from ops.plan.model_parameters import ModelParameters
from ops.plan.simulate import Totals
from ops.plan.trace import Trace


@dataclass(frozen=True)
class Row:
    """One candidate's figures over all seeds. Shares are of 1; money is CNY for the whole trace."""

    name: str
    cost: float
    """Median."""
    cost_worst: float
    relative_static: float
    """Cost over that of a static fleet, on demand, sized for the highest minute at this candidate's
    target.
    """
    relative_on_demand: float
    """Cost over that of the same autoscaler with on-demand nodes only."""
    slo: float
    """Requests answered in time, median."""
    slo_worst: float
    on_demand_share: float
    """Of node-hours, median."""
    nodes: float
    """Mean."""
    failed: float
    """Share of requests refused or lost with a node, median."""
    settings: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, for JSON."""
        return asdict(self)


def twin(candidate: Candidate) -> Candidate:
    """The same settings without preemptible nodes."""
    return replace(
        candidate,
        name=f"{candidate.name} (on demand only)",
        spot=False,
        mix=False,
        remedy=False,
        on_demand_base=0,
    )


def twin_key(candidate: Candidate) -> Candidate:
    """The settings that matter without preemptible nodes: candidates with equal keys have the same
    twin.
    """
    return replace(
        twin(candidate), name="", on_demand_percent=0, compensate=True, spot_pools=1, settings={}
    )


def static_cost(candidate: Candidate, trace: Trace, parameters: ModelParameters) -> float:
    """CNY that a static fleet costs: on-demand nodes for the highest minute, all the time."""
    return (
        static_pods(candidate, trace)
        * parameters.prices[parameters.ranked(candidate.instance_types, spot=False)[0]]
        * trace.seconds
        / 3600
    )


def static_pods(candidate: Candidate, trace: Trace) -> int:
    """Pods for the highest minute at the candidate's target."""
    return max(1, math.ceil(trace.peak / candidate.target_qps - 1e-9))


def rows(
    totals: Totals, candidates: Sequence[Candidate], trace: Trace, parameters: ModelParameters
) -> list[Row]:
    """The figures of `candidates`, which come first in `totals`; their twins are among the rest."""
    batch = totals.batch
    cost_of_twin = {
        twin_key(c): _of(totals.cost, batch.candidate == index)
        for index, c in enumerate(batch.candidates)
        if not c.spot
    }
    figures = []
    for index, candidate in enumerate(candidates):
        mine = batch.candidate == index
        cost, slo = totals.cost[mine], totals.slo[mine]
        beside = cost_of_twin.get(twin_key(candidate))
        figures.append(
            Row(
                name=candidate.name,
                cost=float(np.median(cost)),
                cost_worst=float(cost.max()),
                relative_static=float(np.median(cost)) / static_cost(candidate, trace, parameters),
                relative_on_demand=float(np.median(cost)) / beside if beside else math.nan,
                slo=float(np.median(slo)),
                slo_worst=float(slo.min()),
                on_demand_share=_of(
                    totals.on_demand_seconds / np.maximum(totals.node_seconds, 1e-9), mine
                ),
                nodes=_of(totals.node_seconds / totals.seconds, mine),
                failed=_of(
                    (totals.refused + totals.lost_requests) / np.maximum(totals.requests, 1e-9),
                    mine,
                ),
                settings=dict(candidate.settings),
            )
        )
    return figures


def _of(values: np.ndarray, mine: np.ndarray) -> float:
    return float(np.median(values[mine]))


def frontier(rows: Sequence[Row]) -> list[Row]:
    """Rows that no other beats in both cost and worst SLO, cheapest first."""
    best, best_rows = -1.0, []
    for row in sorted(rows, key=lambda r: (r.cost, -r.slo_worst)):
        if row.slo_worst > best + 1e-9:
            best_rows.append(row)
            best = row.slo_worst
    return best_rows


def choose(candidates: Sequence[Row], slo: float) -> Row | None:
    """The cheapest row whose worst seed keeps `slo` (a share of 1), or None."""
    good = [row for row in candidates if row.slo_worst >= slo]
    return min(good, key=lambda r: r.cost) if good else None


def table(figures: Sequence[Row], chosen: Row | None = None) -> str:
    """The rows as a table in plain text; `chosen` is marked."""
    width = max([len(r.name) for r in figures] + [9])
    head = f"{'candidate':<{width}}  {'CNY':>9}  {'of static':>9}  {'of on-dem.':>10}  {'SLO':>8}  {'worst':>8}  {'on-dem.':>7}  {'nodes':>6}"
    lines = [head]
    for r in figures:
        mark = " <" if chosen is not None and r is chosen else ""
        beside = "-" if math.isnan(r.relative_on_demand) else f"{r.relative_on_demand:.3f}"
        lines.append(
            f"{r.name:<{width}}  {r.cost:>9.0f}  {r.relative_static:>9.3f}  {beside:>10}  {_percent(r.slo):>8}  {_percent(r.slo_worst):>8}"
            f"  {100 * r.on_demand_share:>6.1f}%  {r.nodes:>6.1f}{mark}"
        )
    return "\n".join(lines)


def _percent(share: float) -> str:
    """A share in per cent, rounded down: 99.9996 % isn't 100 %."""
    return f"{math.floor(share * 100000 + 1e-6) / 1000:.3f}%"
