"""Judges a drill from its recorded run; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from ops.report import figures
from ops.report.run import Run

BOUNDS = {300: 1.0, 120: 0.985, 0: 0.965}
"""Share of requests that must be answered in time in the hour after all preemptible nodes were
lost, by seconds of notice.
"""


@dataclass(frozen=True)
class Verdict:
    """Result lines for the terminal, and whether the drill was passed."""

    lines: list[str]
    passed: bool


def of_loss(
    run: Run, begin: float, lost: int, notice: float, demand_qps: float, left: str = ""
) -> Verdict:
    """Verdict on all preemptible nodes lost at `begin` (modelled seconds) with `notice` seconds of
    notice; `left`: what a drain could not move in that time.
    """
    after = run.between(begin)
    found, served = figures.requests(after), figures.served_next_hour(run, begin)
    short = figures.shortfall(after, demand_qps)
    bound = BOUNDS[max(known for known in BOUNDS if known <= notice)]
    lines = [
        _clock(run),
        f"{lost} preemptible nodes lost with {notice:g} s notice",
        f"{found['count']:.0f} requests since, {found['failed']:.0f} failed, {found['late']:.0f} late",
        f"{100 * served:.2f} % served in time in the hour after (wanted: {100 * bound:g} %)",
        *(f"failed: {reason}" for reason in figures.failure_reasons(after)[:3]),
        f"ready capacity {'never below demand' if short <= 0 else f'up to {short:.0f} requests per second below demand'}",
    ]
    back = figures.time_to_capacity(run, begin, demand_qps)
    lines.append(
        "capacity is not back yet"
        if back is None
        else f"capacity met demand for good after {back:.0f} s"
    )
    if left:
        lines.append(f"not drained in time: {left}")
    passed = (
        not left
        and served >= bound
        and back is not None
        and (bound < 1 or (found["failed"] == 0 and short <= 0))
    )
    return Verdict(lines, passed)


def _clock(run: Run) -> str:
    return f"clock factor {run.clock:g}: times are modelled seconds, {run.clock:g} of them in one of the wall"


def of_outage(run: Run, begin: float) -> Verdict:
    """Verdict on a metric that failed from `begin` on: no pod may be removed meanwhile."""
    wanted = [row["pods"]["desired"] for row in run.between(begin).samples]
    failed = figures.requests(run.between(begin))["failed"]
    lines = [
        _clock(run),
        f"wanted pods {wanted[0]} at the beginning, at least {min(wanted)} during the outage",
        f"{failed:.0f} requests failed",
    ]
    return Verdict(lines, min(wanted) >= wanted[0] and failed == 0)
