"""Documents that several parts of the double read: their fields, and how they are found."""

from __future__ import annotations

from typing import NotRequired, TypedDict, cast

from lab.alicloud.state import Region


class Instance(TypedDict):
    """An ECS instance. Moments are epoch seconds, None for what has not been (yet)."""

    instance_id: str
    cluster_id: str
    """"" for one that somebody ordered without a node pool; so are the next three."""
    nodepool_id: str
    nodepool_name: str
    scaling_group_id: str
    status: str
    """Pending, Starting, Running, Stopping, Deleted."""
    private_ip: str
    zone_id: str
    vswitch_id: str
    instance_type: str
    gpu_count: int
    gpu_model: str
    gpu_memory_mib: int
    """Of each GPU."""
    cpu: int
    memory_mib: int
    spot_strategy: str
    """NoSpot, SpotWithPriceLimit, SpotAsPriceGo."""
    instance_charge_type: str
    labels: dict[str, str]
    taints: list[dict[str, str]]
    tags: dict[str, str]
    lock_reason: str
    """Recycling once the instance is under notice, else ""."""
    market: str
    """on_demand or spot."""
    price_per_hour: float
    """CNY, when it was ordered."""
    created: float
    billed_from: float
    protected_until: float
    """When price and stock may end it from."""
    expires_at: float | None
    """When a reclaimed one is released."""
    replaces: str
    """The reclaimed instance that this one stands in for, ""  for none."""
    remedied_by: str
    """The running instance that stands in for this one, "" for none."""
    running_since: float | None
    rev: NotRequired[int]
    """The revision at which it last changed."""


class Activity(TypedDict):
    """A scaling activity: an order of `delta` instances and what became of it."""

    ScalingActivityId: str
    ScalingGroupId: str
    nodepool_id: str
    delta: int
    StatusCode: str
    """InProgress, Successful, Warning (some of them), Failed."""
    StatusMessage: str
    Cause: str
    StartTime: str
    EndTime: str
    replaces: str
    market: str
    """mix (the pool's shares) or any (whatever there is)."""
    instances: list[str]


def all_instances(region: Region, **wanted: str) -> list[Instance]:
    """Instances whose fields equal `wanted`, in the order they were made; released ones too."""
    return cast(list[Instance], region.store.all("instance", **wanted))


def find_instance(region: Region, instance_id: str) -> Instance | None:
    """An instance by its id, None when there is none."""
    return cast(Instance | None, region.store.get("instance", instance_id))


def find_activity(region: Region, activity_id: str) -> Activity | None:
    """A scaling activity by its id, None when there is none."""
    return cast(Activity | None, region.store.get("activity", activity_id))
