"""What instances cost and how many are to be had: the scenario's, until `POST /_lab/market` says
otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lab.alicloud.catalog import SPOT_FRACTION, TYPES
from lab.alicloud.documents import Instance
from lab.alicloud.scenario import StockRule, stock_problem
from lab.alicloud.state import Region
from lab.alicloud.store import Document

NO_SPOT = "NoSpot"
_OWN_TABLE = Path(__file__).with_name("prices.json")
_KIND = "market"


def is_spot(instance: Instance) -> bool:
    """Whether an instance is preemptible."""
    return instance["spot_strategy"] != NO_SPOT


def fraction(region: Region, name: str) -> float:
    """Spot price as a share of the pay-as-you-go price."""
    changed = (region.store.get(_KIND, "now") or {}).get("spot_fraction", {})
    return changed.get(name, region.scenario.spot_fraction.get(name, SPOT_FRACTION))


def price(region: Region, name: str, spot: bool) -> float:
    """CNY per instance-hour now; the catalog's where the table has none."""
    listed = _list_prices(region).get(name, TYPES[name].price)
    return listed * (fraction(region, name) if spot else 1.0)


def unit_price(region: Region, name: str, spot: bool) -> float:
    """CNY per vCPU and hour, which is what COST_OPTIMIZED compares."""
    return price(region, name, spot) / TYPES[name].cpu


def in_stock(
    region: Region, name: str, zone: str, spot: bool, everyone: Iterable[Instance]
) -> bool:
    """Whether one more instance of a type can be had in a zone, given all that are held now."""
    return all(
        _used(rule, everyone) < rule["count"]
        for rule in stock(region)
        if _concerns(rule, name, zone, spot)
    )


def overdrawn(region: Region, everyone: Iterable[Instance]) -> list[Instance]:
    """Preemptible instances above the stock there is now, the youngest first."""
    taken: dict[str, Instance] = {}
    for rule in stock(region):
        if rule.get("market", "spot") == "spot":
            held = sorted((i for i in everyone if _counts(rule, i)), key=lambda i: -i["created"])
            taken.update({i["instance_id"]: i for i in held[: max(0, len(held) - rule["count"])]})
    return list(taken.values())


def stock(region: Region) -> list[StockRule]:
    """The limits in force. Of a timeline (lines with `at`) the last line that has come counts, for
    each type, zone and market.
    """
    changed = region.store.get(_KIND, "now") or {}
    if "stock" in changed:
        return changed["stock"]
    age = (region.clock.now() - _began(region)) * region.clock.factor
    latest: dict[tuple[Any, ...], StockRule] = {}
    for rule in sorted(
        (r for r in region.scenario.stock if r.get("at", 0) <= age), key=lambda r: r.get("at", 0)
    ):
        latest[rule.get("instance_type"), rule.get("zone"), rule.get("market", "spot")] = rule
    return list(latest.values())


def change(region: Region, body: Document) -> Document:
    """Put other stock or spot prices in force. Raises ValueError that names the line and what was
    expected.
    """
    unknown = [key for key in body if key not in ("stock", "spot_fraction")]
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown; known are stock and spot_fraction")
    for number, rule in enumerate(body.get("stock", [])):
        if wrong := stock_problem(rule):
            raise ValueError(f"stock[{number}]: {wrong}")
    for name, share in body.get("spot_fraction", {}).items():
        if name not in TYPES or not isinstance(share, int | float) or not 0 < share <= 1:
            raise ValueError(
                f"spot_fraction.{name}: {share!r}: expected an instance type of the catalog and a share above 0, at most 1"
            )
    region.store.put(_KIND, "now", {**(region.store.get(_KIND, "now") or {}), **body})
    return shown(region)


def shown(region: Region) -> Document:
    """Stock and spot prices in force."""
    return {
        "stock": stock(region),
        "spot_fraction": {name: fraction(region, name) for name in TYPES},
    }


def table(region: Region) -> Document:
    """The price table with date and source, and the spot prices' shares."""
    whole = _table(region.scenario.prices)
    prices = {name: price(region, name, spot=False) for name in TYPES}
    return {
        **{k: v for k, v in whole.items() if k != "prices"},
        "prices": prices,
        "spot_fraction": shown(region)["spot_fraction"],
    }


def watch(region: Region) -> None:
    """Have price and stock looked at from now on (`preemption.look`), for as long as there are
    preemptible instances.
    """
    if region.store.get(_KIND, "watched") is None:
        region.store.put(_KIND, "watched", {"since": region.clock.now()})
        region.schedule("preemption.look", region.scenario.delay("market_check"))


def looked(region: Region, again: bool) -> None:
    """A look is done; the next one comes if there is still something to look at."""
    region.store.delete(_KIND, "watched")
    if again:
        watch(region)


def _list_prices(region: Region) -> dict[str, float]:
    whole = _table(region.scenario.prices)
    rows = whole["prices"]
    if not any(isinstance(row, dict) for row in rows.values()):
        return rows
    return rows.get(region.name) or rows.get(whole.get("elsewhere", ""), {})


@cache
def _table(path: str | None) -> Document:
    return json.loads(Path(path or _OWN_TABLE).read_text())


def _began(region: Region) -> float:
    found = region.store.get(_KIND, "began")
    if found is None:
        found = {"at": region.clock.now()}
        region.store.put(_KIND, "began", found)
    return found["at"]


def _concerns(rule: StockRule, name: str, zone: str, spot: bool) -> bool:
    market = "spot" if spot else "on_demand"
    return (
        rule.get("market", "spot") == market
        and rule.get("instance_type", name) == name
        and rule.get("zone", zone) == zone
    )


def _counts(rule: StockRule, instance: Instance) -> bool:
    return not instance["lock_reason"] and _concerns(
        rule, instance["instance_type"], instance["zone_id"], is_spot(instance)
    )


def _used(rule: StockRule, everyone: Iterable[Instance]) -> int:
    return sum(_counts(rule, instance) for instance in everyone)
