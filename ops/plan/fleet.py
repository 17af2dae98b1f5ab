"""The nodes and pods of all simulations: arrays of simulations × slots, a slot being room for one
node with at most one serving pod.

`ops.plan.transitions` moves the fleet on through time; `ops.plan.node_scaling` orders and releases
nodes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from ops.plan.batch import DRAWS, Array, Batch
from ops.plan.market import Market
from ops.plan.model_parameters import ModelParameters, draw

NONE, SPOT, ON_DEMAND = 0, 1, 2
"""Charge type of the node in a slot; NONE: the slot is empty."""
ATTACHED, DETACHED = 1, 2
"""Pod on the node in a slot; NONE: no pod."""
INF = np.inf
BEFORE = -7200.0
"""When the nodes that are there at the start were ordered."""


@dataclass
class Slots:
    """The nodes of some simulations, one array per property (simulations × slots). Times are
    seconds since the start; `inf` is never.
    """

    charge_type: Array
    pod: Array
    unschedulable: Array
    """Cordoned: takes no new pod."""
    pool: Array
    """Spot pool of the node: type index × zones + zone."""
    price: Array
    """CNY per hour that the node costs."""
    notice: Array
    """Seconds between a notice to this node and its end."""
    ready_at: Array
    """When the node becomes ready."""
    serving_at: Array
    """When its pod becomes ready."""
    end: Array
    """When the instance is released after a notice."""
    notice_at: Array
    """When the market will give notice."""
    idle_since: Array
    """Since when the node has been empty and not needed."""
    ordered_at: Array

    @classmethod
    def empty(cls, simulations: int, slots: int, notice: float) -> Slots:
        """Empty slots; `notice` is the usual length of a notice, in seconds."""
        shape = (simulations, slots)
        return cls(
            charge_type=np.zeros(shape, np.int8),
            pod=np.zeros(shape, np.int8),
            unschedulable=np.zeros(shape, bool),
            pool=np.zeros(shape, np.int16),
            price=np.zeros(shape),
            notice=np.full(shape, notice),
            ready_at=np.full(shape, INF),
            serving_at=np.full(shape, INF),
            end=np.full(shape, INF),
            notice_at=np.full(shape, INF),
            idle_since=np.full(shape, INF),
            ordered_at=np.full(shape, INF),
        )

    def _arrays(self) -> tuple[Array, ...]:
        return (
            self.charge_type, self.pod, self.unschedulable, self.pool, self.price, self.notice, self.ready_at, self.serving_at, self.end,
            self.notice_at, self.idle_since, self.ordered_at,
        )  # fmt: skip

    def take(self, rows: Array) -> Slots:
        """A copy of the slots of the simulations `rows`."""
        return Slots(*(array[rows] for array in self._arrays()))

    def put(self, rows: Array, part: Slots) -> None:
        """Write back what `take` gave."""
        for array, changed in zip(self._arrays(), part._arrays(), strict=True):
            array[rows] = changed

    def held(self) -> Array:
        """Where there is a node."""
        return self.charge_type != NONE

    def serving(self, now: float) -> Array:
        """Where a ready pod serves."""
        return (self.pod != NONE) & (self.serving_at <= now)

    def free(self, now: float) -> Array:
        """Where a ready node takes a pod."""
        return (
            self.held()
            & (self.ready_at <= now)
            & (self.pod == NONE)
            & (self.end == INF)
            & ~self.unschedulable
        )


class Fleet:
    """State of all simulations. Times are seconds since the start; `inf` is never."""

    def __init__(
        self,
        batch: Batch,
        parameters: ModelParameters,
        markets: list[Market],
        step: float = 1.0,
        record: bool = False,
    ) -> None:
        """`markets` has one market per seed; `record` keeps a bill of every released node."""
        self.batch, self.parameters, self.markets, self.step = batch, parameters, markets, step
        count = batch.count
        self.slots = Slots.empty(count, int(batch.max_size.max()), parameters.notice)
        self.desired = np.zeros(count, np.int64)
        """Pods that the decider asks for."""
        self.ready, self.ready_spot = np.zeros(count, np.int64), np.zeros(count, np.int64)
        """Ready pods; those of them on preemptible nodes."""
        self.stale_pods = np.zeros(count, np.int64)
        """Pods of lost nodes that Kubernetes still counts."""
        self.waiting, self.detached = np.zeros(count, np.int64), np.zeros(count, np.int64)
        """Pods without a node; detached pods."""
        self.nodes, self.nodes_on_demand = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.under_notice, self.booting = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.up_spot = np.zeros(count, np.int64)
        """Preemptible nodes that are ready."""
        self.rate, self.rate_spot, self.rate_list = (np.zeros(count) for _ in range(3))
        """CNY per hour: of all nodes, of the preemptible ones, of all at pay-as-you-go prices."""
        self.lost_serving_pods = np.zeros(count)
        """Serving pods that were lost with their node in this step."""
        self.due = np.zeros(count)
        """When something happens next in a simulation."""
        self.waiting_since = np.full(count, INF)
        """Since when a pod has been waiting for a node."""
        self.grown_at = np.full(count, -INF)
        """When a node was last ordered."""
        self.mix_at = np.full(count, INF)
        """When the next replacement of surplus pay-as-you-go nodes starts."""
        self.mix_pause, self.mix_size = batch.mix_after / 2, np.ones(count, np.int64)
        """Pause after a failed replacement; nodes replaced at a time."""
        self.mix_before = np.full(count, -1, np.int64)
        """Pay-as-you-go nodes before the last replacement; -1 without one."""
        self.remedy_owed = np.zeros(count, np.int64)
        """Replacements that ACK's remedy is about to order."""
        self.types = batch.spot_price.shape[1]
        self.stock = np.ones((len(markets), self.types, parameters.zones), bool)
        """seeds × types × zones: whether preemptible nodes can be bought."""
        self.bills: list[tuple[int, int, float, float, float]] | None = [] if record else None
        """(simulation, charge type, ordered at, released at, CNY per hour) of every released node,
        when recording.
        """
        self.next_event = [0] * len(markets)
        """Index of each market's next event."""
        self._stale: list[tuple[float, int, int]] = []
        self._drawn = np.zeros(count, np.int64)

    def random(self, rows: Array) -> Array:
        """A number of [0, 1) for each of the simulations `rows`, from its seed."""
        return self.random_at(rows, np.ones((len(rows), 1), bool))

    def random_at(self, rows: Array, where: Array) -> Array:
        """Numbers of [0, 1) for the true places of `where` (rows × slots), row by row. What a
        simulation draws depends on no other simulation.
        """
        number = np.cumsum(where, axis=1)
        index = (self._drawn[rows, None] + number - 1) % DRAWS
        self._drawn[rows] += number[:, -1]
        return self.batch.draws[self.batch.seed[rows, None], index][where]

    def near(self, times: Array) -> Array:
        """Times rounded to the nearest step: what is due falls on a step, too early as often as too
        late.
        """
        return np.round(times / self.step) * self.step

    def want(self, desired: Array, now: float) -> None:
        """Set the number of pods asked for, by simulation."""
        changed = desired != self.desired
        if changed.any():
            self.desired = np.where(changed, desired, self.desired)
            self.due[changed] = now

    def add_stale_pods(self, simulation: int, count: int, until: float) -> None:
        """Let Kubernetes count `count` pods of lost nodes as present until `until`."""
        self.stale_pods[simulation] += count
        heapq.heappush(self._stale, (float(self.near(np.array(until))), simulation, count))

    def remove_stale_pods(self, now: float) -> None:
        """Remove the stale pods that Kubernetes has noticed by `now`."""
        while self._stale and self._stale[0][0] <= now:
            _, simulation, count = heapq.heappop(self._stale)
            self.stale_pods[simulation] -= count
            self.due[simulation] = now

    def release(self, rows: Array, slots: Slots, gone: Array, now: float) -> None:
        """Empty the places `gone` of `slots`, the slots of the simulations `rows`."""
        if self.bills is not None:
            for index, slot in zip(*np.nonzero(gone), strict=True):
                self.bills.append(
                    (
                        int(rows[index]),
                        int(slots.charge_type[index, slot]),
                        float(slots.ordered_at[index, slot]),
                        now,
                        float(slots.price[index, slot]),
                    )
                )
        slots.charge_type[gone], slots.pod[gone] = NONE, NONE
        slots.unschedulable[gone], slots.price[gone] = False, 0.0
        slots.ready_at[gone] = slots.serving_at[gone] = slots.end[gone] = INF
        slots.notice_at[gone] = slots.idle_since[gone] = slots.ordered_at[gone] = INF
        slots.notice[gone] = self.parameters.notice

    def start(self, pods: Array, on_demand: Array | None = None, spot: Array | None = None) -> None:
        """Begin in a steady state: `pods` ready pods, and nodes for them, the headroom and the
        minimum, in the pool's mix unless the numbers of nodes are given.
        """
        batch, slots = self.batch, self.slots
        self.desired = pods.astype(np.int64)
        nodes = np.clip(
            np.maximum(pods + batch.headroom, batch.min_size), 0, batch.max_size
        ).astype(np.int64)
        wanted = batch.wanted_on_demand(np.arange(batch.count), nodes)
        first = wanted if on_demand is None else on_demand
        second = nodes - wanted if spot is None else spot
        slot = np.arange(slots.pod.shape[1])[None, :]
        paid = slot < first[:, None]
        preemptible = ~paid & (slot < (first + second)[:, None])
        held = paid | preemptible
        types = np.maximum((batch.spot_price < INF).sum(axis=1), 1)[:, None]
        spot_price = np.take_along_axis(batch.spot_price, slot % types, axis=1)
        zones = self.parameters.zones
        slots.charge_type[:] = np.where(paid, ON_DEMAND, np.where(preemptible, SPOT, NONE))
        slots.pool[:] = (slot % types) * zones + slot // types % zones
        slots.price[:] = np.where(
            paid, batch.on_demand_price[:, None], np.where(preemptible, spot_price, 0.0)
        )
        slots.pod[:] = np.where(held & (slot < pods[:, None]), ATTACHED, NONE)
        slots.serving_at[:] = np.where(slots.pod == ATTACHED, -1.0, INF)
        slots.ready_at[:] = np.where(held, -1.0, INF)
        slots.ordered_at[:] = np.where(held, BEFORE, INF)
        hazard = np.array([market.hazard for market in self.markets])[batch.seed][:, None]
        lifetimes = _lifetimes(batch.draws[batch.seed[:, None], -1 - slot], hazard)
        slots.notice_at[:] = np.where(preemptible, lifetimes, INF)
        self.due[:] = 0.0

    def boot(self, rows: Array) -> Array:
        """Seconds from an order to a ready node, one for each row."""
        return self.near(draw(self.parameters.boot, self.random(rows)))

    def lifetime(self, rows: Array) -> Array:
        """Seconds until the market takes a new preemptible node, one for each row."""
        seed = self.batch.seed[rows]
        hazard = np.array([market.hazard for market in self.markets])[seed]
        protected = np.array([market.protected for market in self.markets])[seed]
        return protected + _lifetimes(self.random(rows), hazard)


def _lifetimes(shares: Array, hazard: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(hazard > 0, -np.log1p(-shares) / np.maximum(hazard, 1e-30), INF)
