"""The node pool, and what everything that can be tagged carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from interruption_handler.pool_sizing import exact_on_demand_nodes
from policy.resources import UNKNOWN, Resource, is_known, listed
from policy.rule import Rule
from policy.stacks import Stack

POOL = "alicloud:cs/nodePool:NodePool"
TAGS = ("project", "stack", "owner")
TAGGABLE = (
    POOL,
    "alicloud:oss/bucket:Bucket",
    "alicloud:ram/role:Role",
    "alicloud:cs/managedKubernetes:ManagedKubernetes",
    "alicloud:vpc/network:Network",
    "alicloud:vpc/switch:Switch",
)
MOST_MARKS = 12
"""Labels, taints and tags of a pool together: the scaling group has 20 tags, and ACK takes some for
each.
"""


def no_desired_size(resource: Resource, stack: Stack) -> Iterator[str]:
    """A size next to an autoscaler: each deployment would set it back."""
    if (
        resource.kind == POOL
        and resource.at("scalingConfig", "enable") is True
        and resource.at("desiredSize") is not None
    ):
        yield "desiredSize beside auto scaling: each deployment would take away the nodes that load has ordered; leave it out"


def spot_mix(resource: Resource, stack: Stack) -> Iterator[str]:
    """Preemptible pools that could lose everything at once, or cost what they were to save."""
    if resource.kind != POOL or resource.at("spotStrategy") in (None, "NoSpot", UNKNOWN):
        return
    base, percent = (
        _number(resource.at("onDemandBaseCapacity")),
        _number(resource.at("onDemandPercentageAboveBaseCapacity")),
    )
    most = _number(resource.at("scalingConfig", "maxSize"))
    if base is None or percent is None or not 0 <= percent <= 100:
        yield "onDemandBaseCapacity and onDemandPercentageAboveBaseCapacity (0 to 100) have to be said: the defaults are no mix"
        return
    if most and base > most:
        yield f"onDemandBaseCapacity {base} is above maxSize {most}: no node would be preemptible"
    if most:
        low, high = stack.paid_share
        share = 100 * exact_on_demand_nodes(most, base, percent) / most
        if not low <= share <= high:
            yield f"{share:.0f} % of the largest pool are pay-as-you-go: expected {low} to {high} % in {stack.name} (policy/stacks.toml)"
    if stack.protected and base < 1:
        yield "onDemandBaseCapacity is 0: when spot stock runs out at night, the only node goes; set at least 1"
    if resource.at("compensateWithOnDemand") is not True:
        yield "compensateWithOnDemand is not true: when no preemptible instance can be had, none comes"
    if resource.at("spotStrategy") == "SpotWithPriceLimit":
        yield from _limits(resource)


def _limits(resource: Resource) -> Iterator[str]:
    priced = {
        one.get("instanceType")
        for one in listed(resource.at("spotPriceLimits"))
        if isinstance(one, Mapping)
    }
    for kind in listed(resource.at("instanceTypes")):
        if kind not in priced:
            yield f"spotPriceLimits has none for {kind}: its price would have no bound"


def tagged(resource: Resource, stack: Stack) -> Iterator[str]:
    """Resources that nobody could find or bill."""
    tags = resource.at("tags")
    if resource.kind not in TAGGABLE or tags == UNKNOWN:
        return
    tags = tags if isinstance(tags, Mapping) else {}
    missing = [tag for tag in TAGS if not tags.get(tag)]
    if missing:
        yield f"no tag {', '.join(missing)}: an orphan of it cannot be found or charged to anyone; pass the stack's tags"
    elif is_known(tags["stack"]) and tags["stack"] != stack.name:
        yield f"tag stack is {tags['stack']}: expected {stack.name}; teardown of that stack would take this for its own"


def few_marks(resource: Resource, stack: Stack) -> Iterator[str]:
    """Pools that ACK can't mark completely."""
    if resource.kind == POOL:
        tags = resource.at("tags")
        number = (
            len(listed(resource.at("labels")))
            + len(listed(resource.at("taints")))
            + (len(tags) if isinstance(tags, Mapping) else 0)
        )
        if number > MOST_MARKS:
            yield f"{number} labels, taints and tags: expected at most {MOST_MARKS}; the node scaler would order nodes without the rest"


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


RULES = (
    Rule(
        "no-desired-size", "A pool with automatic scaling has no fixed size.", each=no_desired_size
    ),
    Rule(
        "spot-mix",
        "A preemptible pool keeps a paid share within the stack's bounds, and pays when no stock is left.",
        each=spot_mix,
    ),
    Rule("tags-are-there", f"Everything taggable has the tags {', '.join(TAGS)}.", each=tagged),
    Rule(
        "pool-has-few-marks",
        f"Labels, taints and tags of a pool are at most {MOST_MARKS}.",
        each=few_marks,
    ),
)
