"""The node autoscaler and the scaling group: nodes ordered for pods that wait, in the pool's mix,
and given back when unneeded.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ops.plan.fleet import INF, NONE, ON_DEMAND, SLOTS, SPOT, Fleet, on_demand_of
from ops.plan.lanes import Array


def target(fleet: Fleet, rows: Array, total: Array) -> Array:
    """On-demand nodes the pool's mix asks for among `total`."""
    lanes = fleet.lanes
    return on_demand_of(
        total, lanes.base[rows], lanes.percent[rows], lanes.spot[rows], fleet.world.rounding
    )


def order_and_release(fleet: Fleet, rows: Array, now: float) -> None:
    """One look at the lanes `rows`; leaves in `due` when it must look again (inf: only after
    something else happened).
    """
    lanes = fleet.lanes
    kind, up, pod, end, shut = (
        getattr(fleet, name)[rows] for name in ("kind", "up", "pod", "end", "shut")
    )
    usable = (kind != NONE) & (end == INF) & ~shut
    free = usable & (up <= now) & (pod == NONE)
    alive = (kind != NONE).sum(axis=1)
    attached = (fleet.pod[rows] == 1).sum(axis=1)
    waiting = np.maximum(fleet.desired[rows] - fleet.ghosts[rows] - attached, 0)
    spare = free.sum(axis=1)
    short = (
        waiting
        + np.maximum(lanes.headroom[rows] - np.maximum(spare - waiting, 0), 0)
        - (usable & (up > now)).sum(axis=1)
    )
    remedy, fleet.remedy_owed[rows] = fleet.remedy_owed[rows].copy(), 0
    fleet.since[rows] = np.where(short > 0, np.minimum(fleet.since[rows], now), INF)
    look = _grid(fleet.since[rows] + lanes.buffer[rows], lanes.look[rows])
    below = np.maximum(lanes.min_size[rows] - alive, 0)
    asked = np.maximum(np.where((short > 0) & (look <= now), short, 0), np.maximum(remedy, below))
    number = np.minimum(asked, lanes.max_size[rows] - alive)
    fleet.due[rows] = np.where(
        (short > 0) & (look > now) & (alive < lanes.max_size[rows]), look, INF
    )
    buyers = np.flatnonzero(number > 0)
    if buyers.size:
        missed = buy(fleet, rows[buyers], number[buyers], now)
        again = rows[buyers[missed > 0]]
        fleet.due[again] = now + lanes.scan[again]
        fleet.since[rows[buyers]] = np.where(short[buyers] - number[buyers] + missed > 0, now, INF)
        fleet.due[rows[buyers]] = np.where(
            (short[buyers] - number[buyers] > 0)
            & (alive[buyers] + number[buyers] < lanes.max_size[rows[buyers]]),
            np.minimum(fleet.due[rows[buyers]], now + lanes.scan[rows[buyers]]),
            fleet.due[rows[buyers]],
        )
    _release(fleet, rows, now)


def _release(fleet: Fleet, rows: Array, now: float) -> None:
    """Give back nodes that have been empty long enough, at a look of the scaler, never below the
    minimum; keep the headroom.
    """
    lanes = fleet.lanes
    kind, up, pod, end, shut = (
        getattr(fleet, name)[rows] for name in ("kind", "up", "pod", "end", "shut")
    )
    empty = (kind != NONE) & (up <= now) & (pod == NONE) & (end == INF)
    if not empty.any():
        fleet.idle[rows] = INF
        return
    spare = (np.cumsum(empty & ~shut, axis=1) > lanes.headroom[rows, None]) & ~shut | shut
    unneeded = empty & spare
    idle = np.where(unneeded, np.minimum(fleet.idle[rows], now), INF)
    fleet.idle[rows] = idle
    quiet = np.maximum(
        idle + lanes.unneeded[rows, None], (fleet.grown[rows] + lanes.unneeded[rows])[:, None]
    )
    when = np.where(unneeded, _grid(quiet, lanes.scan[rows, None]), INF)
    room = np.minimum((kind != NONE).sum(axis=1) - lanes.min_size[rows], fleet.world.bulk)
    ripe = when <= now
    going = ripe & (np.cumsum(ripe, axis=1) <= room[:, None])
    if going.any():
        from ops.plan.life import close

        view = SimpleNamespace(
            rows=rows, now=now, **{name: getattr(fleet, name)[rows] for name in SLOTS}
        )
        close(fleet, view, going)
        for name in SLOTS:
            getattr(fleet, name)[rows] = getattr(view, name)
    left = np.where(
        unneeded & ~going, np.where(when <= now, now + lanes.scan[rows, None], when), INF
    ).min(axis=1)
    may = (kind != NONE).sum(axis=1) - going.sum(axis=1) > lanes.min_size[rows]
    fleet.due[rows] = np.minimum(fleet.due[rows], np.where(may, left, INF))


