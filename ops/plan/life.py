"""What happens in a lane between two moments: notices, losses, pods bound and taken away, orders,
releases, return to spot.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ops.plan import orders
from ops.plan.fleet import ATTACHED, DETACHED, INF, NONE, ON_DEMAND, SLOTS, SPOT, Fleet
from ops.plan.lanes import Array
from ops.plan.world import draw

ABRUPT = 10.0  # seconds of notice below which nothing can be moved in time


def advance(fleet: Fleet, rows: Array, now: float) -> None:
    """Move the lanes `rows` on to `now`."""
    view = SimpleNamespace(
        rows=rows, now=now, **{name: getattr(fleet, name)[rows] for name in SLOTS}
    )
    _notices(fleet, view)
    _ends(fleet, view)
    _pods(fleet, view)
    _evict_detached(fleet, view)
    _return_to_spot(fleet, view)
    for name in SLOTS:
        getattr(fleet, name)[rows] = getattr(view, name)
    orders.order_and_release(fleet, rows, now)
    _settle(fleet, rows, now)


def _notices(fleet: Fleet, view: SimpleNamespace) -> None:
    """The market announces the end of nodes: the handler cordons and detaches, remedy orders a
    replacement.
    """
    told = view.told <= view.now
    if not told.any():
        return
    lanes, rows = fleet.lanes, view.rows
    view.end[told] = view.now + view.notice[told]
    view.told[told] = INF
    moved = told & lanes.handler[rows, None] & (view.pod == ATTACHED) & (view.notice > ABRUPT)
    view.pod[moved] = DETACHED
    fleet.remedy_owed[rows] += np.where(lanes.remedy[rows], told.sum(axis=1), 0)


def _ends(fleet: Fleet, view: SimpleNamespace) -> None:
    """Nodes whose time is over go; pods nobody moved are lost, and Kubernetes notices later."""
    spent = (
        (view.pod == DETACHED)
        & (view.end - fleet.lanes.drain[view.rows, None] <= view.now)
        & (view.notice > ABRUPT)
    )
    view.pod[spent] = NONE
    view.at[spent] = INF
    gone = view.end <= view.now
    if not gone.any():
        return
    lost = gone & (view.pod != NONE)
    fleet.cut[view.rows] += (lost & (view.at <= view.now)).sum(axis=1)
    missing = (lost & (view.pod == ATTACHED)).sum(axis=1)
    for index in np.flatnonzero(missing):
        row = int(view.rows[index])
        world, handled = fleet.world, bool(fleet.lanes.handler[row])
        low, high = world.pod_gc
        collector = (low + (high - low) * float(fleet.random(np.array([row]))[0])) * world.clock
        fleet.haunt(
            row,
            int(missing[index]),
            view.now + world.gone + (world.handler_seconds if handled else collector),
        )
    close(fleet, view, gone)


def close(fleet: Fleet, view: SimpleNamespace, gone: Array) -> None:
    """Empty the slots `gone` of the lanes in `view`."""
    if fleet.bills is not None:
        for index, slot in zip(*np.nonzero(gone), strict=True):
            row = int(view.rows[index])
            fleet.bills.append(
                (
                    row,
                    int(view.kind[index, slot]),
                    float(view.born[index, slot]),
                    view.now,
                    float(view.price[index, slot]),
                )
            )
    view.kind[gone], view.pod[gone], view.shut[gone], view.price[gone] = NONE, NONE, False, 0.0
    for name in ("up", "at", "end", "told", "idle", "born"):
        getattr(view, name)[gone] = INF
    view.notice[gone] = fleet.world.notice


def _pods(fleet: Fleet, view: SimpleNamespace) -> None:
    """The ReplicaSet holds its number; the scheduler binds what waits to free nodes, on demand
    first (spread over charge types).
    """
    _drained_by_remedy(fleet, view)
    attached = view.pod == ATTACHED
    need = fleet.desired[view.rows] - fleet.ghosts[view.rows] - attached.sum(axis=1)
    if (need < 0).any():
        surplus = np.maximum(-need, 0)[:, None]
        key = np.where(
            attached,
            np.where(view.at > view.now, 1e12, 0.0) + _first_to_go(fleet, view, attached),
            -INF,
        )
        rank = np.argsort(np.argsort(-key, axis=1, kind="stable"), axis=1, kind="stable")
        leave = attached & (rank < surplus)
        view.pod[leave], view.at[leave] = NONE, INF
    if (need > 0).any():
        free = (
            (view.kind != NONE)
            & (view.up <= view.now)
            & (view.pod == NONE)
            & (view.end == INF)
            & ~view.shut
        )
        if free.any():
            demand, spot = free & (view.kind == ON_DEMAND), free & (view.kind == SPOT)
            first = np.cumsum(demand, axis=1)
            second = np.cumsum(spot, axis=1) + first[:, -1:]
            bind = (demand & (first <= need[:, None])) | (spot & (second <= need[:, None]))
            loads = fleet.near(draw(fleet.world.load, fleet.random_at(view.rows, bind)))
            view.pod[bind] = ATTACHED
            view.at[bind] = view.now + loads


def _drained_by_remedy(fleet: Fleet, view: SimpleNamespace) -> None:
    """Without our handler: ACK drains an expiring node when its replacement is up; the disruption
    budget lets one pod go at a time.
    """
    alone = (fleet.lanes.remedy & ~fleet.lanes.handler)[view.rows]
    doomed = (view.pod == ATTACHED) & (view.end < INF) & alone[:, None]
    if not doomed.any():
        return
    healthy = ((view.pod == ATTACHED) & (view.at <= view.now)).sum(axis=1) >= fleet.desired[
        view.rows
    ]
    free = (
        (view.kind != NONE)
        & (view.up <= view.now)
        & (view.pod == NONE)
        & (view.end == INF)
        & ~view.shut
    ).any(axis=1)
    leave = doomed & (healthy & free)[:, None] & (np.cumsum(doomed, axis=1) == 1)
    view.pod[leave], view.at[leave] = NONE, INF


def _first_to_go(fleet: Fleet, view: SimpleNamespace, attached: Array) -> Array:
    """Larger goes first. The handler ranks pods so that what is left keeps the mix: by the fleet
    size from which the mix wants the pod. Otherwise the youngest goes.
    """
    lanes, rows = fleet.lanes, view.rows
    base, share = lanes.base[rows, None], np.clip(lanes.percent[rows, None] / 100, 1e-9, 1 - 1e-9)
    demand, spot = attached & (view.kind == ON_DEMAND), attached & (view.kind == SPOT)
    number, other = np.cumsum(demand, axis=1), np.cumsum(spot, axis=1)
    place = np.where(
        number <= base, number, base + np.floor((number - base - 1) / share + 1e-9) + 1
    )
    place = np.where(spot, base + np.ceil(other / (1 - share) - 1e-9), place)
    return np.where((lanes.mix[rows] & lanes.spot[rows])[:, None], place, np.minimum(view.at, 1e11))


def _evict_detached(fleet: Fleet, view: SimpleNamespace) -> None:
    """Detached pods leave when all attached ones are ready; their nodes take no new pod."""
    detached = view.pod == DETACHED
    if not detached.any():
        return
    ready = ((view.pod == ATTACHED) & (view.at <= view.now)).sum(axis=1)
    replaced = ready >= fleet.desired[view.rows]
    leave = detached & (replaced[:, None] | (view.at > view.now))
    view.shut |= detached & (view.end == INF)
    view.pod[leave], view.at[leave] = NONE, INF


def _return_to_spot(fleet: Fleet, view: SimpleNamespace) -> None:
    """The handler replaces surplus on-demand nodes through detaching, one as a probe, then a few at
    a time; failure doubles its wait.
    """
    lanes, rows, world = fleet.lanes, view.rows, fleet.world
    if not (lanes.mix[rows] & lanes.spot[rows]).any():
        return
    used = (view.kind != NONE) & (view.end == INF) & ~view.shut & (view.pod != NONE)
    held, total = (used & (view.kind == ON_DEMAND)).sum(axis=1), used.sum(axis=1)
    wanted = orders.target(fleet, rows, total)
    busy = ((view.pod == DETACHED).sum(axis=1) > 0) | (fleet.since[rows] < INF)
    over = (
        lanes.mix[rows]
        & lanes.spot[rows]
        & (held > wanted)
        & (held - wanted > lanes.mix_points[rows] / 100 * np.maximum(total, 1))
    )
    fleet.mix_at[rows[~over]] = INF
    fresh = over & ~busy & (fleet.mix_at[rows] == INF)
    failed = fresh & (fleet.mix_held[rows] >= 0) & (held >= fleet.mix_held[rows])
    worked = fresh & (fleet.mix_held[rows] >= 0) & (held < fleet.mix_held[rows])
    after = lanes.mix_after[rows]
    fleet.mix_pause[rows[failed]] = np.minimum(fleet.mix_pause[rows[failed]] * 2, 2 * after[failed])
    fleet.mix_pause[rows[worked | ~over]] = after[worked | ~over] / 2
    wait = np.where(worked, after / 10, np.where(failed, fleet.mix_pause[rows], after))
    fleet.mix_batch[rows] = np.where(
        worked,
        fleet.mix_batch[rows] * world.mix_growth,
        np.where(failed | ~over, 1, fleet.mix_batch[rows]),
    )
    fleet.mix_held[rows[fresh | ~over]] = -1
    fleet.mix_at[rows[fresh]] = view.now + wait[fresh]
    room = lanes.max_size[rows] - (view.kind != NONE).sum(axis=1)
    fire = over & ~busy & (fleet.mix_at[rows] <= view.now) & (room > 0)
    if not fire.any():
        return
    number = np.where(fire, np.minimum(np.minimum(fleet.mix_batch[rows], held - wanted), room), 0)
    choice = used & (view.kind == ON_DEMAND) & (view.pod == ATTACHED)
    moved = choice & (np.cumsum(choice, axis=1) <= number[:, None])
    view.pod[moved] = DETACHED
    view.shut |= moved
    fleet.mix_held[rows[fire]] = held[fire]
    fleet.mix_at[rows[fire]] = INF
    _pods(fleet, view)


def _settle(fleet: Fleet, rows: Array, now: float) -> None:
    """What the lanes serve and cost from now on, and when something is due next."""
    kind, pod, at = fleet.kind[rows], fleet.pod[rows], fleet.at[rows]
    serving = (pod != NONE) & (at <= now)
    fleet.ready[rows] = serving.sum(axis=1)
    fleet.ready_spot[rows] = (serving & (kind == SPOT)).sum(axis=1)
    billed = np.where(fleet.born[rows] + fleet.world.billed_after <= now, fleet.price[rows], 0.0)
    fleet.rate[rows] = billed.sum(axis=1)
    fleet.rate_spot[rows] = np.where(kind == SPOT, billed, 0.0).sum(axis=1)
    _count(fleet, rows, now)
    end = fleet.end[rows]
    drain = np.where(pod == DETACHED, end - fleet.lanes.drain[rows, None], INF)
    due = fleet.due[rows]  # left by the orders: their next look
    for times in (
        at,
        fleet.up[rows],
        end,
        drain,
        fleet.told[rows],
        fleet.born[rows] + fleet.world.billed_after,
    ):
        due = np.minimum(due, np.where(times > now, times, INF).min(axis=1))
    due = np.minimum(due, np.where(fleet.mix_at[rows] > now, fleet.mix_at[rows], INF))
    fleet.due[rows] = due


def _count(fleet: Fleet, rows: Array, now: float) -> None:
    """Nodes by state, for accounts and records."""
    kind = fleet.kind[rows]
    held = kind != NONE
    fleet.nodes[rows] = held.sum(axis=1)
    fleet.nodes_on_demand[rows] = (kind == ON_DEMAND).sum(axis=1)
    fleet.expiring[rows] = (fleet.end[rows] < INF).sum(axis=1)
    fleet.booting[rows] = (held & (fleet.up[rows] > now)).sum(axis=1)
    fleet.up_spot[rows] = ((kind == SPOT) & (fleet.up[rows] <= now)).sum(axis=1)
    fleet.detached[rows] = (fleet.pod[rows] == DETACHED).sum(axis=1)
    full = np.take_along_axis(
        fleet.lanes.list_price[rows], np.maximum(fleet.group[rows] // fleet.world.zones, 0), axis=1
    )
    fleet.rate_list[rows] = np.where(kind == SPOT, full, fleet.price[rows]).sum(axis=1)
    attached = (fleet.pod[rows] == ATTACHED).sum(axis=1)
    fleet.waiting[rows] = np.maximum(fleet.desired[rows] - fleet.ghosts[rows] - attached, 0)
