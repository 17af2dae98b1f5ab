"""The node autoscaler's decisions, as pure functions of what it sees.

A pool grows when waiting pods would fit on another of its nodes, after the wait that the upstream
autoscaler takes for pods with GPUs. What it gives back is in `scale_down`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lab.controlplane.expanders import LEAST_WASTE, Option, choose
from lab.controlplane.scale_down import GPU, by_node
from lab.controlplane.scheduling import (
    Object,
    Room,
    is_daemon,
    is_expendable,
    is_ready,
    is_waiting_for_a_node,
    requests,
)

POOL_LABEL = "alibabacloud.com/nodepool-id"
INSTANCE_LABEL = "alibabacloud.com/ecs-instance-id"
DELETION_TAINT = "ToBeDeletedByClusterAutoscaler"
UNREADY_ALLOWED, UNREADY_SHARE = 3, 0.45
"""With more nodes that are not Ready than both, nothing is done (`--ok-total-unready-count`,
`--max-total-unready-percentage`).
"""


@dataclass(frozen=True)
class Waits:
    """Modelled seconds for which new pods are let wait, so that a burst is one order. Upstream's
    are 2 and 30; no flag shortens them.
    """

    plain: float = 0.0
    gpu: float = 0.0


@dataclass(frozen=True)
class Pool:
    """A node pool that scales automatically. `template` is a node as it would get one; `alive`
    counts its instances, ordered ones too.
    """

    id: str
    low: int
    high: int
    alive: int
    template: Object
    group: str = ""
    """Its scaling group, by which ACK's priorities name it."""


@dataclass(frozen=True)
class Choice:
    """How a pool is chosen. The cluster-autoscaler grows one pool in a look, node instant scaling
    as many as it needs.

    `held` are the pools that are left alone after a failure.
    """

    expander: str = LEAST_WASTE
    priorities: Mapping[str, str] = field(default_factory=dict)
    held: Collection[str] = ()
    one_pool: bool = True


@dataclass
class Growth:
    """What to order by pool, and which pods made the difference. `waiting`: everything was too new,
    the next look decides.
    """

    order: dict[str, int] = field(default_factory=dict)
    helped: dict[str, list[Object]] = field(default_factory=dict)
    hopeless: list[Object] = field(default_factory=list)
    waiting: bool = False


def grow(
    pools: Sequence[Pool],
    nodes: Sequence[Object],
    booting: Sequence[Object],
    pods: Sequence[Object],
    ages: Mapping[str, float] | None = None,
    waits: Waits = Waits(),
    choice: Choice = Choice(),
) -> Growth:
    """Orders for the pods that the scheduler can't place, counting in what is free and what is on
    its way.

    `ages` are the pods' modelled seconds since they wait, by uid; without, none is too new.
    """
    made = Growth(order={pool.id: pool.low - pool.alive for pool in pools if pool.alive < pool.low})
    held = by_node(pods)
    rooms = [
        Room.on(node, held.get(node["metadata"]["name"], []))
        for node in nodes
        if is_ready(node) and not is_expiring(node)
    ]
    rooms += [Room.on(node) for node in booting]
    rooms += [Room.on(pool.template) for pool in pools for _ in range(made.order.get(pool.id, 0))]
    search = Search(rooms)
    homeless = [pod for pod in _waiting(pods) if not search.place(pod)]
    if ages is not None and too_new(homeless, ages, waits):
        made.waiting = bool(homeless)
        return made
    usable = [pool for pool in pools if pool.id not in choice.held]
    while homeless:
        options = [
            option
            for pool in usable
            if (option := _option(pool, usable, homeless, made.order)).pods
        ]
        can_be_helped = {id(pod) for option in options for pod in option.pods}
        made.hopeless += [pod for pod in homeless if id(pod) not in can_be_helped]
        best = choose(options, choice.expander, choice.priorities)
        if best is None:
            break
        made.order[best.pool] = made.order.get(best.pool, 0) + best.count
        made.helped.setdefault(best.pool, []).extend(best.pods)
        helped = {id(pod) for pod in best.pods}
        homeless = [pod for pod in homeless if id(pod) in can_be_helped and id(pod) not in helped]
        if choice.one_pool:
            break
    return made


def _option(
    pool: Pool, pools: Sequence[Pool], homeless: Sequence[Object], ordered: Mapping[str, int]
) -> Option:
    """What this pool's growth would do for the pods without a place. A pod that needs no GPU counts
    for a GPU pool only where no other pool would take it, which is ACK's rule.
    """
    search, helped, most = (
        Search([]),
        list[Object](),
        pool.high - pool.alive - ordered.get(pool.id, 0),
    )
    plain = [other for other in pools if not _gpus(other.template)] if _gpus(pool.template) else []
    for pod in homeless:
        if (
            plain
            and not requests(pod).get(GPU)
            and any(Room.on(other.template).fits(pod) for other in plain)
        ):
            continue
        if search.place(pod):
            helped.append(pod)
        elif len(search.rooms) < most and Room.on(pool.template).fits(pod):
            search.add(Room.on(pool.template), pod)
            helped.append(pod)
    return Option(pool.id, pool.group, pool.template, helped, len(search.rooms))


