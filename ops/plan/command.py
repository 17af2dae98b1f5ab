"""The planning command: simulates the candidates; prints, draws and writes the figures."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ops.plan import inputs, outcome, rundir, stackfile
from ops.plan.baselines import baselines
from ops.plan.candidate import Candidate
from ops.plan.keys import PRIVATE, candidate
from ops.plan.outcome import Row
from ops.plan.picture import draw
from ops.plan.plan_request import PlanRequest, stack_path
from ops.plan.simulate import Run
from ops.plan.trace import Trace


def plan(options: argparse.Namespace) -> int:
    """Simulate all candidates and choose one. Returns the exit code; raises PlanError."""
    request = PlanRequest(options)
    if options.export:
        return _export(request.load, options.export)
    peers = _peers(request) if options.baselines else []
    twins = {outcome.twin_key(c): outcome.twin(c) for c in [*request.candidates, *peers] if c.spot}
    everyone = [*request.candidates, *peers, *twins.values()]
    begun = time.monotonic()
    run = _run(request, everyone)
    totals = run.go(None if options.quiet else _progress)
    rows = outcome.rows(totals, [*request.candidates, *peers], request.load, request.parameters)
    candidate_rows, peer_rows = rows[: len(request.candidates)], rows[len(request.candidates) :]
    frontier, chosen = (
        outcome.frontier(candidate_rows),
        outcome.choose(candidate_rows, options.slo / 100),
    )
    print(_head(request, len(everyone), time.monotonic() - begun))
    print(
        "\nfrontier (cheapest first; < is chosen):\n"
        + outcome.table(
            frontier if chosen in frontier or chosen is None else [*frontier, chosen], chosen
        )
    )
    if peer_rows:
        print("\npeers in the same simulation:\n" + outcome.table(peer_rows))
    _files(request, candidate_rows, frontier, chosen, peer_rows)
    return _verdict(request, candidate_rows, chosen)


def _run(request: PlanRequest, candidates: Sequence[Candidate], **more: Any) -> Run:
    options = request.options
    arguments = {
        "scenario": options.market, "seeds": options.seeds, "first_seed": options.first_seed, "step": options.step,
        "disturbances": request.disturbances, **more,
    }  # fmt: skip
    return Run(candidates, request.load, request.parameters, **arguments)


def _peers(request: PlanRequest) -> list[Candidate]:
    like, _ = candidate(
        inputs.resolved(
            {**request.base, "nodePool.maxSize": "auto", "autoscaler.maxReplicas": "auto"},
            request.load,
        ),
        "peers",
    )
    if not request.base:
        like = replace(like, target_qps=math.floor(0.7 * request.parameters.pod_qps))
    return baselines(like, request.load)


def _head(request: PlanRequest, simulations: int, took: float) -> str:
    load, options, parameters = request.load, request.options, request.parameters
    shares = sorted(
        {
            f"{parameters.spot_price(k) / parameters.prices[k]:g}"
            for c in request.candidates
            for k in c.spot_types(parameters)
        }
    )
    return (
        f"load {load.name}: {load.seconds / 3600:.1f} h, highest minute {load.peak:.0f}, mean {load.mean:.0f} requests/s; "
        f"a pod serves {parameters.pod_qps:g}\n"
        f"market {options.market}; prices of {request.table.date} ({request.table.source}), preemptible at {', '.join(shares)} of them\n"
        f"{len(request.candidates)} candidates, {simulations} simulations x {options.seeds} seeds of {options.step:g} s steps in {took:.1f} s"
    )


def _verdict(request: PlanRequest, rows: list[Row], chosen: Row | None) -> int:
    options = request.options
    if chosen is None:
        best = max(rows, key=lambda r: r.slo_worst)
        print(
            f"\nno candidate keeps {options.slo:g} % in time in the worst seed; the best is {100 * best.slo_worst:.3f} % ({best.name}).\n"
            "  remedy: more headroom, a lower target, floors for the known hours; or a lower --slo"
        )
        return 1
    print(
        f"\nchosen: {chosen.name}: {chosen.cost:.0f} CNY, {chosen.relative_static:.3f} of a static on-demand fleet"
    )
    settings = {
        key: value
        for key, value in chosen.settings.items()
        if request.base.get(key) != value and key not in PRIVATE
    }
    if options.write:
        changes = stackfile.write(stack_path(options.write), settings)
        print(
            f"Pulumi.{options.write}.yaml: "
            + ("; ".join(changes) if changes else "nothing to change")
        )
    else:
        print("\n".join(stackfile.commands(settings, options.stack)))
    return 0


def _files(
    request: PlanRequest, rows: list[Row], frontier: list[Row], chosen: Row | None, peers: list[Row]
) -> None:
    options = request.options
    if options.picture:
        title = f"{request.load.name}, {request.load.seconds / 3600:.0f} h, peak {request.load.peak:.0f}/s, market {options.market}, {options.seeds} seeds"
        draw(options.picture, rows, frontier, chosen, peers, options.slo / 100, title)
    if options.json:
        load = {
            "name": request.load.name,
            "seconds": request.load.seconds,
            "peak": request.load.peak,
            "mean": request.load.mean,
        }
        document = {
            "load": load, "market": options.market, "slo": options.slo, "seeds": options.seeds,
            "prices": {"date": request.table.date, "source": request.table.source}, "chosen": chosen.as_dict() if chosen else None,
            "frontier": [r.as_dict() for r in frontier], "candidates": [r.as_dict() for r in rows], "peers": [r.as_dict() for r in peers],
        }  # fmt: skip
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.record and chosen:
        best = request.candidates[rows.index(chosen)]
        again = _run(request, [best], seeds=1, record=True)
        meta = {
            "stack": options.stack or "", "profile": request.load.name, "seed": options.first_seed, "scenario": options.market,
            "prices": {"date": request.table.date, "source": request.table.source, "cny_per_hour": request.table.on_demand},
        }  # fmt: skip
        rundir.write(options.record, again, again.go(), 0, meta)


def _export(load: Trace, path: Path) -> int:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seconds", "qps"])
        writer.writerows(
            [(f"{t:g}", f"{r:.4f}") for t, r in zip(load.times, load.rates, strict=True)]
        )
    print(f"{path}: {len(load.times)} rates of {load.seconds / 3600:g} h")
    return 0


def _progress(share: float) -> None:
    print(
        f"\rsimulating: {100 * share:3.0f} %",
        end="" if share < 0.98 else "\n",
        file=sys.stderr,
        flush=True,
    )
