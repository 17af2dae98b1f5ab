"""The scenario file ``DIR/scenario.yaml``: delays, rounding, stock, prices and faults of one
lab.
"""

from __future__ import annotations

import difflib
import json
import random
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import yaml

from lab.alicloud import distribution
from lab.alicloud.catalog import ADDONS

DEFAULT_DELAYS: dict[str, Any] = {
    "task": 2.0,  # any task of the container service
    "task_cluster": 6.0,
    "scaling_activity": 0.5,  # from the order to the instance's appearance
    "instance_pending": 0.5,
    "instance_starting": 2.0,
    "instance_stopping": 1.0,
    "reclaim_notice": 300.0,
    # a preemptible instance's first hour, in which price and stock don't end it
    "spot_protection": 3600.0,
    "market_check": 300.0,  # between two looks at price and stock
    "new_pod": 0.0,  # for which the node autoscaler lets new pods wait; upstream's 2 s
    "new_gpu_pod": 0.0,  # the same for pods with GPUs; upstream's 30 s
    "model_load": 0.0,  # image and model, for the stub pods of the node agent
    "vpc": 0.5,
}
ROUNDING = ("ceil", "round", "floor")


class ScenarioError(ValueError):
    """The scenario file is wrong; the message says what and how to mend it."""


class StockRule(TypedDict):
    """How many instances there may be; a key that is not there means any."""

    count: int
    instance_type: NotRequired[str]
    zone: NotRequired[str]
    market: NotRequired[str]
    """spot (the default) or on_demand."""
    at: NotRequired[float]
    """Modelled seconds after the double's start from which the rule holds."""


@dataclass
class Scenario:
    """What may differ from lab to lab. Delays are modelled seconds (LAB_CLOCK shortens them), as
    numbers or distributions.
    """

    delays: dict[str, Any] = field(default_factory=dict)
    seed: int = 1  # of every draw: the same scenario runs the same way
    rounding: str = "ceil"  # of the pay-as-you-go share: Alibaba does not document its rule
    spot_fraction: dict[str, float] = field(
        default_factory=dict
    )  # instance type -> spot price as a share of the list price
    stock: list[StockRule] = field(
        default_factory=list
    )  # {instance_type?, zone?, market: spot|on_demand, count, at?: seconds}
    launch_failures: float = 0.0  # share of launches that fail for no fault of the pool's
    quota: int | None = None  # most instances of the account, None for no limit
    prices: str | None = None  # a file in place of lab/alicloud/prices.json
    faults: list[dict[str, Any]] = field(default_factory=list)
    without_addons: list[str] = field(default_factory=list)  # of the lab's own cluster
    images: list[dict[str, Any]] = field(
        default_factory=list
    )  # {match, fails?, times?, seconds?, login?}: the first that matches counts

    def delay(self, name: str, number: int = 0) -> float:
        """Modelled seconds of a named delay; of a distribution, the draw with this number."""
        return distribution.draw(
            self.delays.get(name, DEFAULT_DELAYS[name]), self.dice(name, number)
        )

    def dice(self, name: str, number: int) -> random.Random:
        """The source of one draw: the same for the same seed, name and number."""
        return random.Random(f"{self.seed}/{name}/{number}")


def load(path: Path) -> Scenario:
    """Read the file, or the defaults when there is none. Errors name the key and what was
    expected.
    """
    if not path.exists():
        return Scenario()
    try:
        data = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ScenarioError(
            f"{path}: expected a mapping with {_names(Scenario)}, found {type(data).__name__}"
        )
    _check_keys(path, "", data, [f.name for f in fields(Scenario)])
    scenario = Scenario(**data)
    _check_keys(path, "delays.", scenario.delays, list(DEFAULT_DELAYS))
    for name, value in scenario.delays.items():
        if wrong := distribution.problem(value):
            raise ScenarioError(f"{path}: delays.{name}: {wrong}")
    if not 0 <= scenario.launch_failures <= 1:
        raise ScenarioError(
            f"{path}: launch_failures: {scenario.launch_failures!r}: expected a share from 0 to 1"
        )
    if scenario.rounding not in ROUNDING:
        raise ScenarioError(
            f"{path}: rounding: {scenario.rounding!r}: expected one of {', '.join(ROUNDING)}"
        )
    if scenario.prices is not None and (wrong := prices_problem(scenario.prices)):
        raise ScenarioError(
            f"{path}: prices: {scenario.prices}: {wrong}; expected a file such as lab/alicloud/prices.json, by its full path"
        )
    for name in scenario.without_addons:
        if name not in ADDONS:
            raise ScenarioError(f"{path}: without_addons: {name}: expected of {', '.join(ADDONS)}")
    for number, entry in enumerate(scenario.images):
        if wrong := image_problem(entry):
            raise ScenarioError(f"{path}: images[{number}]: {wrong}")
    for number, entry in enumerate(scenario.stock):
        if wrong := stock_problem(entry):
            raise ScenarioError(f"{path}: stock[{number}]: {wrong}")
    return scenario


