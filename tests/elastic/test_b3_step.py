"""The load doubles from one second to the next.

The bound is a multiple of what the cloud and the server take for themselves. Boots are drawn, so
each step is held against the boot of the node that completed it, from its order on; image and model
take the same 40 s in every pod. What is left is ours: the metric's age, the autoscaler's period,
the node scaler's look, the scheduler, the probe.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from lab.testing.figures import measure
from ops.cloud.resources import epoch_seconds
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import CLOCK, QUIET

ORDER, LOAD = 2.0, 40.0
"""Seconds until an order has made instances (`scaling_activity` of the scenario), and until image
and model are loaded.
"""
STEPS = {700.0: 45.0, 1300.0: 90.0, 1900.0: 180.0}
LAST = 580.0
"""Seconds of a step that are looked at."""


def test_full_capacity_is_there_soon_after_the_new_nodes_are(labs: Labs) -> None:
    rig = labs.fresh(model_load=LOAD)
    with rig.load("step", (0, QUIET), (100, 22), *STEPS.items(), (2600, 180), steps=True) as live:
        live.pause(max(STEPS) + LAST)
        run, instances, started = (
            live.run(),
            rig.lab.control("instances")["instances"],
            live.session.meta["started"],
        )
    moments = ("created", "running_since")
    ordered = [
        {name: (epoch_seconds(one[name]) - started) * CLOCK for name in moments}
        for one in instances
        if one["running_since"]
    ]
    taken = [
        figures.time_to_capacity(run.between(begin, begin + LAST), begin, rate) or math.inf
        for begin, rate in STEPS.items()
    ]
    floors = [
        boot(ordered, begin, begin + seconds) + LOAD
        for begin, seconds in zip(STEPS, taken, strict=True)
    ]
    ratios = sorted(seconds / floor for seconds, floor in zip(taken, floors, strict=True))
    for ratio in ratios:
        measure("x (boot + load time) to full capacity after a doubled load", ratio)
    for seconds in taken:
        measure("seconds to full capacity after a doubled load", seconds)
    assert statistics.median(ratios) <= 1.20
    assert ratios[-1] <= 1.30


def boot(ordered: list[dict[str, Any]], begin: float, full: float) -> float:
    """Seconds from its order on that the last node took which was up early enough for a pod that
    was ready when the capacity was full.
    """
    boots = [
        (one["running_since"], one["running_since"] - one["created"])
        for one in ordered
        if one["created"] >= begin
    ]
    in_time = [found for found in boots if found[0] <= full - LOAD]
    assert in_time, f"the step at {begin:g} s was met without a new node"
    return max(in_time)[1] + ORDER