def _waiting(pods: Sequence[Object]) -> list[Object]:
    """Pods to be helped, the oldest first; those that may be sacrificed, those that another pod
    will make room for, and those of DaemonSets are not.
    """
    found = [
        pod
        for pod in pods
        if is_waiting_for_a_node(pod)
        and not is_expendable(pod)
        and not is_daemon(pod)
        and not (pod.get("status") or {}).get("nominatedNodeName")
    ]
    return sorted(
        found,
        key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]),
    )


def can_order(nodes: Sequence[Object], scaler: str, from_zero: bool | None) -> bool:
    """Whether there is anybody to order anything.

    The cluster-autoscaler is a pod: without a single Ready node it doesn't run. Node instant
    scaling runs outside; without a Ready node it orders only where `scale_up_from_zero` is on,
    which is the default.
    """
    if any(map(is_ready, nodes)):
        return True
    return scaler == "goatscaler" and from_zero is not False


def healthy(nodes: Sequence[Object], young: Collection[str] = ()) -> bool:
    """Whether so few nodes are not Ready that the cluster-autoscaler continues, not counting those
    that leave or were just made (`young`).
    """
    down = [
        node
        for node in nodes
        if not is_ready(node) and not _is_marked(node) and node["metadata"]["name"] not in young
    ]
    return not (len(down) > UNREADY_ALLOWED and len(down) > UNREADY_SHARE * len(nodes))


def too_new(pods: Sequence[Object], ages: Mapping[str, float], waits: Waits) -> bool:
    """Whether the autoscaler waits for more: until the oldest pod, and the oldest of those with
    GPUs, has waited long enough.

    The rule of the upstream autoscaler: one old pod with a GPU ends the wait for all.
    """
    if not pods:
        return True
    if max(ages.get(pod["metadata"]["uid"], 0.0) for pod in pods) < waits.plain:
        return True
    with_gpu = [ages.get(pod["metadata"]["uid"], 0.0) for pod in pods if requests(pod).get(GPU)]
    return bool(with_gpu) and max(with_gpu) < waits.gpu


class Search:
    """First fit over many rooms. Pods that ask for the same begin where the last of them found
    room: 1,000 pods on 500 nodes stay quick.
    """

    def __init__(self, rooms: list[Room]) -> None:
        self.rooms = rooms
        self._from: dict[str, int] = {}

    def place(self, pod: Object) -> bool:
        """Take the first room that fits; False when none does."""
        key = _kind(pod)
        for number in range(self._from.get(key, 0), len(self.rooms)):
            if self.rooms[number].fits(pod):
                self.rooms[number].take(pod)
                self._from[key] = number
                return True
        self._from[key] = len(self.rooms)
        return False

    def add(self, room: Room, pod: Object) -> None:
        """A room more, with a pod in it."""
        room.take(pod)
        self.rooms.append(room)
        self._from[_kind(pod)] = len(self.rooms) - 1


def _kind(pod: Object) -> str:
    """The same text for pods that ask for the same."""
    spec = pod["spec"]
    asked = [container.get("resources") for container in spec.get("containers") or []]
    first = [container.get("resources") for container in spec.get("initContainers") or []]
    return json.dumps(
        [asked, first, spec.get("nodeSelector"), spec.get("affinity"), spec.get("tolerations")],
        sort_keys=True,
    )


def is_expiring(node: Object) -> bool:
    """Whether the node's instance has been given notice."""
    return any(
        c["type"] == "InstanceExpired" and c["status"] == "True"
        for c in node["status"].get("conditions") or []
    )


def leaves(node: Object) -> bool:
    """Whether the node is already on its way out."""
    return _is_marked(node) or is_expiring(node)


def _is_marked(node: Object) -> bool:
    return any(taint["key"] == DELETION_TAINT for taint in node["spec"].get("taints") or [])


def pool_of(node: Object) -> str:
    """The node pool a node belongs to, "" for none."""
    return (node["metadata"].get("labels") or {}).get(POOL_LABEL, "")


def instance_of(node: Object) -> str:
    """The ECS instance behind a node."""
    label = (node["metadata"].get("labels") or {}).get(INSTANCE_LABEL)
    return label or (node["spec"].get("providerID") or "").rpartition(".")[2]


def _gpus(node: Object) -> int:
    return int((node["status"].get("allocatable") or {}).get(GPU, 0))
