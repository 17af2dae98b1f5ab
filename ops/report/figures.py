"""Every figure of a run, as pure functions. Times are modelled seconds, rates wall requests per
second, money CNY.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ops.report.run import Run

HOUR = 3600.0


def share(samples: Sequence[dict[str, Any]], least_nodes: int = 1) -> tuple[float, float] | None:
    """(lowest, highest) on-demand share of billed instances while there were at least so many; None
    if there never were.
    """
    shares = [
        row["billed"]["on_demand"] / total
        for row in samples
        if (total := row["billed"]["on_demand"] + row["billed"]["spot"]) >= max(1, least_nodes)
    ]
    return (min(shares), max(shares)) if shares else None


def requests(run: Run) -> dict[str, float]:
    """How many requests, failed ones, late ones, and the shares answered in time and answered at
    all.
    """
    count, failed, late = (
        sum(row[name] for row in run.requests) for name in ("count", "failed", "late")
    )
    in_time, answered = (
        ((count - failed - late) / count, (count - failed) / count) if count else (1.0, 1.0)
    )
    return {
        "count": count,
        "failed": failed,
        "late": late,
        "in_time": in_time,
        "answered": answered,
    }


def failure_reasons(run: Run) -> list[str]:
    """Why requests failed, the most frequent first, as "41 x 502 Bad Gateway"; a run that was read
    from an ingress log knows none.
    """
    counts: Counter[str] = Counter()
    for row in run.requests:
        counts.update(row.get("reasons", {}))
    return [f"{count} x {reason}" for reason, count in counts.most_common()]


def served_next_hour(run: Run, begin: float) -> float:
    """Share of requests answered in time in the hour from `begin` on.

    A run that ends earlier counts as continuing like its last tenth for the rest of the hour; the
    caller lets it end when it has recovered.
    """
    return _next_hour(run, begin, "in_time")


def answered_next_hour(run: Run, begin: float, demand_qps: float) -> float:
    """Share of the requests of the hour from `begin` on that were answered without an error, late
    ones too; see `served_next_hour`.

    Users who wait for answers ask less while capacity is short of demand: what they would have
    asked counts as not answered.
    """
    unasked = _unasked(run.between(begin, begin + HOUR), demand_qps) / (
        demand_qps * HOUR / run.clock
    )
    return _next_hour(run, begin, "answered") - unasked


def _unasked(run: Run, demand_qps: float) -> float:
    """Requests that a steady demand would have had more than were sent, over the seconds in which
    capacity was short.
    """
    short = {int(row["t"] / run.clock) for row in run.samples if row["capacity_qps"] < demand_qps}
    sent = [row["count"] for row in run.requests if int(row["t"] / run.clock) in short]
    return max(0.0, demand_qps * len(sent) - sum(sent))


def _next_hour(run: Run, begin: float, what: str) -> float:
    end = max((row["t"] for row in run.requests), default=begin)
    watched = min(end, begin + HOUR) - begin
    if watched <= 0:
        return 1.0
    last = requests(run.between(end - watched / 10))[what]
    return (
        requests(run.between(begin, begin + HOUR))[what] * watched + last * (HOUR - watched)
    ) / HOUR


def shortfall(run: Run, demand_qps: float) -> float:
    """The largest number of requests per second that ready capacity was below demand, at any
    sample; 0 if never.
    """
    return (
        max((demand_qps - row["capacity_qps"] for row in run.samples), default=0.0)
        if run.samples
        else 0.0
    )


def time_to_capacity(run: Run, begin: float, demand_qps: float) -> float | None:
    """Seconds from `begin` until ready capacity reached demand for good; None if it did not."""
    after = [row for row in run.samples if row["t"] >= begin]
    low = [row["t"] for row in after if row["capacity_qps"] < demand_qps]
    if not after or (low and low[-1] == after[-1]["t"]):
        return None
    return next(row["t"] for row in after if not low or row["t"] > low[-1]) - begin


def climbs(run: Run) -> list[dict[str, Any]]:
    """Each time more pods were wanted than before: when, from how many to how many, and after how
    many seconds they were ready.

    Wanting still more before they are ready is the same climb. `seconds` is None for one that had
    not ended when the run did.
    """
    found_climbs: list[dict[str, Any]] = []
    climb: dict[str, Any] | None = None
    for before, row in zip(run.samples, run.samples[1:], strict=False):
        desired = row["pods"]["desired"]
        if climb is None and desired > before["pods"]["desired"] and row["pods"]["ready"] < desired:
            climb = {
                "t": row["t"],
                "from": before["pods"]["desired"],
                "to": desired,
                "seconds": None,
            }
            found_climbs.append(climb)
        if climb is not None:
            climb["to"] = max(climb["to"], desired)
            if row["pods"]["ready"] >= desired:
                climb["seconds"] = row["t"] - climb["t"]
                climb = None
    return found_climbs


def wanted_share(run: Run) -> tuple[float, float] | None:
    """The band in which the on-demand share should be, by the stack's settings; None where the pool
    buys no preemptible instances.
    """
    pool = (run.meta.get("settings") or {}).get("elastic-inference:nodePool") or {}
    if pool.get("spotStrategy") == "NoSpot" or pool.get("onDemandBase"):
        return None
    percent = float(pool.get("onDemandPercent", 30))
    points = float(
        ((run.meta.get("settings") or {}).get("elastic-inference:mix") or {}).get("points", 4)
    )
    return percent / 100, (percent + points) / 100


def direction_changes(run: Run) -> int:
    """How often the number of wanted pods turned from growing to shrinking or back."""
    wanted = [row["pods"]["desired"] for row in run.samples]
    moves = [after > before for before, after in itertools.pairwise(wanted) if after != before]
    return sum(one != other for one, other in itertools.pairwise(moves))


def cost(run: Run) -> dict[str, float]:
    """CNY of the run, CNY had every instance been on demand, the saving, and instance hours."""
    spent = full = hours = 0.0
    for row, following in zip(run.samples, run.samples[1:], strict=False):
        span = (following["t"] - row["t"]) / HOUR
        billed = row["billed"]
        spent += billed["cny_per_hour"] * span
        full += billed["cny_per_hour_on_demand"] * span
        hours += (billed["spot"] + billed["on_demand"]) * span
    return {
        "cny": spent,
        "cny_on_demand": full,
        "saving": 1 - spent / full if full else 0.0,
        "instance_hours": hours,
    }


def replaced_after(run: Run, pods: int) -> list[float]:
    """For each of the pods that ran on the nodes that went (one a node), seconds until one was
    created in its place; sorted.

    Events don't tell which nodes were empty: the first to go count as those with pods, so that no
    wait is shown too short.
    """
    created = iter(sorted(event["t"] for event in run.events if event["kind"] == "pod created"))
    gone = sorted(event["t"] for event in run.events if event["kind"] == "node gone")[:pods]
    return sorted(
        next((moment for moment in created if moment >= lost), math.inf) - lost for lost in gone
    )


def interruptions(run: Run) -> int:
    """Number of reclaim notices that nodes received."""
    return sum(event["kind"] == "node notice" for event in run.events)


def peak(run: Run) -> dict[str, int]:
    """Largest numbers of ready pods and ready nodes at any sample."""
    pods = max((row["pods"]["ready"] for row in run.samples), default=0)
    nodes = max((row["nodes"]["ready"] for row in run.samples), default=0)
    return {"pods": pods, "nodes": nodes}


def summary(run: Run) -> dict[str, Any]:
    """All figures of a run, as the terminal and the JSON show them."""
    band = share(run.samples, 20)
    times = [row[name] for row in run.requests for name in ("p99",)]
    return {
        "clock": run.clock,
        "modelled_seconds": run.samples[-1]["t"] if run.samples else 0.0,
        "requests": requests(run),
        "worst_p99_seconds": max(times, default=0.0),
        "peak": peak(run),
        "on_demand_share_at_20_nodes": list(band) if band else None,
        "cost": cost(run),
        "climbs": climbs(run),
        "interruptions": interruptions(run),
        "direction_changes": direction_changes(run),
    }
