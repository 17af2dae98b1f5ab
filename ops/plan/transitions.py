"""What happens in the simulations between two moments: events of the market, notices, losses, pods
bound and removed, nodes ordered and released, the return to preemptible nodes.

Only simulations in which something is due are touched: their slots are taken out, moved on to `now`
and put back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ops.plan import node_scaling
from ops.plan.batch import Array
from ops.plan.fleet import ATTACHED, DETACHED, INF, NONE, ON_DEMAND, SPOT, Fleet, Slots
from ops.plan.market import Event, Market
from ops.plan.model_parameters import draw

ABRUPT = 10.0
"""Seconds of notice below which nothing can be moved in time."""


@dataclass
class Due:
    """The simulations that are moved on together."""

    fleet: Fleet
    rows: Array
    """Indices of the simulations."""
    slots: Slots
    """A copy of their slots; row i belongs to simulation `rows[i]`."""
    now: float


def tick(fleet: Fleet, now: float) -> None:
    """Bring about everything that is due by `now`."""
    fleet.remove_stale_pods(now)
    for seed, market in enumerate(fleet.markets):
        while (index := fleet.next_event[seed]) < len(market.events):
            event = market.events[index]
            if event.at > now:
                break
            _apply_event(fleet, seed, market, event, now)
            fleet.next_event[seed] += 1
    rows = np.flatnonzero(fleet.due <= now)
    if rows.size:
        advance(fleet, rows, now)


def advance(fleet: Fleet, rows: Array, now: float) -> None:
    """Move the simulations `rows` on to `now`."""
    due = Due(fleet, rows, fleet.slots.take(rows), now)
    _give_notices(due)
    _end_nodes(due)
    _place_pods(due)
    _evict_detached(due)
    _return_to_spot(due)
    fleet.slots.put(rows, due.slots)
    node_scaling.order_and_release(fleet, rows, now)
    _settle(fleet, rows, now)


def _apply_event(fleet: Fleet, seed: int, market: Market, event: Event, now: float) -> None:
    """An event of the market: stock changes, or notices to a share of the preemptible nodes."""
    where = (
        slice(None) if event.type is None else event.type % fleet.types,
        slice(None) if event.zone is None else event.zone,
    )
    if event.effect in ("out", "back"):
        fleet.stock[(seed, *where)] = event.effect == "back"
        fleet.due[fleet.batch.seed == seed] = now
        return
    slots, zones = fleet.slots, fleet.parameters.zones
    rows = np.flatnonzero(fleet.batch.seed == seed)
    hit = (slots.charge_type[rows] == SPOT) & (slots.end[rows] == INF)
    if event.type is not None:
        hit &= slots.pool[rows] // zones == event.type % fleet.types
    if event.zone is not None:
        hit &= slots.pool[rows] % zones == event.zone
    if not event.forced:
        hit &= now - slots.ordered_at[rows] >= market.protected
    if event.share < 1:
        rank = np.cumsum(hit, axis=1)
        hit &= rank <= np.round(event.share * hit.sum(axis=1))[:, None]
    slots.notice_at[rows] = np.where(hit, now, slots.notice_at[rows])
    if event.notice is not None:
        slots.notice[rows] = np.where(hit, event.notice, slots.notice[rows])
    fleet.due[rows[hit.any(axis=1)]] = now


def _give_notices(due: Due) -> None:
    """The market announces the end of nodes: the handler cordons and detaches, ACK's remedy orders
    a replacement.
    """
    batch, slots = due.fleet.batch, due.slots
    announced = slots.notice_at <= due.now
    if not announced.any():
        return
    slots.end[announced] = due.now + slots.notice[announced]
    slots.notice_at[announced] = INF
    handled = batch.handler[due.rows, None]
    moved = announced & handled & (slots.pod == ATTACHED) & (slots.notice > ABRUPT)
    slots.pod[moved] = DETACHED
    replacements = np.where(batch.remedy[due.rows], announced.sum(axis=1), 0)
    due.fleet.remedy_owed[due.rows] += replacements


def _end_nodes(due: Due) -> None:
    """Nodes whose time is over are released; pods that were not moved are lost, and Kubernetes
    notices that later.
    """
    fleet, slots, now = due.fleet, due.slots, due.now
    drained = (
        (slots.pod == DETACHED)
        & (slots.end - fleet.batch.drain[due.rows, None] <= now)
        & (slots.notice > ABRUPT)
    )
    slots.pod[drained] = NONE
    slots.serving_at[drained] = INF
    gone = slots.end <= now
    if not gone.any():
        return
    lost = gone & (slots.pod != NONE)
    fleet.lost_serving_pods[due.rows] += (lost & (slots.serving_at <= now)).sum(axis=1)
    missing = (lost & (slots.pod == ATTACHED)).sum(axis=1)
    for index in np.flatnonzero(missing):
        _lose_pods(fleet, int(due.rows[index]), int(missing[index]), now)
    fleet.release(due.rows, slots, gone, now)


def _lose_pods(fleet: Fleet, simulation: int, count: int, now: float) -> None:
    """Kubernetes counts the pods until the handler, or its own collector, deletes them."""
    parameters = fleet.parameters
    low, high = parameters.pod_gc
    share = float(fleet.random(np.array([simulation]))[0])
    collector = (low + (high - low) * share) * parameters.clock
    noticed = parameters.handler_seconds if fleet.batch.handler[simulation] else collector
    fleet.add_stale_pods(simulation, count, now + parameters.gone + noticed)


def _place_pods(due: Due) -> None:
    """The ReplicaSet keeps its number of pods; the scheduler binds waiting pods to free nodes,
    pay-as-you-go nodes first (pods are spread over charge types).
    """
    fleet, slots, now = due.fleet, due.slots, due.now
    _drain_by_remedy(due)
    attached = slots.pod == ATTACHED
    missing = fleet.desired[due.rows] - fleet.stale_pods[due.rows] - attached.sum(axis=1)
    if (missing < 0).any():
        surplus = np.maximum(-missing, 0)[:, None]
        not_ready = np.where(slots.serving_at > now, 1e12, 0.0)
        key = np.where(attached, not_ready + _deletion_order(due, attached), -INF)
        rank = np.argsort(np.argsort(-key, axis=1, kind="stable"), axis=1, kind="stable")
        leave = attached & (rank < surplus)
        slots.pod[leave], slots.serving_at[leave] = NONE, INF
    if (missing > 0).any():
        free = slots.free(now)
        if free.any():
            paid, spot = free & (slots.charge_type == ON_DEMAND), free & (slots.charge_type == SPOT)
            first = np.cumsum(paid, axis=1)
            second = np.cumsum(spot, axis=1) + first[:, -1:]
            need = missing[:, None]
            bind = (paid & (first <= need)) | (spot & (second <= need))
            loads = fleet.near(draw(fleet.parameters.load, fleet.random_at(due.rows, bind)))
            slots.pod[bind] = ATTACHED
            slots.serving_at[bind] = now + loads


def _drain_by_remedy(due: Due) -> None:
    """Without the handler: ACK drains a node under notice when its replacement is ready; the
    disruption budget lets one pod go at a time.
    """
    batch, slots = due.fleet.batch, due.slots
    alone = (batch.remedy & ~batch.handler)[due.rows]
    doomed = (slots.pod == ATTACHED) & (slots.end < INF) & alone[:, None]
    if not doomed.any():
        return
    ready = ((slots.pod == ATTACHED) & (slots.serving_at <= due.now)).sum(axis=1)
    may = (ready >= due.fleet.desired[due.rows]) & slots.free(due.now).any(axis=1)
    leave = doomed & may[:, None] & (np.cumsum(doomed, axis=1) == 1)
    slots.pod[leave], slots.serving_at[leave] = NONE, INF


def _deletion_order(due: Due, attached: Array) -> Array:
    """The pod with the larger number is deleted first. The handler ranks pods so that those left
    keep the mix: by the smallest pool in which the mix has their node. Without the handler the
    youngest pod goes first.
    """
    batch, slots, rows = due.fleet.batch, due.slots, due.rows
    paid = np.cumsum(attached & (slots.charge_type == ON_DEMAND), axis=1)
    spot = np.cumsum(attached & (slots.charge_type == SPOT), axis=1)
    rank = np.where(
        slots.charge_type == SPOT,
        batch.spot_rank[rows[:, None], spot],
        batch.on_demand_rank[rows[:, None], paid],
    )
    ranked = (batch.mix[rows] & batch.spot[rows])[:, None]
    return np.where(ranked, rank, np.minimum(slots.serving_at, 1e11))


def _evict_detached(due: Due) -> None:
    """Detached pods leave when all attached pods are ready; their nodes take no new pod."""
    slots = due.slots
    detached = slots.pod == DETACHED
    if not detached.any():
        return
    ready = ((slots.pod == ATTACHED) & (slots.serving_at <= due.now)).sum(axis=1)
    replaced = ready >= due.fleet.desired[due.rows]
    leave = detached & (replaced[:, None] | (slots.serving_at > due.now))
    slots.unschedulable |= detached & (slots.end == INF)
    slots.pod[leave], slots.serving_at[leave] = NONE, INF


def _return_to_spot(due: Due) -> None:
    """The handler replaces surplus pay-as-you-go nodes by detaching their pods: one as a probe,
    then several at a time; a failure doubles the pause.
    """
    fleet, batch, slots, rows = due.fleet, due.fleet.batch, due.slots, due.rows
    keeps_mix = batch.mix[rows] & batch.spot[rows]
    if not keeps_mix.any():
        return
    used = slots.held() & (slots.end == INF) & ~slots.unschedulable & (slots.pod != NONE)
    paid, total = (used & (slots.charge_type == ON_DEMAND)).sum(axis=1), used.sum(axis=1)
    wanted = batch.wanted_on_demand(rows, total)
    busy = ((slots.pod == DETACHED).sum(axis=1) > 0) | (fleet.waiting_since[rows] < INF)
    over = (
        keeps_mix
        & (paid > wanted)
        & (paid - wanted > batch.mix_points[rows] / 100 * np.maximum(total, 1))
    )
    fleet.mix_at[rows[~over]] = INF
    fresh = over & ~busy & (fleet.mix_at[rows] == INF)
    replaced = fresh & (fleet.mix_before[rows] >= 0)
    failed = replaced & (paid >= fleet.mix_before[rows])
    worked = replaced & (paid < fleet.mix_before[rows])
    after = batch.mix_after[rows]
    fleet.mix_pause[rows[failed]] = np.minimum(fleet.mix_pause[rows[failed]] * 2, 2 * after[failed])
    fleet.mix_pause[rows[worked | ~over]] = after[worked | ~over] / 2
    wait = np.where(worked, after / 10, np.where(failed, fleet.mix_pause[rows], after))
    fleet.mix_size[rows] = np.where(
        worked,
        fleet.mix_size[rows] * fleet.parameters.mix_growth,
        np.where(failed | ~over, 1, fleet.mix_size[rows]),
    )
    fleet.mix_before[rows[fresh | ~over]] = -1
    fleet.mix_at[rows[fresh]] = due.now + wait[fresh]
    room = batch.max_size[rows] - slots.held().sum(axis=1)
    start = over & ~busy & (fleet.mix_at[rows] <= due.now) & (room > 0)
    if not start.any():
        return
    number = np.minimum(np.minimum(fleet.mix_size[rows], paid - wanted), room)
    number = np.where(start, number, 0)
    choice = used & (slots.charge_type == ON_DEMAND) & (slots.pod == ATTACHED)
    moved = choice & (np.cumsum(choice, axis=1) <= number[:, None])
    slots.pod[moved] = DETACHED
    slots.unschedulable |= moved
    fleet.mix_before[rows[start]] = paid[start]
    fleet.mix_at[rows[start]] = INF
    _place_pods(due)


def _settle(fleet: Fleet, rows: Array, now: float) -> None:
    """What the simulations serve and cost from now on, and when something is due next."""
    slots, billed_after = fleet.slots.take(rows), fleet.parameters.billed_after
    serving = slots.serving(now)
    fleet.ready[rows] = serving.sum(axis=1)
    fleet.ready_spot[rows] = (serving & (slots.charge_type == SPOT)).sum(axis=1)
    billed = np.where(slots.ordered_at + billed_after <= now, slots.price, 0.0)
    fleet.rate[rows] = billed.sum(axis=1)
    fleet.rate_spot[rows] = np.where(slots.charge_type == SPOT, billed, 0.0).sum(axis=1)
    _count(fleet, rows, slots, now)
    drain = np.where(slots.pod == DETACHED, slots.end - fleet.batch.drain[rows, None], INF)
    due = fleet.due[rows]  # left by the node scaler: its next look
    for times in (
        slots.serving_at,
        slots.ready_at,
        slots.end,
        drain,
        slots.notice_at,
        slots.ordered_at + billed_after,
    ):
        due = np.minimum(due, np.where(times > now, times, INF).min(axis=1))
    due = np.minimum(due, np.where(fleet.mix_at[rows] > now, fleet.mix_at[rows], INF))
    fleet.due[rows] = due


def _count(fleet: Fleet, rows: Array, slots: Slots, now: float) -> None:
    """Nodes and pods by state, for accounts and records."""
    spot = slots.charge_type == SPOT
    fleet.nodes[rows] = slots.held().sum(axis=1)
    fleet.nodes_on_demand[rows] = (slots.charge_type == ON_DEMAND).sum(axis=1)
    fleet.under_notice[rows] = (slots.end < INF).sum(axis=1)
    fleet.booting[rows] = (slots.held() & (slots.ready_at > now)).sum(axis=1)
    fleet.up_spot[rows] = (spot & (slots.ready_at <= now)).sum(axis=1)
    fleet.detached[rows] = (slots.pod == DETACHED).sum(axis=1)
    types = np.maximum(slots.pool // fleet.parameters.zones, 0)
    full = np.take_along_axis(fleet.batch.list_price[rows], types, axis=1)
    fleet.rate_list[rows] = np.where(spot, full, slots.price).sum(axis=1)
    attached = (slots.pod == ATTACHED).sum(axis=1)
    missing = fleet.desired[rows] - fleet.stale_pods[rows] - attached
    fleet.waiting[rows] = np.maximum(missing, 0)
