"""How preemptible instances end: a protected first hour, then price and stock are looked at every
five minutes; notice, release.

A pool with `spot_instance_remedy` orders a replacement on the notice. The instance shows in
`remedied_by` which one, once it runs: from then on ACK drains the old node. If no replacement
comes, nobody drains it, and it just goes.
"""

from __future__ import annotations

import contextlib

from lab.alicloud import elastic, market
from lab.alicloud.documents import Instance, find_instance
from lab.alicloud.instances import living, release, save
from lab.alicloud.protocol import ApiError
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document

_REQUEST = ("pool", "zone", "instance_type", "count", "notice", "ignore_protection")


def reclaim(region: Region, instance_id: str, notice: float | None = None) -> Instance | None:
    """Announce the end of a preemptible instance: it is locked as Recycling now and released when
    the notice (modelled seconds) is over.

    Without any notice it is gone at once. None when there is no such instance; announcing it twice
    changes nothing.
    """
    instance = find_instance(region, instance_id)
    if (
        instance is None
        or not market.is_spot(instance)
        or instance["status"] in ("Stopping", "Deleted")
    ):
        return None
    if instance["lock_reason"]:
        return instance
    seconds = (
        region.scenario.delay("reclaim_notice", region.store.count("draw/reclaim_notice"))
        if notice is None
        else notice
    )
    instance["lock_reason"] = "Recycling"
    instance["expires_at"] = region.clock.now() + region.clock.real_seconds(seconds)
    save(region, instance)
    if seconds <= 0:
        reclaimed(region, {"id": instance_id})
        return find_instance(region, instance_id)
    region.schedule("elastic.reclaimed", seconds, id=instance_id)
    _remedy(region, instance)
    return instance


def reclaim_many(region: Region, body: Document) -> list[Instance]:
    """Reclaim preemptible instances by pool, zone, type and count. Raises ValueError for a body
    that can't be meant.
    """
    unknown = [key for key in body if key not in _REQUEST]
    count, notice = body.get("count", "all"), body.get("notice")
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown; known are {', '.join(_REQUEST)}")
    if count != "all" and (not isinstance(count, int) or count < 1):
        raise ValueError(f"count: {count!r}: expected a whole number from 1 on, or all")
    if notice is not None and (not isinstance(notice, int | float) or notice < 0):
        raise ValueError(f"notice: {notice!r}: expected modelled seconds, 0 or more")
    now = region.clock.now()
    chosen = [
        i
        for i in living(region, body.get("pool"))
        if market.is_spot(i)
        and not i["lock_reason"]
        and body.get("zone", i["zone_id"]) == i["zone_id"]
        and body.get("instance_type", i["instance_type"]) == i["instance_type"]
        and (body.get("ignore_protection", True) or i["protected_until"] <= now)
    ]
    chosen = chosen if count == "all" else chosen[: int(count)]
    return [done for done in (reclaim(region, i["instance_id"], notice) for i in chosen) if done]


def _remedy(region: Region, instance: Instance) -> None:
    pool = region.store.get("nodepool", instance["nodepool_id"])
    if pool and pool["scaling_group"].get("spot_instance_remedy"):
        with contextlib.suppress(
            ApiError
        ):  # the pool is at its maximum: then the old node just goes
            cause = f"{instance['instance_id']} is about to be reclaimed"
            elastic.scale(region, pool, 1, cause, replaces=instance["instance_id"])


@timer("elastic.reclaimed")
def reclaimed(region: Region, payload: Payload) -> None:
    """The notice is over."""
    release(region, payload["id"])
    instance = find_instance(region, payload["id"])
    pool = region.store.get("nodepool", instance["nodepool_id"]) if instance else None
    if pool and pool["status"]["state"] == "active":
        elastic.to_minimum(region, pool)


@timer("preemption.look")
def look(region: Region, _payload: Payload) -> None:
    """Reclaim what the market no longer has, or has only above a pool's price limit, except in its
    protected first hour.
    """
    everyone, now = living(region), region.clock.now()
    due = {
        i["instance_id"]: i
        for i in [*market.overdrawn(region, everyone), *_too_dear(region, everyone)]
    }
    for instance_id, instance in due.items():
        if instance["protected_until"] <= now:
            reclaim(region, instance_id)
    market.looked(region, any(market.is_spot(i) for i in everyone))


def _too_dear(region: Region, everyone: list[Instance]) -> list[Instance]:
    limits: dict[str, dict[str, float]] = {}
    for pool in region.store.all("nodepool"):
        group = pool["scaling_group"]
        if group.get("spot_strategy") == "SpotWithPriceLimit":
            rows = group.get("spot_price_limit") or []
            limits[pool["nodepool_info"]["nodepool_id"]] = {
                row["instance_type"]: float(row["price_limit"]) for row in rows
            }
    return [
        i
        for i in everyone
        if market.is_spot(i)
        and market.price(region, i["instance_type"], spot=True)
        > limits.get(i["nodepool_id"], {}).get(i["instance_type"], float("inf"))
    ]
