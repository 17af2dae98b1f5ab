"""The node autoscaler's decisions, as pure functions of what it sees.

The simplest rules that are right: a pool grows when waiting pods would fit on another of its nodes, and gives back nodes that stayed
empty, always between its minimum and maximum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.cluster.scheduling import Object, Room, is_daemon, is_ready, is_waiting_for_a_node, occupies

POOL_LABEL = "alibabacloud.com/nodepool-id"
INSTANCE_LABEL = "alibabacloud.com/ecs-instance-id"
DELETION_TAINT = "ToBeDeletedByClusterAutoscaler"


@dataclass(frozen=True)
class Pool:
    """A node pool that scales by itself. `template` is a node as it would get one; `alive` counts its instances, ordered ones too."""

    id: str
    low: int
    high: int
    alive: int
    template: Object


@dataclass
class Plan:
    """What to do now: instances to order by pool, nodes to give back, and which pods made the difference."""

    order: dict[str, int] = field(default_factory=dict)
    release: list[Object] = field(default_factory=list)
    helped: dict[str, list[Object]] = field(default_factory=dict)
    hopeless: list[Object] = field(default_factory=list)


def plan(
    pools: Sequence[Pool], nodes: Sequence[Object], booting: Sequence[Object], pods: Sequence[Object], empty_since: Mapping[str, float],
    now: float, patience: float,
) -> Plan:  # fmt: skip
    """Decide.

    `booting` are the nodes to come of instances that are not Ready yet; `empty_since` is `note_empty`'s memory; `patience` is how many
    seconds a node stays empty before it is given back.
    """
    made = grow(pools, nodes, booting, pods)
    if not made.order:
        made.release = shrink(pools, nodes, empty_since, now, patience)
    return made


def grow(pools: Sequence[Pool], nodes: Sequence[Object], booting: Sequence[Object], pods: Sequence[Object]) -> Plan:
    """Orders for the pods that the scheduler can't place, counting in what is free and what is on its way."""
    made = Plan(order={pool.id: pool.low - pool.alive for pool in pools if pool.alive < pool.low})
    rooms = [Room.on(node, _pods_on(node, pods)) for node in nodes if is_ready(node)] + [Room.on(node) for node in booting]
    rooms += [Room.on(pool.template) for pool in pools for _ in range(made.order.get(pool.id, 0))]
    waiting = sorted(
        filter(is_waiting_for_a_node, pods), key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"])
    )
    for pod in waiting:
        room = next((room for room in rooms if room.fits(pod)), None)
        if room is None:
            pool = _pool_for(pod, pools, made.order)
            if pool is None:
                made.hopeless.append(pod)
                continue
            made.order[pool.id] = made.order.get(pool.id, 0) + 1
            made.helped.setdefault(pool.id, []).append(pod)
            room = Room.on(pool.template)
            rooms.append(room)
        room.take(pod)
    return made


def shrink(pools: Sequence[Pool], nodes: Sequence[Object], empty_since: Mapping[str, float], now: float, patience: float) -> list[Object]:
    """Nodes that have been empty for `patience` seconds, oldest emptiness first, as far as their pool's minimum allows."""
    chosen: list[Object] = []
    for pool in pools:
        spare = pool.alive - pool.low
        own = [n for n in nodes if pool_of(n) == pool.id and now - empty_since.get(n["metadata"]["name"], now) >= patience]
        chosen += sorted(own, key=lambda node: empty_since[node["metadata"]["name"]])[: max(0, spare)]
    return chosen


def note_empty(memory: dict[str, float], nodes: Sequence[Object], pods: Sequence[Object], now: float) -> dict[str, float]:
    """Since when each Ready node of a pool has had no pod of its own (daemons don't count)."""
    busy = {pod["spec"]["nodeName"] for pod in pods if occupies(pod) and not is_daemon(pod)}
    names = [node["metadata"]["name"] for node in nodes if pool_of(node) and is_ready(node)]
    return {name: memory.get(name, now) for name in names if name not in busy}


def pool_of(node: Object) -> str:
    """The node pool a node belongs to, "" for none."""
    return (node["metadata"].get("labels") or {}).get(POOL_LABEL, "")


def instance_of(node: Object) -> str:
    """The ECS instance behind a node."""
    label = (node["metadata"].get("labels") or {}).get(INSTANCE_LABEL)
    return label or (node["spec"].get("providerID") or "").rpartition(".")[2]


def _pool_for(pod: Object, pools: Sequence[Pool], ordered: Mapping[str, int]) -> Pool | None:
    fitting = [p for p in pools if p.alive + ordered.get(p.id, 0) < p.high and Room.on(p.template).fits(pod)]
    return min(fitting, key=lambda pool: (_gpus(pool.template), pool.id), default=None)  # a pod without GPU need takes no GPU node


def _gpus(node: Object) -> int:
    return int((node["status"].get("allocatable") or {}).get("nvidia.com/gpu", 0))


def _pods_on(node: Object, pods: Sequence[Object]) -> list[Any]:
    return [pod for pod in pods if occupies(pod) and pod["spec"]["nodeName"] == node["metadata"]["name"]]
