"""The node scaler and the scaling group: nodes are ordered for waiting pods, in the pool's mix, and
released when they are not needed.
"""

from __future__ import annotations

import numpy as np

from ops.plan.batch import Array
from ops.plan.fleet import ATTACHED, INF, NONE, ON_DEMAND, SPOT, Fleet


def order_and_release(fleet: Fleet, rows: Array, now: float) -> None:
    """One look of the node scaler at the simulations `rows`. Writes into `fleet.due` when it looks
    again; inf: only after something else has happened.
    """
    batch, slots = fleet.batch, fleet.slots.take(rows)
    max_size = batch.max_size[rows]
    usable = slots.held() & (slots.end == INF) & ~slots.unschedulable
    nodes = slots.held().sum(axis=1)
    spare = (usable & (slots.ready_at <= now) & (slots.pod == NONE)).sum(axis=1)
    booting = (usable & (slots.ready_at > now)).sum(axis=1)
    attached = (slots.pod == ATTACHED).sum(axis=1)
    waiting = np.maximum(fleet.desired[rows] - fleet.stale_pods[rows] - attached, 0)
    headroom = np.maximum(batch.headroom[rows] - np.maximum(spare - waiting, 0), 0)
    short = waiting + headroom - booting
    remedy, fleet.remedy_owed[rows] = fleet.remedy_owed[rows].copy(), 0
    fleet.waiting_since[rows] = np.where(short > 0, np.minimum(fleet.waiting_since[rows], now), INF)
    look = _next_look(fleet.waiting_since[rows] + batch.gpu_wait[rows], batch.look[rows])
    below_minimum = np.maximum(batch.min_size[rows] - nodes, 0)
    for_pods = np.where((short > 0) & (look <= now), short, 0)
    number = np.minimum(np.maximum(for_pods, np.maximum(remedy, below_minimum)), max_size - nodes)
    fleet.due[rows] = np.where((short > 0) & (look > now) & (nodes < max_size), look, INF)
    buyers = np.flatnonzero(number > 0)
    if buyers.size:
        bought, scan = rows[buyers], batch.scan[rows[buyers]]
        missed = buy(fleet, bought, number[buyers], now)
        fleet.due[bought[missed > 0]] = now + scan[missed > 0]
        left = short[buyers] - number[buyers]
        fleet.waiting_since[bought] = np.where(left + missed > 0, now, INF)
        room = nodes[buyers] + number[buyers] < max_size[buyers]
        fleet.due[bought] = np.where(
            (left > 0) & room, np.minimum(fleet.due[bought], now + scan), fleet.due[bought]
        )
    _release(fleet, rows, now)


def _release(fleet: Fleet, rows: Array, now: float) -> None:
    """Release nodes that have been empty long enough, at a look of the scaler, never below the
    minimum; keep the headroom.
    """
    batch, slots = fleet.batch, fleet.slots.take(rows)
    empty = slots.held() & (slots.ready_at <= now) & (slots.pod == NONE) & (slots.end == INF)
    if not empty.any():
        fleet.slots.idle_since[rows] = INF
        return
    schedulable = ~slots.unschedulable
    beyond_headroom = np.cumsum(empty & schedulable, axis=1) > batch.headroom[rows, None]
    unneeded = empty & (beyond_headroom | slots.unschedulable)
    idle = np.where(unneeded, np.minimum(slots.idle_since, now), INF)
    slots.idle_since = idle
    quiet = np.maximum(
        idle + batch.unneeded[rows, None], (fleet.grown_at[rows] + batch.unneeded[rows])[:, None]
    )
    when = np.where(unneeded, _next_look(quiet, batch.scan[rows, None]), INF)
    nodes = slots.held().sum(axis=1)
    room = np.minimum(nodes - batch.min_size[rows], fleet.parameters.bulk)
    ripe = when <= now
    going = ripe & (np.cumsum(ripe, axis=1) <= room[:, None])
    if going.any():
        fleet.release(rows, slots, going, now)
        fleet.slots.put(rows, slots)
    else:
        fleet.slots.idle_since[rows] = idle
    later = np.where(when <= now, now + batch.scan[rows, None], when)
    left = np.where(unneeded & ~going, later, INF).min(axis=1)
    above_minimum = nodes - going.sum(axis=1) > batch.min_size[rows]
    fleet.due[rows] = np.minimum(fleet.due[rows], np.where(above_minimum, left, INF))