def buy(fleet: Fleet, rows: Array, number: Array, now: float) -> Array:
    """Order `number` nodes in each of the lanes `rows` by the pool's mix. Returns how many of them
    nobody sold.
    """
    lanes = fleet.lanes
    held = (fleet.kind[rows] != NONE) & (fleet.end[rows] == INF)
    have = (held & (fleet.kind[rows] == ON_DEMAND)).sum(axis=1)
    wanted = target(fleet, rows, held.sum(axis=1) + number)
    demand = np.clip(wanted - have, 0, number)
    preempt = number - demand
    fleet.grown[rows] = now
    fleet.ordered[rows] += number
    missed = np.zeros(len(rows), np.int64)
    for _ in range(int(preempt.max(initial=0))):
        active = preempt > 0
        got = _place_spot(fleet, rows[active], now)
        instead = active.copy()
        instead[active] = ~got
        supplement = instead & lanes.compensate[rows]
        demand += supplement
        missed += instead & ~lanes.compensate[rows]
        preempt -= active
    for _ in range(int(demand.max(initial=0))):
        active = demand > 0
        chosen = rows[active]
        _place(
            fleet, chosen, ON_DEMAND, np.zeros(len(chosen), np.int64), lanes.od_price[chosen], now
        )
        demand -= active
    return missed


def _place_spot(fleet: Fleet, rows: Array, now: float) -> Array:
    """One preemptible node for each lane, in the pool (type, zone) in stock that holds fewest:
    types first, then zones. Whether it was.
    """
    lanes, zones = fleet.lanes, fleet.world.zones
    stock = fleet.stock[lanes.seed[rows]] & (lanes.spot_price[rows] < INF)[:, :, None]
    found: Array = np.asarray(stock.any(axis=(1, 2)))
    if found.any():
        rows, stock = rows[found], stock[found]
        live = (fleet.kind[rows] == SPOT) & (fleet.end[rows] == INF)
        pools = fleet.types * zones
        flat = np.where(
            live, fleet.group[rows] + np.arange(len(rows))[:, None] * pools, len(rows) * pools
        )
        held = np.bincount(flat.ravel(), minlength=len(rows) * pools + 1)[:-1].reshape(
            len(rows), fleet.types, zones
        )
        key = held.sum(axis=2, keepdims=True) * 1000 + held
        group = np.where(stock, key, 10**9).reshape(len(rows), pools).argmin(axis=1)
        price = lanes.spot_price[rows, group // zones]
        _place(fleet, rows, SPOT, group, price, now)
    return found


def _place(fleet: Fleet, rows: Array, kind: int, group: Array, price: Array, now: float) -> None:
    """A new node in the first empty slot of each lane."""
    slot = (fleet.kind[rows] == NONE).argmax(axis=1)
    fleet.kind[rows, slot] = kind
    fleet.group[rows, slot] = group
    fleet.price[rows, slot] = price
    fleet.born[rows, slot] = now
    fleet.up[rows, slot] = now + fleet.boot(rows)
    fleet.told[rows, slot] = now + fleet.lifetime(rows) if kind == SPOT else INF


def _grid(times: Array, scan: Array) -> Array:
    """The next look at or after `times`."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(times), np.ceil(times / scan - 1e-9) * scan, times)
