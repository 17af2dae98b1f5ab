"""A cluster small enough to be played second by second: ReplicaSet, scheduler, budget, node scaler,
ACK's remedy, and our handler.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from interruption_handler.actions import Cordon, Delete, Detach, Evict
from interruption_handler.loop import decide
from interruption_handler.snapshot import ClusterSnapshot
from tests.unit.cluster_objects import NOW, config, node, pod

BOOT, LOAD, NOTICE = 150, 40, 300
"""Seconds until an ordered node is there, until a placed pod serves, from notice to release."""


@dataclass
class Small:
    """`remedies` of the nodes under notice get a replacement from ACK, which then drains the old
    node; the node scaler helps the rest.
    """

    spot: int
    on_demand: int
    remedies: int = 0
    budget: int = 1
    """Pods that may be unavailable by eviction; -1: every eviction is refused."""
    handler: bool = True
    did: list[tuple[str, str]] = field(default_factory=list)
    serving: list[int] = field(default_factory=list)
    """Ready pods, second by second."""

    def __post_init__(self) -> None:
        names = [(f"s{n}", True) for n in range(self.spot)] + [
            (f"d{n}", False) for n in range(self.on_demand)
        ]
        self.nodes = {name: node(name, spot=spot) for name, spot in names}
        self.pods = {f"p-{name}": pod(f"p-{name}", name) for name in self.nodes}
        self.desired, self.second, self._created = len(self.nodes), 0, 0
        self._booting: list[tuple[int, str]] = []
        self._placed: dict[str, int] = {}
        self._under_notice = [name for name in self.nodes if name.startswith("s")]
        self._relief = {f"r{n}": name for n, name in enumerate(self._under_notice[: self.remedies])}

    def lose_spot(self, seconds: int = 420) -> Small:
        """Notice for all preemptible nodes now, and what becomes of it within so many seconds."""
        for name in self._under_notice:
            self.nodes[name] = replace(self.nodes[name], notice_at=NOW)
        self._booting += [(BOOT, name) for name in self._relief]
        for self.second in range(seconds):
            self._cloud()
            self._controllers()
            if self.handler:
                self._handle()
            self.serving.append(sum(each.ready for each in self.pods.values()))
        return self

    def _cloud(self) -> None:
        """Ordered nodes come, nodes whose notice is over go with their pods, ACK drains what it has
        relieved: pods that have an owner.
        """
        for due, name in [entry for entry in self._booting if entry[0] <= self.second]:
            self._booting.remove((due, name))
            self.nodes[name] = node(name, created=NOW + self.second)
            if name in self._relief and (old := self._relief[name]) in self.nodes:
                self.nodes[old] = replace(self.nodes[old], unschedulable=True)
        if self.second == NOTICE:
            for name in self._under_notice:
                self.nodes.pop(name)
            self.pods = {
                key: each
                for key, each in self.pods.items()
                if not each.node or each.node in self.nodes
            }
        for new, old in self._relief.items():
            for each in [
                p
                for p in self.pods.values()
                if new in self.nodes and p.node == old and p.template_hash
            ]:
                self._evict(each.name)

    def _controllers(self) -> None:
        """The ReplicaSet makes what is missing, the scheduler places it, the node scaler orders for
        what finds no room.
        """
        for _ in range(self.desired - sum(bool(each.template_hash) for each in self.pods.values())):
            self._created += 1
            self.pods[f"n{self._created}"] = pod(f"n{self._created}", created=NOW + self.second)
        taken = {each.node for each in self.pods.values()}
        free = [
            name
            for name, each in self.nodes.items()
            if not each.unschedulable and name not in taken
        ]
        waiting = [each for each in self.pods.values() if not each.node]
        for each, node_name in zip(waiting, free, strict=False):
            self.pods[each.name] = replace(each, node=node_name)
            self._placed[each.name] = self.second
        for name, since in self._placed.items():
            if name in self.pods and self.second - since >= LOAD:
                self.pods[name] = replace(self.pods[name], ready=True)
        for n in range(len(waiting) - len(free) - len(self._booting)):
            self._booting.append((self.second + BOOT, f"o{self.second}-{n}"))

    def _handle(self) -> None:
        """The handler's decisions, carried out as the API server would."""
        for action in decide(
            ClusterSnapshot(dict(self.nodes), dict(self.pods), self.desired),
            config(),
            NOW + self.second,
        ):
            match action:
                case Cordon(cordoned, why):
                    self.nodes[cordoned.name] = replace(
                        self.nodes[cordoned.name], unschedulable=True, cordon_reason=why
                    )
                    node_name = cordoned.name
                case Detach(moved, why):
                    self.pods[moved.name] = replace(
                        moved,
                        template_hash="",
                        detached_hash=moved.template_hash,
                        detach_reason=why,
                        owned=False,
                    )
                    node_name = moved.node
                case Evict(moved, _):
                    if not self._evict(moved.name):
                        continue
                    node_name = moved.node
                case Delete(moved, _, _):
                    self.pods.pop(moved.name, None)
                    node_name = moved.node
                case other:
                    raise AssertionError(f"the small cluster does not know {other}")
            self.did.append((type(action).__name__, node_name))

    def _evict(self, name: str) -> bool:
        """Granted while at most `budget` of the desired pods would be missing."""
        others = sum(each.ready for each in self.pods.values() if each.name != name)
        granted = self.budget >= 0 and others >= self.desired - self.budget
        if granted:
            self.pods.pop(name)
        return granted
