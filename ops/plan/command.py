"""The planning command: candidates simulated, figures printed, drawn and written."""

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

from ops.plan import inputs, outcome, stackfile
from ops.plan.candidate import Candidate
from ops.plan.job import Job, stack_path
from ops.plan.keys import PRIVATE, candidate
from ops.plan.outcome import Row
from ops.plan.simulate import Run
from ops.plan.trace import Trace


def plan(options: argparse.Namespace) -> int:
    """Simulate all candidates and say which to take."""
    job = Job(options)
    if options.export:
        return _export(job.load, options.export)
    peers = _peers(job) if options.baselines else []
    twins = {outcome.twin_key(c): outcome.twin(c) for c in [*job.candidates, *peers] if c.spot}
    everyone = [*job.candidates, *peers, *twins.values()]
    begun = time.monotonic()
    run = _run(job, everyone)
    totals = run.go(None if options.quiet else _progress)
    found = outcome.rows(totals, [*job.candidates, *peers], job.load, job.world)
    own, others = found[: len(job.candidates)], found[len(job.candidates) :]
    kept, chosen = outcome.frontier(own), outcome.choose(own, options.slo / 100)
    print(_head(job, len(everyone), time.monotonic() - begun))
    print(
        "\nfrontier (cheapest first; < is chosen):\n"
        + outcome.table(kept if chosen in kept or chosen is None else [*kept, chosen], chosen)
    )
    if others:
        print("\npeers in the same simulation:\n" + outcome.table(others))
    _files(job, own, kept, chosen, others)
    return _verdict(job, own, chosen)


def _run(job: Job, candidates: Sequence[Candidate], **more: Any) -> Run:
    options = job.options
    given = {
        "scenario": options.market, "seeds": options.seeds, "first_seed": options.first_seed, "step": options.step,
        "disturbances": job.disturbances, **more,
    }  # fmt: skip
    return Run(candidates, job.load, job.world, **given)


def _peers(job: Job) -> list[Candidate]:
    from ops.plan.baselines import baselines

    like, _ = candidate(
        inputs.resolved(
            {**job.base, "nodePool.maxSize": "auto", "autoscaler.maxReplicas": "auto"},
            job.load,
            job.world,
        ),
        "peers",
    )
    if not job.base:
        like = replace(like, target_qps=math.floor(0.7 * job.world.pod_qps))
    return baselines(like, job.load)


def _head(job: Job, simulations: int, took: float) -> str:
    load, options, world = job.load, job.options, job.world
    shares = sorted(
        {
            f"{world.spot_price(k) / world.prices[k]:g}"
            for c in job.candidates
            for k in c.spot_types(world)
        }
    )
    return (
        f"load {load.name}: {load.seconds / 3600:.1f} h, highest minute {load.peak:.0f}, mean {load.mean:.0f} requests/s; "
        f"a pod serves {world.pod_qps:g}\n"
        f"market {options.market}; prices of {job.table.date} ({job.table.source}), preemptible at {', '.join(shares)} of them\n"
        f"{len(job.candidates)} candidates, {simulations} simulations x {options.seeds} seeds of {options.step:g} s steps in {took:.1f} s"
    )


def _verdict(job: Job, own: list[Row], chosen: Row | None) -> int:
    options = job.options
    if chosen is None:
        best = max(own, key=lambda r: r.slo_worst)
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
        if job.base.get(key) != value and key not in PRIVATE
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


def _files(job: Job, own: list[Row], kept: list[Row], chosen: Row | None, peers: list[Row]) -> None:
    options = job.options
    if options.picture:
        from ops.plan.picture import draw

        title = f"{job.load.name}, {job.load.seconds / 3600:.0f} h, peak {job.load.peak:.0f}/s, market {options.market}, {options.seeds} seeds"
        draw(options.picture, own, kept, chosen, peers, options.slo / 100, title)
    if options.json:
        load = {
            "name": job.load.name,
            "seconds": job.load.seconds,
            "peak": job.load.peak,
            "mean": job.load.mean,
        }
        document = {
            "load": load, "market": options.market, "slo": options.slo, "seeds": options.seeds,
            "prices": {"date": job.table.date, "source": job.table.source}, "chosen": chosen.plain() if chosen else None,
            "frontier": [r.plain() for r in kept], "candidates": [r.plain() for r in own], "peers": [r.plain() for r in peers],
        }  # fmt: skip
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.record and chosen:
        from ops.plan import rundir

        best = job.candidates[own.index(chosen)]
        again = _run(job, [best], seeds=1, record=True)
        meta = {
            "stack": options.stack or "", "profile": job.load.name, "seed": options.first_seed, "scenario": options.market,
            "prices": {"date": job.table.date, "source": job.table.source, "cny_per_hour": job.table.on_demand},
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
