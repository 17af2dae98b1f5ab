"""Price tables: CNY per hour by instance type, with date and source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.alicloud.catalog import TYPES

if TYPE_CHECKING:
    from settings.core.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "lab" / "alicloud" / "prices.json"


@dataclass(frozen=True)
class Prices:
    """Prices by instance type: on demand in CNY per hour, preemptible as a share of that; vCPUs;
    the prices' date and source.
    """

    on_demand: dict[str, float]
    spot_fraction: dict[str, float]
    vcpus: dict[str, int]
    date: str
    source: str


def load(path: Path | None = None, region: str = "") -> tuple[Prices, list[Problem]]:
    """The price table in `path`, or the one that the lab uses, for `region`; and the problems with
    it.

    `prices` maps types to prices, or regions to such maps; `elsewhere` names the region whose
    prices stand for one not listed.
    """
    vcpus = {name: size.cpu for name, size in TYPES.items()}
    path = path or TABLE
    try:
        data: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not JSON: {error}"
        return _EMPTY, [_problem(path, "", why, "a readable JSON file")]
    rows = data.get("prices", data.get("types")) if isinstance(data, dict) else None
    if not isinstance(rows, dict) or not rows:
        return _EMPTY, [
            _problem(
                path,
                "",
                type(data).__name__,
                'an object {"date", "source", "prices": {instance type: CNY per hour}}',
            )
        ]
    if all(
        isinstance(value, dict) and not {"on_demand", "price"} & set(value)
        for value in rows.values()
    ):
        listed = region if region in rows else data.get("elsewhere", next(iter(rows)))
        rows = {**rows.get(data.get("elsewhere"), {}), **rows.get(listed, {})}
    problems, prices, fractions = [], {}, {}
    for instance_type, row in rows.items():
        value = row.get("on_demand", row.get("price")) if isinstance(row, dict) else row
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            problems.append(_problem(path, instance_type, value, "a price above 0, CNY per hour"))
            continue
        prices[instance_type] = float(value)
        share = row.get("spot_fraction") if isinstance(row, dict) else None
        if share is not None:
            fractions[instance_type] = float(share)
    fractions |= (
        {str(k): float(v) for k, v in (data.get("spot_fraction") or {}).items()}
        if isinstance(data.get("spot_fraction"), dict)
        else {}
    )
    return Prices(
        prices,
        fractions,
        vcpus,
        str(data.get("date", "undated")),
        str(data.get("source", path.name)),
    ), problems


_EMPTY = Prices({}, {}, {}, "", "")


def _problem(path: Path, key: str, value: object, expected: str) -> Problem:
    from settings.core.problem import Problem  # noqa: PLC0415 - the job that posts comments has no packages

    where = f"prices {path}" + (f": {key}" if key else "")
    return Problem(
        where,
        value,
        expected,
        "the plan has no costs",
        "correct the file, or leave --prices away for the shipped table",
    )
