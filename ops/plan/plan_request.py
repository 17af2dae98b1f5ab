"""A plan request: the input of one planning run, read and validated as a whole."""

from __future__ import annotations

import argparse
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ops.load.profile import ProfileError, load
from ops.plan import inputs, market, prices, synthetic, trace
from ops.plan.candidate import Candidate
from ops.plan.market import Disturbances
from ops.plan.model_parameters import ModelParameters, uniform
from ops.plan.problems import PlanError, Problems, did_you_mean
from ops.plan.trace import Trace
from settings.core.problem import Problem

STEPS = (1.0, 2.5, 5.0)


class PlanRequest:
    """Everything one planning run needs. Raises PlanError with every problem of the input."""

    parameters: ModelParameters
    load: Trace
    disturbances: Disturbances
    candidates: list[Candidate]
    table: prices.Prices

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        problems = Problems(_numbers(options))
        base: dict[str, Any] = {}
        region = ""
        if options.stack:
            base, region, wrong = inputs.of_stack(stack_path(options.stack))
            problems += wrong
        self.base = base
        self.table, wrong = prices.load(options.prices, region)
        problems += wrong
        self.parameters = ModelParameters(
            prices=self.table.on_demand,
            spot_fraction=self.table.spot_fraction,
            vcpus=self.table.vcpus,
        )
        self.parameters, wrong = parameters_from_file(options.parameters, self.parameters)
        problems += wrong
        if options.pod_qps and options.pod_qps > 0:
            self.parameters = replace(self.parameters, pod_qps=options.pod_qps)
        load = self._load(problems)
        if load:
            self.load, self.disturbances = load
            self.candidates = self._candidates(base, problems)
        if options.write and not stack_path(options.write).is_file():
            problems.append(
                Problem(
                    "--write",
                    options.write,
                    f"the name of a stack: {_stacks()}",
                    "there is no file to write to",
                    "name an existing stack",
                )
            )
        problems.check()

    def _load(self, problems: Problems) -> tuple[Trace, Disturbances] | None:
        options = self.options
        if options.trace in synthetic.TRACES:
            peak = options.peak or 20 * math.floor(0.7 * self.parameters.pod_qps)
            seconds = options.hours * 3600 if options.hours else None
            return (
                synthetic.make(options.trace, peak, seconds)
                if peak > 0 and (seconds is None or seconds >= 60)
                else None
            )
        if options.trace not in profiles() and not Path(options.trace).exists():
            names = [*synthetic.TRACES, *profiles()]
            expected = f"a CSV file, or one of {', '.join(names)}" + did_you_mean(
                options.trace, names
            )
            problems.append(
                Problem(
                    "--trace",
                    options.trace,
                    expected,
                    "there is no load to plan for",
                    "python -m ops.plan --list",
                )
            )
            return None
        try:
            measured = (
                of_profile(options.trace)
                if not options.trace.endswith(".csv")
                else trace.read(Path(options.trace))
            )
        except PlanError as error:
            problems += error.problems
            return None
        return (measured.scaled(options.peak) if options.peak else measured), Disturbances()

    def _candidates(self, base: dict[str, Any], problems: Problems) -> list[Candidate]:
        if self.options.candidates:
            candidates, wrong = inputs.read(self.options.candidates, base, self.load)
        else:
            candidates, wrong = inputs.default_grid(base, self.load, self.parameters)
        problems += wrong
        unpriced = {
            instance_type
            for candidate in candidates
            for instance_type in candidate.instance_types
            if instance_type not in self.parameters.prices
        }
        expected = f"a type with a price: {', '.join(sorted(self.parameters.prices))}"
        for instance_type in sorted(unpriced):
            remedy = f"give a table with {instance_type}: --prices FILE"
            problems.append(
                Problem(
                    "nodePool.instanceTypes", instance_type, expected, "its cost is unknown", remedy
                )
            )
        return candidates


def profiles() -> list[str]:
    """Names of the project's load profiles."""
    return sorted(path.stem for path in (prices.ROOT / "profiles").glob("*.yaml"))


