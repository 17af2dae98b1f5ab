"""A recorded run, as the planner needs it: its load, its events, its figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ops.plan.market import Event
from ops.plan.problems import PlanError
from ops.plan.trace import Trace
from ops.report import run as directory
from ops.report.run import Run as Recorded
from settings.core.problem import Problem

TOGETHER = 10.0
"""Modelled seconds within which notices are one event."""


@dataclass(frozen=True)
class Figures:
    """The figures by which a run and its simulation are compared."""

    cost: float
    slo: float
    nodes: float
    on_demand_share: float
    pods: float


def read(path: Path) -> Recorded:
    """Read a run directory; raises PlanError with everything that is missing, unreadable or
    empty.
    """
    try:
        return directory.read(path, needed=("samples", "requests"))
    except directory.RunError as error:
        raise PlanError([_problem(problem) for problem in error.problems]) from None


def since(run: Recorded, begin: float) -> Recorded:
    """The part from `begin` (modelled seconds) on; raises PlanError if nothing was recorded
    there.
    """
    part = run.between(begin)
    if not (part.samples and part.requests):
        last = min(float(rows[-1]["t"]) for rows in (run.samples, run.requests))
        effect, remedy = "there is nothing to compare with", "give an earlier second"
        raise PlanError(
            [
                Problem(
                    "--since", begin, f"a second of the run (it ends at {last:.0f})", effect, remedy
                )
            ]
        )
    return part


def trace_of(run: Recorded) -> Trace:
    """The load: requests counted in each wall second; a second without a row had none. Rates are
    per wall second.
    """
    seconds = np.array([round(float(row["t"]) / run.clock) for row in run.requests])
    counts = np.zeros(seconds.max() - seconds.min() + every(run))
    np.add.at(counts, seconds - seconds.min(), [float(row["count"]) for row in run.requests])
    width = every(run)
    rates = counts.reshape(-1, width).sum(axis=1) / width if len(counts) % width == 0 else counts
    step = run.clock * (width if len(rates) < len(counts) else 1)
    return Trace("recorded", np.arange(len(rates)) * step, rates, len(rates) * step, exact=True)


def every(run: Recorded) -> int:
    """Wall seconds between two rows of requests: 1, or the step of a simulation."""
    seconds = sorted({round(float(row["t"]) / run.clock) for row in run.requests})
    return max(1, int(np.diff(seconds).min())) if len(seconds) > 1 else 1


def dispersion(run: Recorded) -> float:
    """Variance of the counts from one second to the next, divided by their mean: 1 for requests at
    random, near 0 for evenly sent ones.
    """
    counts = np.array([float(row["count"]) for row in run.requests])
    return (
        float(np.mean(np.diff(counts) ** 2) / 2 / max(counts.mean(), 1e-9))
        if len(counts) > 1
        else 0.0
    )


def events_of(run: Recorded, begin: float) -> list[Event]:
    """Notices to nodes and changes of stock, as events of the market; `begin` is the load's first
    moment.
    """
    events, notices, lengths = [], [], {}
    gone = {
        str(row["detail"]): float(row["t"]) for row in run.events if row.get("kind") == "node gone"
    }
    for row in run.events:
        at, event, detail = float(row.get("t", 0.0)), str(row.get("kind", "")), row.get("detail")
        if event == "node notice":
            notices.append(at)
            lengths[at] = max(gone.get(str(detail), at + 1e9) - at, 0.0)
        elif event == "reclaim" and isinstance(detail, dict):
            length = detail.get("notice")
            events.append(
                Event(
                    at - begin,
                    "kill",
                    float(detail.get("share", 1.0)),
                    notice=None if length is None else float(length),
                    forced=True,
                )
            )
        elif event in ("stock-out", "stock-back"):
            events.append(Event(at - begin, "out" if event == "stock-out" else "back"))
    while notices:
        first = min(notices)
        group = [at for at in notices if at < first + TOGETHER]
        notices = [at for at in notices if at >= first + TOGETHER]
        spot = max(
            [row["billed"]["spot"] for row in run.samples if row["t"] <= first][-1:] or [len(group)]
        )
        length = float(np.median([lengths[at] for at in group]))
        notice = length if length < 1e6 else None
        events.append(
            Event(
                first - begin,
                "kill",
                min(1.0, len(group) / max(spot, 1)),
                notice=notice,
                forced=True,
            )
        )
    return events


def of_run(run: Recorded) -> Figures:
    """The figures of the run; each sample holds until the next."""
    times = np.array([float(s["t"]) for s in run.samples])
    gaps = np.append(np.diff(times), np.median(np.diff(times)) if len(times) > 1 else 0.0)
    begin = float(run.requests[0]["t"])
    end = float(run.requests[-1]["t"]) + run.clock
    gaps = np.where((times >= begin - 1e-9) & (times < end), gaps, 0.0)

    def over(read: Any) -> float:
        """The figure integrated over time."""
        return float(np.dot([read(s) for s in run.samples], gaps))

    whole = max(float(gaps.sum()), 1e-9)
    spot, demand = over(lambda s: s["billed"]["spot"]), over(lambda s: s["billed"]["on_demand"])
    sent = sum(float(r["count"]) for r in run.requests)
    bad = sum(float(r.get("failed", 0)) + float(r.get("late", 0)) for r in run.requests)
    return Figures(
        cost=over(lambda s: s["billed"]["cny_per_hour"]) / 3600, slo=1 - bad / max(sent, 1e-9), nodes=(spot + demand) / whole,
        on_demand_share=demand / max(spot + demand, 1e-9), pods=over(lambda s: s["pods"]["ready"]) / whole,
    )  # fmt: skip


def _problem(missing: directory.Problem) -> Problem:
    effect, remedy = (
        "there is nothing to compare with",
        "name a run directory; `make load` and `make drill` say theirs",
    )
    return Problem(f"run {missing.file}", missing.found, missing.expected, effect, remedy)
