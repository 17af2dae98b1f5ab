"""`--check RUN`: simulates trace and settings of a recorded run and compares the figures."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import yaml

from ops.plan import inputs, prices
from ops.plan.candidate import Candidate
from ops.plan.keys import KEYS, candidate
from ops.plan.market import Disturbances
from ops.plan.model_parameters import ModelParameters, Points, uniform
from ops.plan.plan_request import parameters_from_file, stack_path
from ops.plan.problems import Problems
from ops.plan.recorded import (
    Figures,
    Recorded,
    dispersion,
    events_of,
    of_run,
    read,
    since,
    trace_of,
)
from ops.plan.simulate import Run, Totals
from ops.plan.trace import Trace
from settings.core.problem import Problem

COST_BOUND = 0.03
SLO_BOUND = 0.005


def check(options: argparse.Namespace) -> int:
    """Print the figures of run and simulation with their differences. Returns 0 if cost and
    requests in time agree within the bounds, else 1. Raises PlanError.
    """
    run = since(read(options.check), options.since)
    table, wrong = prices.load(options.prices)
    problems = Problems(wrong)
    parameters, wrong = parameters_from_file(options.parameters, parameters_of(run, table))
    problems += wrong
    base: dict[str, Any] = {}
    if options.stack or run.meta.get("stack"):
        base, _, wrong = inputs.of_stack(stack_path(options.stack or run.meta["stack"]))
        problems += wrong
    settings, wrong = settings_of(run, base)
    problems += wrong
    problems.check()
    load = trace_of(run)
    totals = simulate(run, settings, load, parameters, options.seeds)
    lab, model = of_run(run), of_totals(totals)
    print(
        f"run {options.check}: {load.seconds / 60:.1f} modelled minutes at clock {run.clock:g}; {len(load.rates)} counts of requests"
    )
    print(report(lab, model))
    if lab.slo < 0.98:
        print(
            "note: the load generator waits for answers: counts of an overloaded run are what was answered, not what would have been asked"
        )
    holds = abs(model.cost / lab.cost - 1) <= COST_BOUND and abs(model.slo - lab.slo) <= SLO_BOUND
    print(
        f"bounds: cost {100 * COST_BOUND:g} %, SLO {100 * SLO_BOUND:g} points: {'both hold' if holds else 'NOT within'}"
    )
    return 0 if holds else 1


def settings_of(run: Recorded, base: dict[str, Any]) -> tuple[Candidate, list[Problem]]:
    """The run's settings as a candidate, and the problems with them. Settings that the run recorded
    take precedence over `base`, those of its stack, and its HPA's spec over both.
    """
    noted = {
        str(key).removeprefix("elastic-inference:"): value
        for key, value in (run.meta.get("settings") or {}).items()
    }
    hpa = noted.pop("hpa", None)
    flat = {
        f"{group}.{key}": value
        for group, rest in noted.items()
        if isinstance(rest, dict)
        for key, value in rest.items()
    }
    settings = {key: value for key, value in {**base, **flat, **noted}.items() if key in KEYS}
    return candidate(
        {**settings, **(_of_hpa(hpa) if isinstance(hpa, dict) else {})}, "the run's settings"
    )


def _of_hpa(spec: dict[str, Any]) -> dict[str, Any]:
    """The autoscaler's settings from which an HPA's spec was made."""
    behavior = spec.get("behavior") or {}
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    more = {rule["type"]: rule for rule in up.get("policies") or ()}
    less = next((rule for rule in down.get("policies") or () if rule["type"] == "Percent"), None)
    target = next(
        (
            m["external"]["target"]["averageValue"]
            for m in spec.get("metrics") or ()
            if m.get("external")
        ),
        None,
    )
    settings = {
        "autoscaler.minReplicas": spec.get("minReplicas"),
        "autoscaler.maxReplicas": spec.get("maxReplicas"),
        "autoscaler.targetQps": int(float(target)) if target else None,
        "autoscaler.scaleUpPods": more["Pods"]["value"] if "Pods" in more else None,
        "autoscaler.scaleUpPercent": more["Percent"]["value"]
        if "Percent" in more
        else 0
        if more
        else None,
        "autoscaler.scaleUpPeriodSeconds": next(iter(more.values()))["periodSeconds"]
        if more
        else None,
        "autoscaler.scaleDownSeconds": down.get("stabilizationWindowSeconds"),
        "autoscaler.scaleDownPercent": less["value"] if less else None,
        "autoscaler.scaleDownPeriodSeconds": less["periodSeconds"] if less else None,
    }
    return {key: value for key, value in settings.items() if value is not None}


def parameters_of(run: Recorded, table: prices.Prices) -> ModelParameters:
    """Model parameters by the run's scenario, prices and measured capacity."""
    meta = run.meta
    shown: Any = meta.get("prices")
    shown = shown.get("cny_per_hour", shown) if isinstance(shown, dict) else {}
    given = {k: float(v) for k, v in (shown or {}).items() if isinstance(v, int | float)}
    scenario = scenario_of(meta.get("scenario") or ("elastic" if meta.get("lab") else None))
    delays = scenario.get("delays") or {}
    stages = [
        _points(delays[name])
        for name in ("scaling_activity", "instance_pending", "instance_starting")
        if name in delays
    ]
    parameters = ModelParameters(
        clock=run.clock, prices={**table.on_demand, **given}, spot_fraction={**table.spot_fraction, **(scenario.get("spot_fraction") or {})},
        vcpus=table.vcpus, bursty=dispersion(run) > 0.5,
    )  # fmt: skip
    if stages:
        parameters = replace(
            parameters,
            boot=tuple(
                zip(
                    (0.0, 1.0),
                    (sum(p[0][1] for p in stages), sum(p[-1][1] for p in stages)),
                    strict=True,
                )
            ),
        )
    if "model_load" in delays:
        parameters = replace(parameters, load=_points(delays["model_load"]))
    measured = [
        s["capacity_qps"] / s["pods"]["ready"]
        for s in run.samples
        if s.get("capacity_qps") and s["pods"]["ready"]
    ]
    capacities = [float(meta["pod_qps"])] if meta.get("pod_qps") else measured
    return replace(
        parameters, notice=float(delays.get("reclaim_notice", parameters.notice)), protected=float(delays.get("spot_protection", parameters.protected)),
        rounding=scenario.get("rounding", "ceil"), pod_qps=float(np.median(capacities)) if capacities else parameters.pod_qps,
    )  # fmt: skip