def buy(fleet: Fleet, rows: Array, number: Array, now: float) -> Array:
    """Order `number` nodes in each of the simulations `rows` in the pool's mix. Returns how many of
    them were out of stock.
    """
    batch, slots = fleet.batch, fleet.slots
    held = slots.held()[rows] & (slots.end[rows] == INF)
    have = (held & (slots.charge_type[rows] == ON_DEMAND)).sum(axis=1)
    wanted = batch.wanted_on_demand(rows, held.sum(axis=1) + number)
    paid = np.clip(wanted - have, 0, number)
    spot = number - paid
    fleet.grown_at[rows] = now
    missed = np.zeros(len(rows), np.int64)
    for _ in range(int(spot.max(initial=0))):
        active = spot > 0
        bought = _place_spot(fleet, rows[active], now)
        out_of_stock = active.copy()
        out_of_stock[active] = ~bought
        paid += out_of_stock & batch.compensate[rows]
        missed += out_of_stock & ~batch.compensate[rows]
        spot -= active
    for _ in range(int(paid.max(initial=0))):
        active = paid > 0
        chosen = rows[active]
        pool, price = np.zeros(len(chosen), np.int64), batch.on_demand_price[chosen]
        _place(fleet, chosen, ON_DEMAND, pool, price, now)
        paid -= active
    return missed


def _place_spot(fleet: Fleet, rows: Array, now: float) -> Array:
    """Order one preemptible node for each simulation, in the spot pool (type, zone) in stock that
    holds the fewest: types first, then zones. Returns where there was one.
    """
    batch, slots, zones = fleet.batch, fleet.slots, fleet.parameters.zones
    stock = fleet.stock[batch.seed[rows]] & (batch.spot_price[rows] < INF)[:, :, None]
    in_stock: Array = np.asarray(stock.any(axis=(1, 2)))
    if in_stock.any():
        rows, stock = rows[in_stock], stock[in_stock]
        live = (slots.charge_type[rows] == SPOT) & (slots.end[rows] == INF)
        pools, count = fleet.types * zones, len(rows)
        flat = np.where(live, slots.pool[rows] + np.arange(count)[:, None] * pools, count * pools)
        held = np.bincount(flat.ravel(), minlength=count * pools + 1)[:-1]
        held = held.reshape(count, fleet.types, zones)
        key = held.sum(axis=2, keepdims=True) * 1000 + held
        pool = np.where(stock, key, 10**9).reshape(count, pools).argmin(axis=1)
        _place(fleet, rows, SPOT, pool, batch.spot_price[rows, pool // zones], now)
    return in_stock


def _place(
    fleet: Fleet, rows: Array, charge_type: int, pool: Array, price: Array, now: float
) -> None:
    """Put a new node into the first empty slot of each simulation."""
    slots = fleet.slots
    slot = (slots.charge_type[rows] == NONE).argmax(axis=1)
    slots.charge_type[rows, slot] = charge_type
    slots.pool[rows, slot] = pool
    slots.price[rows, slot] = price
    slots.ordered_at[rows, slot] = now
    slots.ready_at[rows, slot] = now + fleet.boot(rows)
    slots.notice_at[rows, slot] = now + fleet.lifetime(rows) if charge_type == SPOT else INF


def _next_look(times: Array, scan: Array) -> Array:
    """The next look at or after `times`, with looks every `scan` seconds."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(times), np.ceil(times / scan - 1e-9) * scan, times)
