"""The mix of charge types, kept over time.

The pool buys by the wanted mix, but what it bought drifts: pay-as-you-go nodes bought while
preemptible ones were out of stock stay. When their share has been too high for a while, surplus
ones are replaced: closed, their pods detached, and evicted once replaced. The first one is a probe;
if its replacement is pay-as-you-go again, preemptible ones are still not to be had: the pod is
given back and the next probe comes later. While probes succeed, more are replaced at a time.

`rank` does the other half: it tells the HPA which pods to take away, so that what is left keeps the
mix.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action, Cordon, Detach, Reattach, SaveNote, SetDeletionCost, Uncordon
from .model import ClusterSnapshot, Config, Node, Pod

MIX = "mix"
NOTE = "elastic-inference/mix"
GROWTH = 4
MOST_RANKED = 50
"""Pods ranked at one look."""
Note = dict[str, Any]


def target(total: int, base: int, percent: float) -> int:
    """Pay-as-you-go nodes that `total` nodes should have; rounded up, as the scaling group does."""
    base = min(base, total)
    return base + math.ceil((total - base) * percent / 100 - 1e-9)


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Go on with a round of replacements, or begin one."""
    if config.mix is None:
        return
    note = _read(snapshot)
    own = [
        node
        for node in snapshot.nodes.values()
        if config.pool_labels.items() <= node.labels.items() and node.notice_at is None
    ]
    marked = [node for node in own if node.cordon_reason == MIX]
    kept = [node for node in own if node.cordon_reason != MIX]
    if note.get("started"):
        yield from _go_on(snapshot, config, now, note, marked, kept)
        return
    long_ago = now - float(note.get("ended") or now) > 6 * float(config.mix["after_seconds"])
    for node in marked:
        if long_ago or _pods_on(node, snapshot):
            yield Uncordon(node, "nobody removed it" if long_ago else "no replacement is going on")
    yield from _begin(snapshot, config, now, note, kept)


def tolerated(total: int, mix: Mapping[str, Any]) -> float:
    """Pay-as-you-go nodes that `total` nodes may have: the wanted number, or the wanted share and
    the points above it.
    """
    base = min(mix["base"], total)
    return max(
        target(total, base, mix["percent"]),
        base + (total - base) * (mix["percent"] + mix["points"]) / 100 + 1e-9,
    )


def surplus(kept: list[Node], mix: Mapping[str, Any]) -> int:
    """Pay-as-you-go nodes to be replaced; 0 while there are no more than are tolerated."""
    total, found = len(kept), sum(not node.spot for node in kept)
    return (
        found - target(total, mix["base"], mix["percent"]) if found > tolerated(total, mix) else 0
    )


def _begin(
    snapshot: ClusterSnapshot, config: Config, now: float, note: Note, kept: list[Node]
) -> Iterator[Action]:
    mix = config.mix or {}
    over = surplus(kept, mix)
    if bool(over) != bool(note.get("over")):
        note = {**note, "over": now if over else 0}
        yield _write(
            note, "the share of pay-as-you-go nodes is too high" if over else "the mix is right"
        )
    if (
        not over
        or now - float(note["over"]) < mix["after_seconds"]
        or now < float(note.get("next") or 0)
        or not _calm(snapshot)
    ):
        return
    candidates = sorted(
        (
            node
            for node in kept
            if not node.spot and not node.unschedulable and _pods_on(node, snapshot)
        ),
        key=_age_last,
    )
    count = min(
        int(note.get("size") or 1),
        over,
        len(candidates),
        int(mix["most_nodes"]) - len(snapshot.nodes),
    )
    if count <= 0:
        return
    yield _write(
        {**note, "started": now, "size": count},
        f"{over} pay-as-you-go nodes too many, {count} are replaced",
    )
    for node in candidates[:count]:
        yield Cordon(node, MIX)


