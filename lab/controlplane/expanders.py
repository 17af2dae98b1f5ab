"""Which node pool grows when several could: the cluster-autoscaler's expanders, as pure
functions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lab.controlplane.scheduling import Object
from lab.quantities import quantity

LEAST_WASTE, PRIORITY, RANDOM = "least-waste", "priority", "random"


@dataclass(frozen=True)
class Option:
    """What one pool's growth would do: `count` more nodes such as `template`, on which `pods` fit.
    `group` is its scaling group.
    """

    pool: str
    group: str
    template: Object
    pods: Sequence[Object]
    count: int


def choose(
    options: Sequence[Option],
    expander: str = LEAST_WASTE,
    priorities: Mapping[str, str] | None = None,
) -> Option | None:
    """The option that the configured expander takes, by chance among equals; None of none.

    `priorities` are ACK's: priority to scaling groups' ids with commas between, the highest wins. A
    group that is not among them is not used, unless none is.
    """
    if not options:
        return None
    if expander == PRIORITY:
        options = _highest(options, priorities or {})
    elif expander != RANDOM:
        wasted = [waste(option) for option in options]
        options = [
            option for option, share in zip(options, wasted, strict=True) if share == min(wasted)
        ]
    return random.choice(options)


def waste(option: Option) -> Decimal:
    """Share of CPU plus share of memory that would lie idle: requests of the pods' containers
    against the nodes' capacity.
    """
    return sum((_idle(option, name) for name in ("cpu", "memory")), Decimal(0))


def _idle(option: Option, name: str) -> Decimal:
    status: Mapping[str, Any] = option.template["status"]
    there = (
        quantity((status.get("capacity") or status.get("allocatable") or {}).get(name, 0))
        * option.count
    )
    asked = sum((_requested(pod, name) for pod in option.pods), Decimal(0))
    return (there - asked) / there if there else Decimal(0)


def _requested(pod: Object, name: str) -> Decimal:
    containers = pod["spec"].get("containers") or []
    return sum(
        (
            quantity(((one.get("resources") or {}).get("requests") or {}).get(name, 0))
            for one in containers
        ),
        Decimal(0),
    )


def _highest(options: Sequence[Option], priorities: Mapping[str, str]) -> Sequence[Option]:
    ranks = {
        group.strip(): int(rank)
        for rank, groups in priorities.items()
        for group in str(groups).split(",")
    }
    listed = [option for option in options if option.group in ranks]
    top = max((ranks[option.group] for option in listed), default=0)
    return [option for option in listed if ranks[option.group] == top] or options
