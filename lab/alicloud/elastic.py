"""Auto Scaling: which instances a node pool orders, in which zone, type and charge mode, and what
becomes of the order.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from lab.alicloud import market
from lab.alicloud.catalog import TYPES, sold
from lab.alicloud.clock import iso
from lab.alicloud.documents import Activity, Instance, find_activity
from lab.alicloud.ids import new_id
from lab.alicloud.instances import create_instance, living, release, save
from lab.alicloud.market import NO_SPOT
from lab.alicloud.protocol import ApiError
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document

MARKETS = ("mix", "any")


def scale(
    region: Region, pool: Document, delta: int, cause: str, *, replaces: str = "", market: str = "mix"
) -> Activity:  # fmt: skip
    """Order `delta` more instances (or release as many). Refused beyond the pool's minimum and
    maximum when it scales by itself.

    `replaces` is the reclaimed instance this order stands in for. `market` "any" orders without a
    look at the preemptible stock, as node instant scaling does: it may come as pay-as-you-go
    although there is preemptible stock.
    """
    if market not in MARKETS:
        raise ApiError(
            400, "InvalidParameter", f"market: {market!r}: expected one of {', '.join(MARKETS)}"
        )
    pool_id = pool["nodepool_info"]["nodepool_id"]
    current = len(living(region, pool_id)) + _ordered(region, pool_id)
    limits = pool.get("auto_scaling") or {}
    if limits.get("enable"):
        low, high = limits.get("min_instances", 0), limits.get("max_instances", 0)
        if not low <= current + delta <= high:
            raise ApiError(
                400,
                "IncorrectCapacity.MaxSize" if delta > 0 else "IncorrectCapacity.MinSize",
                f"{current} instances and {delta:+d} would leave the range {low} to {high} of node pool {pool_id}.",
            )
    if delta == 0:
        raise ApiError(400, "InvalidParameter", "delta must not be 0")
    activity: Activity = {
        "ScalingActivityId": new_id("asa-"),
        "ScalingGroupId": pool["scaling_group"]["scaling_group_id"],
        "nodepool_id": pool_id,
        "delta": delta,
        "StatusCode": "InProgress",
        "StatusMessage": "",
        "Cause": cause,
        "StartTime": iso(region.clock.now()),
        "EndTime": "",
        "replaces": replaces,
        "market": market,
        "instances": [],
    }
    region.store.put("activity", activity["ScalingActivityId"], activity)
    delay = region.scenario.delay("scaling_activity", region.store.count("draw/scaling_activity"))
    region.schedule("elastic.carry_out", delay, activity=activity["ScalingActivityId"])
    return activity


def _ordered(region: Region, pool_id: str) -> int:
    open_ones = region.store.all("activity", nodepool_id=pool_id, StatusCode="InProgress")
    return sum(a["delta"] for a in open_ones if a["delta"] > 0)


@timer("elastic.carry_out")
def carry_out(region: Region, payload: Payload) -> None:
    """The order reaches the stock: instances appear, or the activity fails with the reason."""
    activity = find_activity(region, payload["activity"])
    pool = region.store.get("nodepool", activity["nodepool_id"]) if activity else None
    if activity is None or activity["StatusCode"] != "InProgress":
        return
    region = region.at(region.place("nodepool", activity["nodepool_id"]))
    if pool is None or pool["status"]["state"] == "deleting":
        _finish(region, activity, "Failed", "the node pool is gone")
        return
    if activity["delta"] < 0:
        for instance in sorted(living(region, activity["nodepool_id"]), key=lambda i: i["created"])[
            : -activity["delta"]
        ]:
            release(region, instance["instance_id"])
            activity["instances"].append(instance["instance_id"])
        _finish(region, activity, "Successful", "")
        return
    fleet = Fleet(region, pool)
    reason = ""
    for _ in range(activity["delta"]):
        choice, reason = fleet.choose(
            activity["delta"] - len(activity["instances"]), blind=activity.get("market") == "any"
        )
        if choice is None:
            break
        instance = create_instance(region, pool, *choice)
        if activity.get("replaces"):
            instance["replaces"] = activity["replaces"]
            save(region, instance)
        fleet.add(instance)
        activity["instances"].append(instance["instance_id"])
    if any(map(market.is_spot, fleet.held)):
        market.watch(region)
    done = len(activity["instances"])
    _finish(
        region,
        activity,
        "Successful" if done == activity["delta"] else "Warning" if done else "Failed",
        reason,
    )


def _finish(region: Region, activity: Activity, code: str, message: str) -> None:
    activity.update(StatusCode=code, StatusMessage=message, EndTime=iso(region.clock.now()))
    region.store.put("activity", activity["ScalingActivityId"], activity)


def on_demand_share(total: int, base: int, percentage: int, rounding: str) -> int:
    """How many of `total` instances are pay-as-you-go: the base first, then the rounded share of
    the rest.
    """
    above = max(0, total - base)
    exact = above * percentage / 100
    rounded = {
        "ceil": math.ceil(exact),
        "floor": math.floor(exact),
        "round": math.floor(exact + 0.5),
    }[rounding]
    return min(total, base) + int(rounded)


Choice = tuple[str, dict[str, Any], str]
"""(type, vSwitch, spot strategy) of the next instance."""


@dataclass
class Fleet:
    """What is held while an order is carried out, read once: 500 instances are one order."""

    region: Region
    pool: dict[str, Any]

    def __post_init__(self) -> None:
        pool_id = self.pool["nodepool_info"]["nodepool_id"]
        self.everyone = living(self.region)
        self.held = [
            i for i in self.everyone if i["nodepool_id"] == pool_id and not i["lock_reason"]
        ]

    def add(self, instance: Instance) -> None:
        """Count an instance that was just created in what is held."""
        self.everyone.append(instance)
        self.held.append(instance)

    def choose(self, missing: int, *, blind: bool = False) -> tuple[Choice | None, str]:
        """The next instance of an order with so many still missing, or None and why not.

        Instances under notice don't count into the mix: they are as good as gone.
        """
        group, region = self.pool["scaling_group"], self.region
        if wrong := self._refusal():
            return None, wrong
        strategy = group.get("spot_strategy") or NO_SPOT
        spot, cheapest = strategy != NO_SPOT, group.get("multi_az_policy") == "COST_OPTIMIZED"
        if spot and cheapest:
            base = int(group.get("on_demand_base_capacity") or 0)
            share = int(group.get("on_demand_percentage_above_base_capacity") or 0)
            wanted = on_demand_share(
                len(self.held) + missing, base, share, region.scenario.rounding
            )
            spot = sum(not market.is_spot(i) for i in self.held) >= wanted
        supplement = bool(group.get("compensate_with_on_demand")) and cheapest
        if (
            spot
            and supplement
            and blind
            and region.scenario.dice("blind", region.store.count("draw/blind")).random() < 0.5
        ):
            spot = False
        found, reason = self._place(spot)
        if found is not None:
            return (*found, strategy if spot else NO_SPOT), ""
        if spot and supplement:
            found, reason = self._place(False)
            if found is not None:
                return (*found, NO_SPOT), ""
        return None, reason

    def _refusal(self) -> str:
        scenario = self.region.scenario
        if scenario.quota is not None and len(self.everyone) >= scenario.quota:
            return f"QuotaExceed.ElasticQuota: the account may hold {scenario.quota} instances"
        if (
            scenario.launch_failures
            and scenario.dice("launch", self.region.store.count("draw/launch")).random()
            < scenario.launch_failures
        ):
            return "OperationFailed.LaunchFailed: the instance could not be started"
        return ""

    def _place(self, spot: bool) -> tuple[tuple[str, Document] | None, str]:
        region, group = self.region, self.pool["scaling_group"]
        names = group.get("instance_types") or []
        unknown = [n for n in names if n not in TYPES]
        if unknown:
            return None, f"InvalidInstanceType.ValueNotSupported: {', '.join(unknown)}"
        switches = [
            s for s in (region.store.get("vswitch", v) for v in group.get("vswitch_ids", [])) if s
        ]
        if not names or not switches:
            return (
                None,
                "InvalidParameter: the node pool has no instance type or no existing vSwitch",
            )
        names = [name for name in names if name in sold(region.name)]
        if not names:
            return (
                None,
                f"InvalidResourceType.NotSupported: {region.name} sells none of {', '.join(group['instance_types'])}",
            )
        types = self._ranked(names, spot)
        zones = Counter(i["zone_id"] for i in self.held)
        if group.get("multi_az_policy", "PRIORITY") != "PRIORITY":
            switches.sort(key=lambda s: zones[s["ZoneId"]])
        for name in types:
            for vswitch in switches:
                if market.in_stock(region, name, vswitch["ZoneId"], spot, self.everyone):
                    return (name, vswitch), ""
        kind, where = "spot" if spot else "on-demand", ", ".join(s["ZoneId"] for s in switches)
        return (
            None,
            f"OperationDenied.NoStock: the {kind} inventory of {', '.join(types)} in {where} is used up",
        )

    def _ranked(self, names: list[str], spot: bool) -> list[str]:
        group = self.pool["scaling_group"]
        if group.get("multi_az_policy") != "COST_OPTIMIZED":
            return names
        ranked = sorted(names, key=lambda n: market.unit_price(self.region, n, spot))
        pools = int(group.get("spot_instance_pools") or 1)
        if spot and pools > 1:
            count = Counter(i["instance_type"] for i in self.held if market.is_spot(i))
            cheapest = sorted(ranked[:pools], key=lambda n: count[n])
            return cheapest + ranked[pools:]
        return ranked


def to_minimum(region: Region, pool: Document) -> Activity | None:
    """Order what a pool lacks of its minimum (or of its desired size when it does not scale by
    itself).
    """
    limits, pool_id = pool.get("auto_scaling") or {}, pool["nodepool_info"]["nodepool_id"]
    wanted = (
        limits.get("min_instances", 0)
        if limits.get("enable")
        else pool["scaling_group"].get("desired_size") or pool.get("count") or 0
    )
    lacking = int(wanted) - len(living(region, pool_id)) - _ordered(region, pool_id)
    return scale(region, pool, lacking, "to reach the minimum size") if lacking > 0 else None
