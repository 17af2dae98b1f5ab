"""Writes a simulation as a run directory, in the recorder's format, so that the same report draws
both.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ops.plan.model_parameters import ModelParameters
from ops.plan.simulate import Run, Totals


def write(path: Path, run: Run, totals: Totals, simulation: int, meta: dict[str, Any]) -> None:
    """Write one simulation of a recorded batch to the directory `path`; creates it if missing."""
    path.mkdir(parents=True, exist_ok=True)
    parameters, candidate = run.parameters, run.batch.candidates[run.batch.candidate[simulation]]
    first = float(meta.get("started") or time.time())
    document = {
        "kind": "simulation", "clock": parameters.clock, "started": first, "pod_qps": parameters.pod_qps, "settings": dict(candidate.settings),
        "totals": _totals(totals, simulation),
        **{name: meta.get(name, other) for name, other in (("stack", ""), ("profile", ""), ("seed", 0), ("scenario", ""), ("prices", {}))},
    }  # fmt: skip
    (path / "meta.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    every = max(1, round(parameters.clock / run.step))
    series = {name: values[:, simulation] for name, values in totals.history.items()}
    with (path / "samples.jsonl").open("w") as file:
        for index in range(0, run.steps, every):
            file.write(json.dumps(_sample(series, index, run.step, first, parameters)) + "\n")
    with (path / "requests.jsonl").open("w") as file:
        for index in range(0, run.steps, every):
            part = slice(index, index + every)
            bad = series["refused"][part].sum() + series["lost_requests"][part].sum()
            wait = float(series["wait"][part].max())
            counts = {
                "count": series["requests"][part].sum(),
                "failed": bad,
                "late": series["late"][part].sum(),
            }
            row = {"t": index * run.step, **counts, "p50": wait, "p95": wait, "p99": wait}
            file.write(
                json.dumps({name: round(float(value), 3) for name, value in row.items()}) + "\n"
            )
    (path / "events.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in _events(run, simulation))
    )


def _sample(
    series: dict[str, np.ndarray],
    index: int,
    step: float,
    first: float,
    parameters: ModelParameters,
) -> dict[str, Any]:
    def whole(name: str) -> int:
        """A count at this moment."""
        return int(series[name][index])

    t, spot = index * step, whole("nodes") - whole("on_demand")
    ready, ready_spot, up = whole("ready"), whole("ready_spot"), whole("nodes") - whole("booting")
    paid = {
        "cny_per_hour": round(float(series["cost"][index]), 6),
        "cny_per_hour_on_demand": round(float(series["list"][index]), 6),
    }
    return {
        "t": round(t, 3),
        "wall": round(first + t / parameters.clock, 3),
        "pods": {
            "desired": whole("desired"), "total": whole("desired"), "ready": ready, "ready_spot": ready_spot,
            "ready_on_demand": ready - ready_spot, "pending": whole("waiting"), "detached": whole("detached"),
        },
        "nodes": {
            "ready": up, "spot": whole("up_spot"), "on_demand": up - whole("up_spot"), "expiring": whole("expiring"),
            "booting": whole("booting"),
        },
        "hpa": {"current": whole("desired"), "desired": whole("desired"), "metric": whole("metric")},
        "ingress_qps": round(float(series["rate"][index]), 3),
        "capacity_qps": round(ready * parameters.pod_qps, 3),
        "billed": {"spot": spot, "on_demand": whole("on_demand"), **paid},
    }  # fmt: skip


def _totals(totals: Totals, simulation: int) -> dict[str, float]:
    names = (
        "requests",
        "in_time",
        "late",
        "refused",
        "lost_requests",
        "queued",
        "cost",
        "cost_spot",
        "node_seconds",
        "on_demand_seconds",
    )
    return {name: round(float(getattr(totals, name)[simulation]), 6) for name in names}


def _events(run: Run, simulation: int) -> list[dict[str, Any]]:
    market = run.markets[int(run.batch.seed[simulation])]
    words = {"kill": "reclaim", "out": "stock-out", "back": "stock-back"}
    return [
        {
            "t": e.at,
            "kind": words[e.effect],
            "detail": {"share": e.share, "zone": e.zone, "type": e.type, "notice": e.notice},
        }
        for e in market.events
    ]