def scenario_of(given: Any) -> dict[str, Any]:
    """A scenario from its content, its path or the name of one of the lab's; empty if there is
    none.
    """
    if isinstance(given, dict):
        return given
    if not given:
        return {}
    for path in (Path(str(given)), prices.ROOT / "lab" / "scenarios" / f"{given}.yaml"):
        if path.is_file():
            return yaml.safe_load(path.read_text()) or {}
    return {}


def _points(spec: Any) -> Points:
    """A delay of a scenario as a distribution."""
    if isinstance(spec, dict) and "uniform" in spec:
        return uniform(*spec["uniform"])
    if isinstance(spec, dict) and "lognormal" in spec:
        law = spec["lognormal"]
        shares = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
        return tuple(
            (p, law["median"] * float(np.exp(law["sigma"] * NormalDist().inv_cdf(p))))
            for p in shares
        )
    return uniform(*([float(str(spec))] * 2))


def simulate(
    run: Recorded, one: Candidate, load: Trace, parameters: ModelParameters, seeds: int
) -> Totals:
    """Simulate the run's load with the settings `one`, starting from the run's first state."""
    first = run.samples[0]
    offset = float(run.requests[0]["t"])
    stated = Disturbances(events_of(run, offset))
    nodes = first["billed"]
    begin: dict[str, Any] = {
        "start": np.array(first["pods"]["ready"]),
        "start_on_demand": np.array(nodes["on_demand"]),
        "start_spot": np.array(nodes["spot"]),
    }
    step = min(1.0, run.clock)
    return Run([one], load, parameters, seeds=seeds, step=step, disturbances=stated, **begin).go()


def of_totals(totals: Totals) -> Figures:
    """The figures of the simulation: means over the seeds."""
    return Figures(
        cost=float(totals.cost.mean()), slo=float(totals.slo.mean()), nodes=float(totals.node_seconds.mean() / totals.seconds),
        on_demand_share=float((totals.on_demand_seconds / np.maximum(totals.node_seconds, 1e-9)).mean()),
        pods=float(totals.ready_seconds.mean() / totals.seconds),
    )  # fmt: skip


def report(lab: Figures, model: Figures) -> str:
    """The figures of run and simulation with their differences, as a table in plain text."""
    lines = [f"{'':<22}{'run':>12}{'planner':>12}   difference"]
    for name, value, shape, relative in (
        ("cost, CNY", lambda f: f.cost, "{:.3f}", True),
        ("in time, %", lambda f: 100 * f.slo, "{:.3f}", False),
        ("nodes, mean", lambda f: f.nodes, "{:.3f}", True),
        ("ready pods, mean", lambda f: f.pods, "{:.3f}", True),
        ("on-demand share, %", lambda f: 100 * f.on_demand_share, "{:.2f}", False),
    ):
        mine, theirs = value(lab), value(model)
        gap = (
            f"{100 * (theirs / mine - 1):+.2f} %"
            if relative and mine
            else f"{theirs - mine:+.3f} points"
            if not relative
            else "-"
        )
        lines.append(f"{name:<22}{shape.format(mine):>12}{shape.format(theirs):>12}   {gap}")
    return "\n".join(lines)
