"""Which nodes may go: what the cluster-autoscaler asks of a node before it takes it away, as pure
functions of what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.controlplane.scheduling import (
    Object,
    Room,
    chosen_by,
    is_daemon,
    is_expendable,
    is_ready,
    occupies,
    requests,
)
from lab.quantities import quantity

GPU = "nvidia.com/gpu"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
SCALE_DOWN_DISABLED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
SYSTEM = "kube-system"
EVICTION_TIME = 120.0  # modelled seconds for which evictions are tried (`--max-pod-eviction-time`)
HEADROOM = 30.0  # modelled seconds more than its grace period that a pod gets to end
DEFAULT_GRACE = 30.0
EMPTY_AT_ONCE = (
    10  # nodes without pods that go in one look; of nodes that must be drained first, one
)


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
    unready: float = 1200.0
    """Seconds a node that is not Ready must be unneeded."""
    after_add: float = 600.0
    """Seconds after a scale-up in which none goes."""
    after_failure: float = 180.0
    """Seconds after a drain that failed in which none goes."""
    local_storage: bool = False
    """Whether pods with local storage keep their node. ACK's default; upstream's is that they
    do.
    """
    system_pods: bool = True
    """Whether pods of kube-system that no disruption budget covers keep their node."""
    longest_grace: float = 14400.0
    """Modelled seconds that a pod gets to end, at most. ACK's default; upstream's is 600."""


@dataclass
class Leaving:
    """Nodes to take away now; `drain` has the pods that must move first."""

    empty: list[Object] = field(default_factory=list)
    drain: list[tuple[Object, list[Object]]] = field(default_factory=list)


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """The pods that hold resources, by their node's name; expendable ones are as good as not
    there.
    """
    found: dict[str, list[Object]] = {}
    for pod in pods:
        if occupies(pod) and not is_expendable(pod):
            found.setdefault(pod["spec"]["nodeName"], []).append(pod)
    return found


def utilization(node: Object, pods: Iterable[Object]) -> float:
    """The largest share of CPU, memory and GPUs that pods have requested of a node, those of
    DaemonSets included.

    Of a GPU node upstream counts the GPUs alone; ACK wants CPU, memory and GPUs all below the
    threshold.
    """
    total: dict[str, Any] = {}
    for pod in pods:
        for name, value in requests(pod).items():
            total[name] = total.get(name, 0) + value
    allocatable = node["status"].get("allocatable") or {}
    counted = [name for name in ("cpu", "memory", GPU) if quantity(allocatable.get(name, 0))]
    shares = [float(total.get(name, 0) / quantity(allocatable[name])) for name in counted]
    return max(shares, default=0.0)


def keeps_its_node(pod: Object, limits: Limits, budgets: Sequence[Object] = ()) -> bool:
    """Whether a pod can't be moved: no controller would replace it, it forbids it, it is the
    system's, or its data would be lost.

    What says that it is safe to evict is believed, whatever else holds.
    """
    said = pod["metadata"].get("annotations") or {}
    if said.get(SAFE_TO_EVICT) == "true":
        return False
    if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or []):
        return True
    if (
        limits.system_pods
        and pod["metadata"].get("namespace") == SYSTEM
        and not any(_guards(budget, pod) for budget in budgets)
    ):
        return True
    return said.get(SAFE_TO_EVICT) == "false" or (limits.local_storage and has_local_storage(pod))


def has_local_storage(pod: Object) -> bool:
    """Whether the pod has a volume on its node's disk that it doesn't name as safe to lose."""
    safe = {
        name.strip()
        for name in ((pod["metadata"].get("annotations") or {}).get(SAFE_VOLUMES) or "").split(",")
    }
    return any(
        volume.get("name") not in safe and _is_local(volume)
        for volume in pod["spec"].get("volumes") or []
    )


def _is_local(volume: Object) -> bool:
    return "hostPath" in volume or (
        "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"
    )


def movable(
    pods: Sequence[Object], elsewhere: Sequence[Room], budgets: Sequence[Object], limits: Limits
) -> bool:
    """Whether all of a node's pods may be evicted now and would find room on other nodes, which
    they then take.
    """
    allowed = {
        id(budget): int((budget.get("status") or {}).get("disruptionsAllowed", 0))
        for budget in budgets
    }
    for pod in pods:
        if keeps_its_node(pod, limits, budgets):
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
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    budgets: Sequence[Object],
    limits: Limits,
    everywhere: Sequence[Object] | None = None,
) -> dict[str, list[Object]]:
    """Nodes the cluster could do without, by name, with the pods that would have to move to any
    other node (of `everywhere`).
    """
    found: dict[str, list[Object]] = {}
    for node in nodes:
        name = node["metadata"]["name"]
        held = [pod for pod in pods.get(name, []) if not is_daemon(pod)]
        gpus = quantity((node["status"].get("allocatable") or {}).get(GPU, 0))
        if (node["metadata"].get("annotations") or {}).get(SCALE_DOWN_DISABLED) == "true":
            continue
        if utilization(node, pods.get(name, [])) >= (
            limits.gpu_utilization if gpus else limits.utilization
        ):
            continue
        around = everywhere if everywhere is not None else nodes
        others = [
            Room.on(o, pods.get(o["metadata"]["name"], []))
            for o in around
            if held and o["metadata"]["name"] != name and is_ready(o)
        ]
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
    """Who goes now: the longest unneeded first, `spare` nodes of each pool at most, empty ones in
    bulk, others one at a time.
    """
    leaving, left = Leaving(), dict(spare)
    ripe = [
        node
        for node in nodes
        if now - since.get(node["metadata"]["name"], now)
        > (limits.unneeded if is_ready(node) else limits.unready)
    ]
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


def drain_failed(
    left: Sequence[Object], evicting: float, ending: float, longest_grace: float
) -> bool:
    """Whether a drain is given up: pods that could not be evicted in time, or that did not end
    within their grace period.

    `evicting` are the modelled seconds since it began, `ending` those since all of `left` are on
    their way out.
    """
    if any(not pod["metadata"].get("deletionTimestamp") for pod in left):
        return evicting >= EVICTION_TIME
    graces = [pod["spec"].get("terminationGracePeriodSeconds") for pod in left]
    longest = max(
        (DEFAULT_GRACE if grace is None else float(grace) for grace in graces), default=0.0
    )
    return bool(left) and ending >= min(longest, longest_grace) + HEADROOM


def _guards(budget: Object, pod: Object) -> bool:
    same = budget["metadata"].get("namespace") == pod["metadata"].get("namespace")
    return same and chosen_by(budget["spec"].get("selector"), pod["metadata"].get("labels") or {})
