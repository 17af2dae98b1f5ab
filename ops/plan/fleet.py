"""The nodes and pods of all lanes: arrays of lanes × slots, a slot being a place for one node with
at most one serving pod.

Only lanes in which something is due are touched (`due`): gathered, moved on to `now` by the steps
of `ops.plan.life`, and put back.
"""

from __future__ import annotations

import heapq

import numpy as np

from ops.plan.lanes import DRAWS, Array, Lanes
from ops.plan.market import Event, Market
from ops.plan.world import World, draw

NONE, SPOT, ON_DEMAND = 0, 1, 2
ATTACHED, DETACHED = 1, 2
SLOTS = (
    "kind",
    "pod",
    "shut",
    "up",
    "at",
    "end",
    "told",
    "idle",
    "born",
    "price",
    "group",
    "notice",
)
INF = np.inf


class Fleet:
    """State of all lanes. Times are seconds since the start; `inf` is never."""

    def __init__(
        self,
        lanes: Lanes,
        world: World,
        markets: list[Market],
        step: float = 1.0,
        record: bool = False,
    ) -> None:
        self.lanes, self.world, self.markets, self.step = lanes, world, markets, step
        count, slots = lanes.count, int(lanes.max_size.max())
        shape = (count, slots)
        self.kind, self.pod = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        self.shut = np.zeros(shape, bool)
        self.group = np.zeros(shape, np.int16)
        self.price = np.zeros(shape)
        self.notice = np.full(shape, world.notice)
        self.up, self.at, self.end, self.told, self.idle, self.born = (
            np.full(shape, INF) for _ in range(6)
        )
        self.desired = np.zeros(count, np.int64)
        self.ready, self.ready_spot, self.ghosts, self.counter, self.ordered = (
            np.zeros(count, np.int64) for _ in range(5)
        )
        self.nodes, self.nodes_on_demand, self.expiring, self.booting, self.waiting = (
            np.zeros(count, np.int64) for _ in range(5)
        )
        self.up_spot, self.detached, self.rate_list = (
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(count),
        )
        self.rate, self.rate_spot, self.due, self.cut = (np.zeros(count) for _ in range(4))
        self.since, self.mix_at = np.full(count, INF), np.full(count, INF)
        self.grown = np.full(count, -INF)
        self.mix_pause, self.mix_batch = lanes.mix_after / 2, np.ones(count, np.int64)
        self.mix_held = np.full(count, -1, np.int64)
        self.remedy_owed = np.zeros(count, np.int64)
        self.types = lanes.spot_price.shape[1]
        self.stock = np.ones((len(markets), self.types, world.zones), bool)
        self._haunted: list[tuple[float, int, int]] = []
        self._pointer = [0] * len(markets)
        self.bills: list[tuple[int, int, float, float, float]] | None = [] if record else None
        """(lane, kind, born, gone, CNY per hour) of every node that is gone, when recording."""

    def random(self, rows: Array) -> Array:
        """A number of [0, 1) for each of the lanes `rows`, from its seed."""
        return self.random_at(rows, np.ones((len(rows), 1), bool))

    def random_at(self, rows: Array, where: Array) -> Array:
        """Numbers of [0, 1) for the true places of `where` (rows × slots), row by row. What a lane
        draws depends on no other lane.
        """
        number = np.cumsum(where, axis=1)
        index = (self.counter[rows, None] + number - 1) % DRAWS
        self.counter[rows] += number[:, -1]
        return self.lanes.table[self.lanes.seed[rows, None], index][where]

    def haunt(self, lane: int, count: int, until: float) -> None:
        """`count` pods of lost nodes still count as there until `until`."""
        self.ghosts[lane] += count
        heapq.heappush(self._haunted, (float(self.near(np.array(until))), lane, count))

    def near(self, times: Array) -> Array:
        """Times rounded to the nearest step: what is due falls on a step, too early as often as too
        late.
        """
        return np.round(times / self.step) * self.step

    def tick(self, now: float) -> None:
        """Bring everything that is due by `now` about."""
        while self._haunted and self._haunted[0][0] <= now:
            _, lane, count = heapq.heappop(self._haunted)
            self.ghosts[lane] -= count
            self.due[lane] = now
        for seed, market in enumerate(self.markets):
            while (
                self._pointer[seed] < len(market.events)
                and market.events[self._pointer[seed]].at <= now
            ):
                self._strike(seed, market, market.events[self._pointer[seed]], now)
                self._pointer[seed] += 1
        rows = np.flatnonzero(self.due <= now)
        if rows.size:
            from ops.plan.life import advance

            advance(self, rows, now)

    def want(self, desired: Array, now: float) -> None:
        """The number of pods asked for, by lane."""
        changed = desired != self.desired
        if changed.any():
            self.desired = np.where(changed, desired, self.desired)
            self.due[changed] = now

    def _strike(self, seed: int, market: Market, event: Event, now: float) -> None:
        """A market event: stock changes, or notices to a share of the preemptible nodes."""
        where = (
            slice(None) if event.type is None else event.type % self.types,
            slice(None) if event.zone is None else event.zone,
        )
        if event.kind in ("out", "back"):
            self.stock[(seed, *where)] = event.kind == "back"
            self.due[self.lanes.seed == seed] = now
            return
        lanes = np.flatnonzero(self.lanes.seed == seed)
        hit = (self.kind[lanes] == SPOT) & (self.end[lanes] == INF)
        if event.type is not None:
            hit &= self.group[lanes] // self.world.zones == event.type % self.types
        if event.zone is not None:
            hit &= self.group[lanes] % self.world.zones == event.zone
        if not event.forced:
            hit &= now - self.born[lanes] >= market.protected
        if event.share < 1:
            rank = np.cumsum(hit, axis=1)
            hit &= rank <= np.round(event.share * hit.sum(axis=1))[:, None]
        self.told[lanes] = np.where(hit, now, self.told[lanes])
        if event.notice is not None:
            self.notice[lanes] = np.where(hit, event.notice, self.notice[lanes])
        self.due[lanes[hit.any(axis=1)]] = now

    def start(self, pods: Array, on_demand: Array | None = None, spot: Array | None = None) -> None:
        """Begin in a steady state: `pods` ready pods, and nodes for them, the headroom and the
        minimum, by the mix unless given.
        """
        lanes = self.lanes
        self.desired = pods.astype(np.int64)
        nodes = np.clip(
            np.maximum(pods + lanes.headroom, lanes.min_size), 0, lanes.max_size
        ).astype(np.int64)
        wanted = on_demand_of(nodes, lanes.base, lanes.percent, lanes.spot, self.world.rounding)
        first = wanted if on_demand is None else on_demand
        second = nodes - wanted if spot is None else spot
        slot = np.arange(self.kind.shape[1])[None, :]
        demand, preempt = (
            slot < first[:, None],
            (slot >= first[:, None]) & (slot < (first + second)[:, None]),
        )
        held = demand | preempt
        self.kind[:] = np.where(demand, ON_DEMAND, np.where(preempt, SPOT, NONE))
        used = np.maximum((lanes.spot_price < INF).sum(axis=1), 1)[:, None]
        own = np.take_along_axis(lanes.spot_price, (slot % used), axis=1)
        self.group[:] = (slot % used) * self.world.zones + slot // used % self.world.zones
        self.price[:] = np.where(demand, lanes.od_price[:, None], np.where(preempt, own, 0.0))
        self.pod[:] = np.where(held & (slot < pods[:, None]), ATTACHED, NONE)
        self.at[:] = np.where(self.pod == ATTACHED, -1.0, INF)
        self.up[:], self.born[:] = np.where(held, -1.0, INF), np.where(held, -7200.0, INF)
        hazard = np.array([m.hazard for m in self.markets])[lanes.seed][:, None]
        life = _lifetimes(lanes.table[lanes.seed[:, None], -1 - slot], hazard)
        self.told[:] = np.where(preempt, life, INF)
        self.due[:] = 0.0

    def boot(self, rows: Array) -> Array:
        """Seconds from an order to a Ready node, one for each row."""
        return self.near(draw(self.world.boot, self.random(rows)))

    def lifetime(self, rows: Array) -> Array:
        """Seconds until the market takes a new preemptible node, one for each row."""
        hazard = np.array([m.hazard for m in self.markets])[self.lanes.seed[rows]]
        safe = np.array([m.protected for m in self.markets])[self.lanes.seed[rows]]
        return safe + _lifetimes(self.random(rows), hazard)


def _lifetimes(shares: Array, hazard: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(hazard > 0, -np.log1p(-shares) / np.maximum(hazard, 1e-30), INF)


def on_demand_of(total: Array, base: Array, percent: Array, spot: Array, rounding: str) -> Array:
    """How many of `total` nodes are on demand: the base first, then the rounded share of the rest;
    all where the pool has no spot.
    """
    exact = np.maximum(0, total - base) * percent / 100
    rounded = {
        "ceil": np.ceil(exact - 1e-9),
        "floor": np.floor(exact + 1e-9),
        "round": np.floor(exact + 0.5),
    }[rounding]
    return np.where(spot, np.minimum(total, np.minimum(total, base) + rounded), total).astype(
        np.int64
    )
