"""The candidates to try: from a YAML file (a list, a grid, or both), or a default grid for the
load.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from interruption_handler.pool_sizing import nodes_for_pods
from ops.plan.candidate import Candidate
from ops.plan.keys import AUTO, AUTOMATIC, KEYS, PODS_PER_NODE, candidate, default
from ops.plan.model_parameters import ModelParameters
from ops.plan.trace import Trace
from settings.core.problem import Problem

MOST = 500
PARTS = ("base", "grid", "candidates")


def read(
    path: Path, base: Mapping[str, Any], trace: Trace
) -> tuple[list[Candidate], list[Problem]]:
    """The candidates of a YAML file, each on top of the settings `base`, and its problems."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = str(getattr(error, "strerror", None) or error).splitlines()[0]
        return [], [_problem(path, None, why, "a readable YAML file")]
    if not isinstance(data, dict) or not data:
        return [], [
            _problem(path, None, data, "a mapping with grid or candidates, and perhaps base")
        ]
    problems = [
        _problem(path, key, data[key], f"one of {', '.join(PARTS)}")
        for key in data
        if key not in PARTS
    ]
    shared, grid, rows = (
        data.get("base") or {},
        data.get("grid") or {},
        data.get("candidates") or [],
    )
    for key, value, expected in (
        ("base", shared, dict),
        ("grid", grid, dict),
        ("candidates", rows, list),
    ):
        if not isinstance(value, expected):
            problems.append(
                _problem(
                    path,
                    key,
                    value,
                    "a mapping of settings" if expected is dict else "a list of mappings",
                )
            )
    for key, values in grid.items() if isinstance(grid, dict) else ():
        if not isinstance(values, list) or not values:
            problems.append(_problem(path, f"grid.{key}", values, "a list of values to try"))
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        if not isinstance(row, dict):
            problems.append(_problem(path, f"candidates[{number}]", row, "a mapping of settings"))
    if problems:
        return [], problems
    if not grid and not rows:
        return [], [_problem(path, "grid", None, "a grid or a list of candidates")]
    start = {**base, **shared}
    named = [(f"{path}: candidates[{number}]", {**start, **row}) for number, row in enumerate(rows)]
    named += [(f"{path}: grid", {**start, **row}) for row in _product(grid)]
    return _all(named, trace)


def default_grid(
    base: Mapping[str, Any], trace: Trace, parameters: ModelParameters
) -> tuple[list[Candidate], list[Problem]]:
    """64 candidates around what the load needs: targets, headroom, on-demand share, patience."""
    low = max(2, math.floor(0.6 * parameters.pod_qps))
    targets = sorted(
        {max(low, math.floor(share * parameters.pod_qps)) for share in (0.6, 0.7, 0.78, 0.85)}
    )
    spare = sorted({0, 1, 2, max(3, math.ceil(0.1 * trace.peak / targets[0]))})
    grid = {
        "autoscaler.targetQps": targets,
        "headroom.nodes": spare,
        "nodePool.onDemandPercent": sorted(
            {int(base.get("nodePool.onDemandPercent", default().on_demand_percent)), 20}
        ),
        "autoscaler.scaleDownSeconds": [300, 900],
    }
    start = {
        "nodePool.maxSize": AUTO,
        "autoscaler.maxReplicas": AUTO,
        "autoscaler.scaleUpPods": AUTO,
    }
    return _all([("default grid", {**base, **start, **row}) for row in _product(grid)], trace)


def _product(grid: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return (
        [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        if grid
        else []
    )


def _all(
    named: list[tuple[str, dict[str, Any]]], trace: Trace
) -> tuple[list[Candidate], list[Problem]]:
    if len(named) > MOST:
        return [], [
            Problem(
                "candidates",
                f"{len(named)} of them",
                f"at most {MOST}",
                "the simulation takes very long",
                "try fewer values",
            )
        ]
    varied = [
        key
        for key in (named[0][1] if named else {})
        if len({repr(row.get(key)) for _, row in named}) > 1 and key != "name"
    ]
    candidates: list[Candidate] = []
    problems: dict[str, Problem] = {}
    for where, row in named:
        tried, wrong = candidate(resolved(row, trace), where)
        if "name" not in row:
            tried = replace(
                tried,
                name=" ".join(f"{_short(key)}={row[key]}" for key in varied if key in row)
                or "as given",
            )
        candidates.append(tried)
        problems.update({str(m): m for m in wrong})
    return candidates, list(problems.values())


def resolved(row: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
    """`row` with each `auto` replaced by a number: pods for 1.15 times the peak, growth to the peak
    within two periods, and twice the nodes for these pods and the headroom. Twice, because nodes
    under notice count until they are gone: a full fleet can only be replaced where the maximum
    leaves room.
    """
    target = row.get("autoscaler.targetQps", default().target_qps)
    target = target if isinstance(target, int) and target > 0 else default().target_qps
    fewest = int(row.get("autoscaler.minReplicas", 1) or 1)
    pods = max(math.ceil(trace.peak * 1.15 / target), fewest)
    spare = row.get("headroom.nodes", 0)
    spare = (
        max(1, math.ceil(0.1 * pods)) if spare == AUTO else spare if isinstance(spare, int) else 0
    )
    max_replicas = row.get("autoscaler.maxReplicas", default().max_replicas)
    most_pods = (
        pods if max_replicas == AUTO else max_replicas if isinstance(max_replicas, int) else pods
    )
    automatic = {
        "headroom.nodes": spare,
        "autoscaler.maxReplicas": min(pods, 1000),
        "autoscaler.scaleUpPods": min(100, max(4, math.ceil(pods / 2))),
        "nodePool.maxSize": min(
            1000, max(2, 2 * (nodes_for_pods(most_pods, PODS_PER_NODE) + spare))
        ),
    }
    return {
        key: automatic[key] if value == AUTO and key in AUTOMATIC else value
        for key, value in row.items()
    }


def of_stack(path: Path) -> tuple[dict[str, Any], str, list[Problem]]:
    """The settings of a stack file that the planner understands, by dotted key; its region; and the
    problems with it.
    """
    try:
        data = yaml.safe_load(path.read_text()) or {}
        config = data["config"]
        rows = {str(key).removeprefix("elastic-inference:"): value for key, value in config.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        why = getattr(error, "strerror", None) or "not a stack file"
        return (
            {},
            "",
            [
                Problem(
                    f"stack file {path}",
                    why,
                    "a stack's configuration",
                    "there is no stack to plan for",
                    "name an existing stack",
                )
            ],
        )
    flat = {
        f"{group}.{key}": value
        for group, rest in rows.items()
        if isinstance(rest, dict)
        for key, value in rest.items()
    }
    settings = {key: value for key, value in {**flat, **rows}.items() if key in KEYS}
    return settings, str(config.get("alicloud:region", "")), []


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _problem(path: Path, key: str | None, value: Any, expected: str) -> Problem:
    return Problem(
        f"candidates {path}" + (f": {key}" if key else ""),
        value,
        expected,
        "nothing can be tried",
        "correct the file; see docs/planner.md",
    )
