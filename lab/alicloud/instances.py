"""ECS instances: their life from order to release. Each change gets a revision number, which the
control API's long poll waits for.
"""

from __future__ import annotations

from lab.alicloud import market
from lab.alicloud.catalog import TYPES
from lab.alicloud.clock import iso_exact
from lab.alicloud.documents import Instance, all_instances, find_instance
from lab.alicloud.ids import new_id
from lab.alicloud.market import NO_SPOT
from lab.alicloud.services.vpc.vswitches import free_address
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document

REVISION = "instance_revision"
_GONE = ("Stopping", "Deleted")


def living(region: Region, pool_id: str | None = None) -> list[Instance]:
    """Instances that are not being released, of one pool or of all."""
    everything = (
        all_instances(region) if pool_id is None else all_instances(region, nodepool_id=pool_id)
    )
    return [i for i in everything if i["status"] not in _GONE]


def create_instance(
    region: Region,
    pool: Document,
    type_name: str,
    vswitch: Document,
    spot_strategy: str,
    address: str = "",
) -> Instance:
    """One instance of a node pool; it boots from Pending over Starting to Running. Without an
    `address` the vSwitch gives one.
    """
    kind, group, config = (
        TYPES[type_name],
        pool["scaling_group"],
        pool.get("kubernetes_config") or {},
    )
    instance: Instance = {
        "instance_id": new_id("i-uf6", 17),
        "cluster_id": pool["cluster_id"],
        "nodepool_id": pool["nodepool_info"]["nodepool_id"],
        "nodepool_name": pool["nodepool_info"]["name"],
        "scaling_group_id": group["scaling_group_id"],
        "status": "Pending",
        "private_ip": address or free_address(region, vswitch),
        "zone_id": vswitch["ZoneId"],
        "vswitch_id": vswitch["VSwitchId"],
        "instance_type": type_name,
        "gpu_count": kind.gpu_count,
        "gpu_model": kind.gpu_model,
        "gpu_memory_mib": kind.gpu_memory_mib,
        "cpu": kind.cpu,
        "memory_mib": kind.memory_mib,
        "spot_strategy": spot_strategy,
        "instance_charge_type": group.get("instance_charge_type") or "PostPaid",
        "labels": {entry["key"]: entry.get("value", "") for entry in config.get("labels") or []},
        "taints": [
            {"key": t["key"], "value": t.get("value", ""), "effect": t.get("effect", "NoSchedule")}
            for t in config.get("taints") or []
        ],
        "tags": {
            _either(t, "Key", "key"): _either(t, "Value", "value") for t in group.get("tags") or []
        },
        "lock_reason": "",
        "market": "on_demand" if spot_strategy == NO_SPOT else "spot",
        "price_per_hour": market.price(region, type_name, spot_strategy != NO_SPOT),
        "created": (created := region.clock.now()),
        "billed_from": created,
        "protected_until": created
        + region.clock.real_seconds(region.scenario.delay("spot_protection")),
        "expires_at": None,
        "replaces": "",
        "remedied_by": "",
        "running_since": None,
    }
    save(region, instance)
    _next(region, instance["instance_id"], "instance_pending", "Starting")
    return instance


def _next(region: Region, instance_id: str, delay: str, state: str) -> None:
    seconds = region.scenario.delay(delay, region.store.count(f"draw/{delay}"))
    region.schedule("instance.next", seconds, id=instance_id, to=state)


def _either(row: dict[str, str], one: str, other: str) -> str:
    return row.get(one, row.get(other, ""))


def save(region: Region, instance: Instance) -> None:
    """Keep a changed instance under the next revision."""
    instance["rev"] = region.store.count(REVISION)
    region.store.put("instance", instance["instance_id"], instance)
    region.notify()


def touch(region: Region) -> None:
    """Have the long poll answer although no instance changed: something else that it tells of them
    did.
    """
    region.store.count(REVISION)
    region.notify()


@timer("instance.next")
def advance(region: Region, payload: Payload) -> None:
    """The next state of an instance's life; a release overtakes a boot."""
    instance = find_instance(region, payload["id"])
    if instance is None or (instance["status"] in _GONE and payload["to"] != "Deleted"):
        return
    instance["status"] = payload["to"]
    if payload["to"] == "Starting":
        _next(region, payload["id"], "instance_starting", "Running")
    elif payload["to"] == "Running":
        instance["running_since"] = region.clock.now()
        _relieve(region, instance)
    save(region, instance)
    if payload["to"] == "Deleted":
        region.schedule("instance.forget", 600, id=payload["id"])


def _relieve(region: Region, instance: Instance) -> None:
    """Let the reclaimed instance that this one replaces know."""
    old = find_instance(region, instance["replaces"]) if instance.get("replaces") else None
    if old is not None and old["status"] not in _GONE:
        old["remedied_by"] = instance["instance_id"]
        save(region, old)


@timer("instance.forget")
def forget(region: Region, payload: Payload) -> None:
    """A released instance leaves the lists."""
    region.store.delete("instance", payload["id"])


def release(region: Region, instance_id: str) -> Instance | None:
    """Release an instance; None when there is none. Releasing it twice changes nothing."""
    instance = find_instance(region, instance_id)
    if instance is None or instance["status"] in _GONE:
        return instance
    instance["status"] = "Stopping"
    save(region, instance)
    _next(region, instance_id, "instance_stopping", "Deleted")
    return instance


MOMENTS = ("created", "running_since", "billed_from", "protected_until", "expires_at")


def shown(instance: Instance) -> Document:
    """The instance as the control API shows it; moments are ISO stamps to the millisecond, or
    null.
    """
    return {
        **instance,
        **{name: iso_exact(at) if (at := instance.get(name)) else None for name in MOMENTS},
    }
