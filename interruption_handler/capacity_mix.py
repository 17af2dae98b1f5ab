"""Keeps the share of pay-as-you-go nodes near what the pool asks for.

The pool buys nodes in the configured mix, but what it has drifts: pay-as-you-go nodes bought while
preemptible ones were out of stock stay. When their share has been too high for a while, surplus
nodes are replaced: a node is cordoned, its pods are detached, and evicted once they are replaced
(spot_notice). The first replacement is a probe. If the new node is pay-as-you-go again, preemptible
nodes are still unavailable: the pod is attached again and the next probe waits longer. While probes
succeed, more nodes are replaced at a time.

`rank_pods` sets deletion costs, so that the pods the HPA leaves at a scale-in keep the mix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .actions import Action, Cordon, Detach, Reattach, SaveNote, SetDeletionCost, Uncordon
from .config import CapacityMix, Config
from .pool_sizing import on_demand_nodes, smallest_pool_with, tolerated_on_demand_nodes
from .snapshot import ClusterSnapshot, Node

MIX = "mix"
"""Reason written on nodes and pods; a value in the cluster."""
NOTE = "elastic-inference/mix"
"""Annotation of the Lease that holds the state of the replacements as JSON: `over` (since when the
share is too high), `started` and `ended` (of a replacement), `next` (not before), `pause`, `size`
(nodes at a time). Times are seconds since 1970.
"""
GROWTH = 4
"""How many times more nodes are replaced at a time after each success."""
MAX_RANKED = 50
"""Deletion costs set in one round."""
CORDON_SECONDS = 5
"""Seconds within which the cordon of a started replacement must be visible."""
Note = dict[str, Any]


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Continue a replacement, or start one if the share is too high. `now` is seconds since
    1970.
    """
    mix = config.capacity_mix
    if mix is None:
        return
    note = _read(snapshot)
    pool = [
        node
        for node in snapshot.nodes.values()
        if config.pool_labels.items() <= node.labels.items() and node.notice_at is None
    ]
    outgoing = [node for node in pool if node.cordon_reason == MIX]
    staying = [node for node in pool if node.cordon_reason != MIX]
    if note.get("started"):
        yield from _continue(snapshot, mix, now, note, outgoing, staying)
        return
    abandoned = now - float(note.get("ended") or now) > 6 * mix.after_seconds
    for node in outgoing:
        if abandoned:
            yield Uncordon(node, "the node scaler did not remove it")
        elif snapshot.serving_on(node):
            yield Uncordon(node, "no replacement is in progress")
    yield from _start(snapshot, mix, now, note, staying)


def surplus(nodes: list[Node], mix: CapacityMix) -> int:
    """Pay-as-you-go nodes to replace; 0 while there are no more than tolerated."""
    total, on_demand = len(nodes), sum(not node.spot for node in nodes)
    if on_demand <= tolerated_on_demand_nodes(total, mix.base, mix.percent, mix.points):
        return 0
    return on_demand - on_demand_nodes(total, mix.base, mix.percent)


def _start(
    snapshot: ClusterSnapshot, mix: CapacityMix, now: float, note: Note, staying: list[Node]
) -> Iterator[Action]:
    over = surplus(staying, mix)
    if bool(over) != bool(note.get("over")):
        note = {**note, "over": now if over else 0}
        yield _save(
            note, "the share of pay-as-you-go nodes is too high" if over else "the mix is right"
        )
    if (
        not over
        or now - float(note["over"]) < mix.after_seconds
        or now < float(note.get("next") or 0)
        or not _calm(snapshot)
    ):
        return
    candidates = [
        node
        for node in staying
        if not node.spot and not node.unschedulable and snapshot.serving_on(node)
    ]
    candidates.sort(key=lambda node: (-node.created, node.name))  # the youngest node first
    room = mix.max_nodes - len(snapshot.nodes)
    count = min(int(note.get("size") or 1), over, len(candidates), room)
    if count <= 0:
        return
    yield _save(
        {**note, "started": now, "size": count},
        f"{over} pay-as-you-go nodes too many, {count} are replaced",
    )
    for node in candidates[:count]:
        yield Cordon(node, MIX)


def _continue(
    snapshot: ClusterSnapshot,
    mix: CapacityMix,
    now: float,
    note: Note,
    outgoing: list[Node],
    staying: list[Node],
) -> Iterator[Action]:
    """The node is cordoned first, so that its pod's replacement can't return to it; then its pods
    are detached.
    """
    started = float(note["started"])
    bought = [node for node in staying if node.created > started]
    failed = any(not node.spot for node in bought) or now - started > 3 * mix.after_seconds
    pods = [pod for node in outgoing for pod in snapshot.serving_on(node)]
    over = note.get("over")
    if failed:
        for node in outgoing:
            if snapshot.serving_on(node):
                yield Uncordon(node, "its replacement is not a preemptible node")
        for pod in pods:
            if pod.detach_reason == MIX and pod.detached_hash:
                yield Reattach(pod, "its replacement is not on a preemptible node")
        pause = min(2 * float(note.get("pause") or mix.after_seconds / 2), 2 * mix.after_seconds)
        yield _save(
            {"over": over, "size": 1, "pause": pause, "next": now + pause, "ended": now},
            "preemptible nodes are not available",
        )
    elif not outgoing and now - started > CORDON_SECONDS:
        yield _save({"over": over, "next": now + mix.after_seconds}, "no node could be cordoned")
    elif outgoing and not pods:
        next_at = now + mix.after_seconds / 10
        size = int(note["size"]) * GROWTH
        yield _save({"over": over, "size": size, "next": next_at, "ended": now}, "replaced")
    for pod in pods:
        if pod.template_hash and not failed:
            yield Detach(pod, MIX)


def rank_pods(snapshot: ClusterSnapshot, config: Config, _now: float) -> Iterator[Action]:
    """Deletion costs: of the pods that a scale-in leaves, as many are on pay-as-you-go nodes as
    the mix asks for. A pod's cost is minus the smallest pool in which the mix has its node.
    """
    mix = config.capacity_mix
    if mix is None:
        return
    placed = [
        pod
        for pod in snapshot.serving
        if pod.template_hash and pod.owned and pod.ready and pod.node in snapshot.nodes
    ]
    placed.sort(key=lambda pod: (pod.created, pod.name))
    count, ranked = {True: 0, False: 0}, 0
    for pod in placed:
        spot = snapshot.nodes[pod.node].spot
        count[spot] += 1
        cost = -smallest_pool_with(count[spot], mix.base, mix.percent, spot=spot)
        if pod.deletion_cost != str(cost) and ranked < MAX_RANKED:
            ranked += 1
            yield SetDeletionCost(pod, cost)


def _calm(snapshot: ClusterSnapshot) -> bool:
    """Whether nothing else is in progress: all pods ready, none detached, no notice."""
    serving = snapshot.serving
    serving_nodes = {pod.node for pod in serving}
    return (
        bool(snapshot.desired)
        and snapshot.replaced
        and not any(pod.detach_reason or not pod.node for pod in serving)
        and not any(
            node.notice_at is not None and node.name in serving_nodes
            for node in snapshot.nodes.values()
        )
    )


def _read(snapshot: ClusterSnapshot) -> Note:
    """The saved note; empty if there is none or if it can't be read."""
    try:
        note = json.loads(snapshot.notes.get(NOTE) or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _save(note: Note, why: str) -> SaveNote:
    fields = {key: value for key, value in note.items() if value}
    return SaveNote(NOTE, json.dumps(fields, sort_keys=True), why)
