"""Which nodes may go: what the cluster-autoscaler asks of a node before it takes it away, as pure functions of what it sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.cluster.scheduling import Object, Room, is_daemon, is_ready, occupies, quantity, requests

GPU = "nvidia.com/gpu"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
EMPTY_AT_ONCE = 10  # nodes without pods that go in one look; of nodes that must be drained first, one


@dataclass(frozen=True)
class Limits:
    """The cluster's autoscaling configuration, as far as taking nodes away goes."""

    enabled: bool = True
    utilization: float = 0.5
    """Share of requested CPU or memory below which a node may go."""
    gpu_utilization: float = 0.5
    """The same for GPU nodes: CPU, memory and GPUs must all be below."""
    unneeded: float = 600.0
    """Seconds a node must be unneeded."""
    after_add: float = 600.0
    """Seconds after a scale-up in which none goes."""
    local_storage: bool = False
    """Whether pods with local storage keep their node."""


@dataclass
class Leaving:
    """Nodes to take away now; `drain` has the pods that must move first."""

    empty: list[Object] = field(default_factory=list)
    drain: list[tuple[Object, list[Object]]] = field(default_factory=list)


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """The pods that hold resources, by their node's name."""
    found: dict[str, list[Object]] = {}
    for pod in pods:
        if occupies(pod):
            found.setdefault(pod["spec"]["nodeName"], []).append(pod)
    return found


def utilization(node: Object, pods: Iterable[Object]) -> float:
    """The largest share of CPU, memory and GPUs that pods have requested of a node."""
    total: dict[str, Any] = {}
    for pod in pods:
        for name, value in requests(pod).items():
            total[name] = total.get(name, 0) + value
    allocatable = node["status"].get("allocatable") or {}
    counted = [name for name in ("cpu", "memory", GPU) if quantity(allocatable.get(name, 0))]
    shares = [float(total.get(name, 0) / quantity(allocatable[name])) for name in counted]
    return max(shares, default=0.0)


def keeps_its_node(pod: Object, local_storage: bool = False) -> bool:
    """Whether a pod can't be moved: nobody would make it again, it forbids it, or its data would be lost."""
    if pod["metadata"].get("annotations", {}).get(SAFE_TO_EVICT) == "false":
        return True
    if not pod["metadata"].get("ownerReferences"):
        return True
    return local_storage and any("emptyDir" in volume or "hostPath" in volume for volume in pod["spec"].get("volumes") or [])


def movable(pods: Sequence[Object], elsewhere: Sequence[Room], budgets: Sequence[Object], limits: Limits) -> bool:
    """Whether all of a node's pods may be evicted now and would find room on other nodes, which they then take."""
    allowed = {id(budget): int((budget.get("status") or {}).get("disruptionsAllowed", 0)) for budget in budgets}
    for pod in pods:
        if keeps_its_node(pod, limits.local_storage):
            return False
        for budget in budgets:
            if _guards(budget, pod):
                allowed[id(budget)] -= 1
                if allowed[id(budget)] < 0:
                    return False
        room = next((room for room in elsewhere if room.fits(pod)), None)
        if room is None:
            return False
        room.take(pod)
    return True


def unneeded(
    nodes: Sequence[Object], pods: Mapping[str, Sequence[Object]], budgets: Sequence[Object], limits: Limits
) -> dict[str, list[Object]]:  # fmt: skip
    """Nodes the cluster could do without, by name, with the pods that would have to move."""
    found: dict[str, list[Object]] = {}
    for node in nodes:
        name = node["metadata"]["name"]
        held = [pod for pod in pods.get(name, []) if not is_daemon(pod)]
        gpus = quantity((node["status"].get("allocatable") or {}).get(GPU, 0))
        if not is_ready(node) or utilization(node, held) >= (limits.gpu_utilization if gpus else limits.utilization) > 0:
            continue
        others = [Room.on(o, pods.get(o["metadata"]["name"], [])) for o in nodes if held and o is not node and is_ready(o)]
        if not held or movable(held, others, budgets, limits):
            found[name] = held
    return found


def note(memory: Mapping[str, float], found: Iterable[str], now: float) -> dict[str, float]:
    """Since when each node has been unneeded without a break."""
    return {name: memory.get(name, now) for name in found}


def choose(
    nodes: Sequence[Object],
    spare: dict[str, int],
    pool_of: Mapping[str, str],
    found: Mapping[str, list[Object]],
    since: Mapping[str, float],
    now: float,
    limits: Limits,
) -> Leaving:
    """Who goes now: the longest unneeded first, `spare` nodes of each pool at most, empty ones in bulk, others one at a time."""
    leaving, left = Leaving(), dict(spare)
    ripe = [node for node in nodes if now - since.get(node["metadata"]["name"], now) >= limits.unneeded]
    for node in sorted(ripe, key=lambda node: since[node["metadata"]["name"]]):
        name = node["metadata"]["name"]
        pool = pool_of.get(name, "")
        if name not in found or left.get(pool, 0) <= 0:
            continue
        if not found[name] and len(leaving.empty) < EMPTY_AT_ONCE:
            leaving.empty.append(node)
        elif found[name] and not leaving.drain:
            leaving.drain.append((node, found[name]))
        else:
            continue
        left[pool] -= 1
    return leaving


def _guards(budget: Object, pod: Object) -> bool:
    selector = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
    labels = pod["metadata"].get("labels") or {}
    same = budget["metadata"].get("namespace") == pod["metadata"].get("namespace")
    return same and bool(selector) and all(labels.get(key) == value for key, value in selector.items())
