"""Auto Scaling: which instances a node pool orders, in which zone, type and charge mode, and what becomes of the order."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from typing import Any

from lab.region.catalog import SPOT_FRACTION, TYPES
from lab.region.clock import iso
from lab.region.instances import create_instance, living, release, save
from lab.region.protocol import ApiError
from lab.region.services.vpc import new_id
from lab.region.state import Region, timer

NO_SPOT = "NoSpot"


def scale(region: Region, pool: dict[str, Any], delta: int, cause: str) -> dict[str, Any]:
    """Order `delta` more instances (or release as many). Refused beyond the pool's minimum and maximum when it scales by itself."""
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
    activity = {
        "ScalingActivityId": new_id("asa-"),
        "ScalingGroupId": pool["scaling_group"]["scaling_group_id"],
        "nodepool_id": pool_id,
        "delta": delta,
        "StatusCode": "InProgress",
        "StatusMessage": "",
        "Cause": cause,
        "StartTime": iso(region.clock.now()),
        "EndTime": "",
        "instances": [],
    }
    region.store.put("activity", activity["ScalingActivityId"], activity)
    region.schedule("elastic.carry_out", region.scenario.delay("scaling_activity"), activity=activity["ScalingActivityId"])
    return activity


def _ordered(region: Region, pool_id: str) -> int:
    open_ones = region.store.all("activity", nodepool_id=pool_id, StatusCode="InProgress")
    return sum(a["delta"] for a in open_ones if a["delta"] > 0)


@timer("elastic.carry_out")
def carry_out(region: Region, payload: dict[str, Any]) -> None:
    """The order reaches the stock: instances appear, or the activity fails with the reason."""
    activity = region.store.get("activity", payload["activity"])
    pool = region.store.get("nodepool", activity["nodepool_id"]) if activity else None
    if activity is None or activity["StatusCode"] != "InProgress":
        return
    if pool is None or pool["status"]["state"] == "deleting":
        _finish(region, activity, "Failed", "the node pool is gone")
        return
    if activity["delta"] < 0:
        for instance in sorted(living(region, activity["nodepool_id"]), key=lambda i: i["created"])[: -activity["delta"]]:
            release(region, instance["instance_id"])
            activity["instances"].append(instance["instance_id"])
        _finish(region, activity, "Successful", "")
        return
    reason = ""
    for _ in range(activity["delta"]):
        choice, reason = _choose(region, pool, activity["delta"] - len(activity["instances"]))
        if choice is None:
            break
        instance = create_instance(region, pool, *choice)
        activity["instances"].append(instance["instance_id"])
    done = len(activity["instances"])
    _finish(region, activity, "Successful" if done == activity["delta"] else "Warning" if done else "Failed", reason)


def _finish(region: Region, activity: dict[str, Any], code: str, message: str) -> None:
    activity.update(StatusCode=code, StatusMessage=message, EndTime=iso(region.clock.now()))
    region.store.put("activity", activity["ScalingActivityId"], activity)


def on_demand_share(total: int, base: int, percentage: int, rounding: str) -> int:
    """How many of `total` instances are pay-as-you-go: the base first, then the rounded share of the rest."""
    above = max(0, total - base)
    exact = above * percentage / 100
    rounded = {"ceil": math.ceil(exact), "floor": math.floor(exact), "round": math.floor(exact + 0.5)}[rounding]
    return min(total, base) + int(rounded)


def _choose(region: Region, pool: dict[str, Any], missing: int) -> tuple[tuple[str, dict[str, Any], str] | None, str]:
    """(type, vSwitch, spot strategy) of the next instance of the pool, or None and why not."""
    group = pool["scaling_group"]
    held = living(region, pool["nodepool_info"]["nodepool_id"])
    strategy = group.get("spot_strategy") or NO_SPOT
    spot = strategy != NO_SPOT
    if spot and group.get("multi_az_policy") == "COST_OPTIMIZED":
        base = int(group.get("on_demand_base_capacity") or 0)
        share = int(group.get("on_demand_percentage_above_base_capacity") or 0)
        wanted = on_demand_share(len(held) + missing, base, share, region.scenario.rounding)
        spot = sum(i["spot_strategy"] == NO_SPOT for i in held) >= wanted
    found, reason = _place(region, pool, held, spot)
    if found is not None:
        return (*found, strategy if spot else NO_SPOT), ""
    if spot and group.get("compensate_with_on_demand") and group.get("multi_az_policy") == "COST_OPTIMIZED":
        found, reason = _place(region, pool, held, False)
        if found is not None:
            return (*found, NO_SPOT), ""
    return None, reason


