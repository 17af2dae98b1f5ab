"""The scenario file ``DIR/scenario.yaml``: delays, rounding, stock, prices and faults of one lab."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

DEFAULT_DELAYS = {
    "task": 2.0,  # any task of the container service
    "task_cluster": 6.0,
    "scaling_activity": 0.5,  # from the order to the instance's appearance
    "instance_pending": 0.5,
    "instance_starting": 2.0,
    "instance_stopping": 1.0,
    "reclaim_notice": 300.0,
    "vpc": 0.5,
}
ROUNDING = ("ceil", "round", "floor")


class ScenarioError(ValueError):
    """The scenario file is wrong; the message says what and how to mend it."""


@dataclass
class Scenario:
    """What may differ from lab to lab. Delays are modelled seconds (LAB_CLOCK shortens them)."""

    delays: dict[str, float] = field(default_factory=dict)
    rounding: str = "ceil"  # of the pay-as-you-go share: Alibaba does not document its rule
    spot_fraction: dict[str, float] = field(default_factory=dict)  # instance type -> spot price as a share of the list price
    stock: list[dict[str, Any]] = field(default_factory=list)  # {instance_type?, zone?, market: spot|on_demand, count}
    faults: list[dict[str, Any]] = field(default_factory=list)

    def delay(self, name: str) -> float:
        """Modelled seconds of a named delay."""
        return float(self.delays.get(name, DEFAULT_DELAYS[name]))


def load(path: Path) -> Scenario:
    """Read the file, or the defaults when there is none. Errors name the key and what was expected."""
    if not path.exists():
        return Scenario()
    import yaml

    try:
        data = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ScenarioError(f"{path}: expected a mapping with {_names(Scenario)}, found {type(data).__name__}")
    _check_keys(path, "", data, [f.name for f in fields(Scenario)])
    scenario = Scenario(**data)
    _check_keys(path, "delays.", scenario.delays, list(DEFAULT_DELAYS))
    for name, value in scenario.delays.items():
        if not isinstance(value, int | float) or value < 0:
            raise ScenarioError(f"{path}: delays.{name}: {value!r}: expected seconds, 0 or more")
    if scenario.rounding not in ROUNDING:
        raise ScenarioError(f"{path}: rounding: {scenario.rounding!r}: expected one of {', '.join(ROUNDING)}")
    for number, entry in enumerate(scenario.stock):
        _check_keys(path, f"stock[{number}].", entry, ["instance_type", "zone", "market", "count"])
        if entry.get("market", "spot") not in ("spot", "on_demand") or not isinstance(entry.get("count"), int):
            raise ScenarioError(f"{path}: stock[{number}]: expected market spot or on_demand and a whole number as count, found {entry}")
    return scenario


def _check_keys(path: Path, prefix: str, data: dict[str, Any], known: list[str]) -> None:
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise ScenarioError(f"{path}: {prefix}{key}: unknown; known are {', '.join(known)}{hint}")


def _names(kind: type) -> str:
    return ", ".join(f.name for f in fields(kind))