def of_profile(name: str) -> Trace:
    """A load profile, of the project or in a file, second by second. Raises PlanError."""
    try:
        profile = load(name)
    except ProfileError as error:
        raise PlanError(
            [
                Problem(
                    "--trace",
                    name,
                    str(error),
                    "there is no load to plan for",
                    "correct the profile",
                )
            ]
        ) from None
    times = np.arange(0.0, profile.seconds, 1.0)
    return Trace(
        profile.name, times, np.array([profile.rate(t + 0.5) for t in times]), profile.seconds
    )


def parameters_from_file(
    path: Path | None, parameters: ModelParameters
) -> tuple[ModelParameters, list[Problem]]:
    """`parameters` changed by the YAML file `path`, and the problems with the file. Distributions
    are given as [low, high] or {share: seconds}.
    """
    if path is None:
        return parameters, []
    try:
        data = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        return parameters, [
            _parameter_problem(
                path, "", getattr(error, "strerror", None) or "not YAML", "a readable YAML file"
            )
        ]
    if not isinstance(data, dict):
        return parameters, [_parameter_problem(path, "", data, "a mapping")]
    known, changes, problems = {f.name for f in fields(ModelParameters)}, {}, []
    for key, value in data.items():
        expected_type = type(getattr(parameters, key)) if key in known else None
        if expected_type is None:
            problems.append(
                _parameter_problem(
                    path,
                    key,
                    value,
                    f"one of {', '.join(sorted(known))}" + did_you_mean(str(key), known),
                )
            )
        elif (
            key in ("boot", "load")
            and isinstance(value, list)
            and len(value) == 2
            and all(isinstance(v, int | float) for v in value)
        ):
            changes[key] = uniform(*value)
        elif key in ("boot", "load") and isinstance(value, dict):
            changes[key] = tuple(sorted((float(p), float(v)) for p, v in value.items()))
        elif (
            expected_type in (int, float)
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and value >= 0
        ):
            changes[key] = expected_type(value)
        elif expected_type in (bool, str, dict) and isinstance(value, expected_type):
            changes[key] = value
        else:
            problems.append(
                _parameter_problem(
                    path,
                    key,
                    value,
                    "two seconds [low, high]"
                    if key in ("boot", "load")
                    else f"a {expected_type.__name__}, 0 or more",
                )
            )
    return replace(parameters, **changes), problems


def _parameter_problem(path: Path, key: str, value: Any, expected: str) -> Problem:
    return Problem(
        f"parameters {path}" + (f": {key}" if key else ""),
        value,
        expected,
        "something else would be simulated",
        "correct the file",
    )


def _numbers(options: argparse.Namespace) -> list[Problem]:
    """Problems of the options that are numbers or names."""
    checks = (
        ("--slo", options.slo, 0 < options.slo <= 100, "a percentage above 0, at most 100"),
        ("--seeds", options.seeds, 1 <= options.seeds <= 100, "1 to 100"),
        ("--step", options.step, options.step in STEPS, "1, 2.5 or 5 seconds"),
        (
            "--peak",
            options.peak,
            options.peak is None or 0 < options.peak <= 1e7,
            "requests per second above 0",
        ),
        (
            "--hours",
            options.hours,
            options.hours is None or 1 / 60 <= options.hours <= 24 * 62,
            "hours: a minute to two months",
        ),
        (
            "--pod-qps",
            options.pod_qps,
            options.pod_qps is None or 0 < options.pod_qps <= 1e6,
            "requests per second above 0",
        ),
        (
            "--market",
            options.market,
            options.market in market.SCENARIOS,
            f"one of {', '.join(market.SCENARIOS)}{did_you_mean(options.market, market.SCENARIOS)}",
        ),
    )
    return [
        Problem(name, value, expected, "the plan has no meaning", f"correct {name}")
        for name, value, good, expected in checks
        if not good
    ]


def stack_path(name: str) -> Path:
    """Path of the configuration file of stack `name`."""
    return prices.ROOT / f"Pulumi.{name}.yaml"


def _stacks() -> str:
    return ", ".join(sorted(path.name.split(".")[1] for path in prices.ROOT.glob("Pulumi.*.yaml")))