def _place(region: Region, pool: dict[str, Any], held: list[dict[str, Any]], spot: bool) -> tuple[tuple[str, dict[str, Any]] | None, str]:
    group = pool["scaling_group"]
    names = group.get("instance_types") or []
    unknown = [n for n in names if n not in TYPES]
    if unknown:
        return None, f"InvalidInstanceType.ValueNotSupported: {', '.join(unknown)}"
    switches = [s for s in (region.store.get("vswitch", v) for v in group.get("vswitch_ids", [])) if s]
    if not names or not switches:
        return None, "InvalidParameter: the node pool has no instance type or no existing vSwitch"
    types = _ranked(region, group, names, spot, held)
    zones = Counter(i["zone_id"] for i in held)
    if group.get("multi_az_policy", "PRIORITY") != "PRIORITY":
        switches.sort(key=lambda s: zones[s["ZoneId"]])
    for name in types:
        for vswitch in switches:
            if _in_stock(region, name, vswitch["ZoneId"], spot):
                return (name, vswitch), ""
    market = "spot" if spot else "on-demand"
    return (
        None,
        f"OperationDenied.NoStock: the {market} inventory of {', '.join(types)} in {', '.join(s['ZoneId'] for s in switches)} is used up",
    )


def _ranked(region: Region, group: dict[str, Any], names: list[str], spot: bool, held: list[dict[str, Any]]) -> list[str]:
    if group.get("multi_az_policy") != "COST_OPTIMIZED":
        return names
    ranked = sorted(names, key=lambda n: unit_price(region, n, spot))
    pools = int(group.get("spot_instance_pools") or 1)
    if spot and pools > 1:
        count = Counter(i["instance_type"] for i in held if i["spot_strategy"] != NO_SPOT)
        cheapest = sorted(ranked[:pools], key=lambda n: count[n])
        return cheapest + ranked[pools:]
    return ranked


def unit_price(region: Region, name: str, spot: bool) -> float:
    """CNY per vCPU and hour."""
    kind = TYPES[name]
    fraction = region.scenario.spot_fraction.get(name, SPOT_FRACTION) if spot else 1.0
    return kind.price * fraction / kind.cpu


def _in_stock(region: Region, name: str, zone: str, spot: bool) -> bool:
    market = "spot" if spot else "on_demand"
    for rule in region.scenario.stock:
        if rule.get("market", "spot") == market and rule.get("instance_type", name) == name and rule.get("zone", zone) == zone:
            used = sum(
                (i["spot_strategy"] != NO_SPOT) == spot
                and rule.get("instance_type", i["instance_type"]) == i["instance_type"]
                and rule.get("zone", i["zone_id"]) == i["zone_id"]
                for i in living(region)
            )
            if used >= rule["count"]:
                return False
    return True


def to_minimum(region: Region, pool: dict[str, Any]) -> dict[str, Any] | None:
    """Order what a pool lacks of its minimum (or of its desired size when it does not scale by itself)."""
    limits, pool_id = pool.get("auto_scaling") or {}, pool["nodepool_info"]["nodepool_id"]
    wanted = limits.get("min_instances", 0) if limits.get("enable") else pool["scaling_group"].get("desired_size") or pool.get("count") or 0
    lacking = int(wanted) - len(living(region, pool_id)) - _ordered(region, pool_id)
    return scale(region, pool, lacking, "to reach the minimum size") if lacking > 0 else None


def reclaim(region: Region, instance_id: str) -> dict[str, Any] | None:
    """Announce the end of a preemptible instance: it is locked as Recycling now and released when the notice is over.

    A pool with `spot_instance_remedy` orders a replacement at once, if its maximum allows. None when there is no such instance.
    """
    instance = region.store.get("instance", instance_id)
    if instance is None or instance["spot_strategy"] == NO_SPOT or instance["status"] in ("Stopping", "Deleted"):
        return None
    if instance["lock_reason"]:
        return instance
    instance["lock_reason"] = "Recycling"
    save(region, instance)
    region.schedule("elastic.reclaimed", region.scenario.delay("reclaim_notice"), id=instance_id)
    pool = region.store.get("nodepool", instance["nodepool_id"])
    if pool and pool["scaling_group"].get("spot_instance_remedy"):
        with contextlib.suppress(ApiError):
            scale(region, pool, 1, f"{instance_id} is about to be reclaimed")
    return instance


@timer("elastic.reclaimed")
def reclaimed(region: Region, payload: dict[str, Any]) -> None:
    """The notice is over."""
    release(region, payload["id"])
    instance = region.store.get("instance", payload["id"])
    pool = region.store.get("nodepool", instance["nodepool_id"]) if instance else None
    if pool and pool["status"]["state"] == "active":
        to_minimum(region, pool)