def _go_on(
    snapshot: ClusterSnapshot,
    config: Config,
    now: float,
    note: Note,
    marked: list[Node],
    kept: list[Node],
) -> Iterator[Action]:
    """The node is closed first, so that its pod's replacement can't come back to it; then its pods
    are detached.
    """
    mix, started = config.mix or {}, float(note["started"])
    bought = [node for node in kept if node.created > started]
    failed = any(not node.spot for node in bought) or now - started > 3 * mix["after_seconds"]
    pods = [pod for node in marked for pod in _pods_on(node, snapshot)]
    if failed:
        for node in marked:
            if _pods_on(node, snapshot):
                yield Uncordon(node, "its replacement was no preemptible node")
        for pod in pods:
            if pod.detach_reason == MIX and pod.detached_hash:
                yield Reattach(pod, "its replacement came to no preemptible node")
        pause = min(
            2 * float(note.get("pause") or mix["after_seconds"] / 2), 2 * mix["after_seconds"]
        )
        yield _write(
            {
                "over": note.get("over"),
                "size": 1,
                "pause": pause,
                "next": now + pause,
                "ended": now,
            },
            "no preemptible node came",
        )
    elif not marked and now - started > 5:
        yield _write(
            {"over": note.get("over"), "next": now + mix["after_seconds"]},
            "no node could be closed",
        )
    elif marked and not pods:
        size = int(note["size"]) * GROWTH
        yield _write(
            {
                "over": note.get("over"),
                "size": size,
                "next": now + mix["after_seconds"] / 10,
                "ended": now,
            },
            "replaced",
        )
    for pod in pods:
        if pod.template_hash and not failed:
            yield Detach(pod, MIX)


def rank(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """Deletion costs: of what the HPA leaves, as many are on pay-as-you-go nodes as the mix
    wants.
    """
    if config.mix is None:
        return
    base, percent = int(config.mix["base"]), float(config.mix["percent"])
    placed = sorted(
        (
            pod
            for pod in snapshot.serving
            if pod.template_hash and pod.ready and pod.node in snapshot.nodes
        ),
        key=lambda pod: (pod.created, pod.name),
    )
    seen, given = {True: 0, False: 0}, 0
    for pod in placed:
        spot = snapshot.nodes[pod.node].spot
        seen[spot] += 1
        cost = -_place(seen[spot], spot, base, percent)
        if pod.deletion_cost != str(cost) and given < MOST_RANKED:
            given += 1
            yield SetDeletionCost(pod, cost)


def _place(number: int, spot: bool, base: int, percent: float) -> int:
    """How many pods there are when the mix wants its `number`th one of a charge type; 100000 and
    more when it never does.
    """
    most = (
        base + number + math.ceil(number * 100 / max(1.0, 100 - percent if spot else percent)) + 1
    )
    for total in range(1, most + 1):
        wanted = target(total, base, percent)
        if (total - wanted if spot else wanted) >= number:
            return total
    return 100_000 + number


def _calm(snapshot: ClusterSnapshot) -> bool:
    """Whether nothing else is going on: all pods ready, none detached, no notice."""
    serving = snapshot.serving
    ready = sum(pod.ready and bool(pod.template_hash) for pod in serving)
    busy = {pod.node for pod in serving}
    return (
        ready >= snapshot.desired > 0
        and not any(pod.detach_reason or not pod.node for pod in serving)
        and not any(
            node.notice_at is not None and node.name in busy for node in snapshot.nodes.values()
        )
    )


def _pods_on(node: Node, snapshot: ClusterSnapshot) -> list[Pod]:
    return [pod for pod in snapshot.serving if pod.node == node.name]


def _age_last(node: Node) -> tuple[float, str]:
    return -node.created, node.name


def _read(snapshot: ClusterSnapshot) -> Note:
    try:
        found = json.loads(snapshot.notes.get(NOTE) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _write(note: Note, why: str) -> SaveNote:
    return SaveNote(
        NOTE, json.dumps({key: value for key, value in note.items() if value}, sort_keys=True), why
    )