def prices_problem(file: str) -> str:
    """What keeps a file from being a price table, "" when nothing does."""
    try:
        table = json.loads(Path(file).read_text())
    except OSError as error:
        return error.strerror or "can't be read"
    except ValueError:
        return "not JSON"
    rows = table.get("prices") if isinstance(table, dict) else None
    missing = [
        key for key in ("date", "source") if not isinstance(table, dict) or not table.get(key)
    ]
    if missing:
        return f"{' and '.join(missing)} missing"
    flat = (
        [
            price
            for row in rows.values()
            for price in (row.values() if isinstance(row, dict) else [row])
        ]
        if isinstance(rows, dict)
        else []
    )
    good = flat and all(
        isinstance(price, int | float) and not isinstance(price, bool) and price > 0
        for price in flat
    )
    return "" if good else "prices: no instance types with prices above 0 (CNY per hour), by region"


STOCK_KEYS = ("instance_type", "zone", "market", "count", "at")


def stock_problem(entry: Any) -> str:
    """What is wrong with one line of stock, "" when nothing is."""
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("count"), int)
        or entry.get("market", "spot") not in ("spot", "on_demand")
    ):
        return f"expected market spot or on_demand and a whole number as count, found {entry}"
    unknown = [key for key in entry if key not in STOCK_KEYS]
    return f"{unknown[0]}: unknown; known are {', '.join(STOCK_KEYS)}" if unknown else ""


IMAGE_KEYS = ("match", "fails", "times", "seconds", "login")
IMAGE_FAILURES = (
    "not_found", "denied", "unauthorized", "no_such_host", "timeout", "refused", "reset", "digest", "rate_limit", "disk_full", "platform",
)  # fmt: skip
"""Ways in which an image is not pulled (lab/kubelet/registry.py has the words)."""


def image_problem(entry: Any) -> str:
    """What is wrong with one line of images, "" when nothing is."""
    if not isinstance(entry, dict) or not isinstance(entry.get("match"), str):
        return f"expected a mapping with match, a name with registry and tag such as docker.io/*, found {entry}"
    if unknown := [key for key in entry if key not in IMAGE_KEYS]:
        return f"{unknown[0]}: unknown; known are {', '.join(IMAGE_KEYS)}"
    if "fails" in entry and entry["fails"] not in IMAGE_FAILURES:
        return f"fails: {entry['fails']}: expected one of {', '.join(IMAGE_FAILURES)}"
    if "times" in entry and (
        "fails" not in entry or not isinstance(entry["times"], int) or entry["times"] < 1
    ):
        return f"times: {entry['times']}: expected with fails, how often it fails before it works: a whole number above 0"
    if "seconds" in entry and (wrong := distribution.problem(entry["seconds"])):
        return f"seconds: {wrong}"
    login = entry.get("login", True)
    if login is not True and not (
        isinstance(login, dict) and set(login) == {"username", "password"}
    ):
        return f"login: {login}: expected true (any login will do), or username and password"
    return ""


def _check_keys(path: Path, prefix: str, data: dict[str, Any], known: list[str]) -> None:
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise ScenarioError(
                f"{path}: {prefix}{key}: unknown; known are {', '.join(known)}{hint}"
            )


def _names(kind: type) -> str:
    return ", ".join(f.name for f in fields(kind))
