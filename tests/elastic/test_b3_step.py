"""The load doubles from one second to the next."""

from __future__ import annotations

import statistics

import pytest

from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import QUIET
from tests.figures import measure

BOOT, LOAD = 150.0, 40.0
"""Seconds until an instance is a ready node, and until image and model are loaded: the middle of the scenario's distributions."""
WARM = 3


@pytest.mark.timeout(1800)
def test_full_capacity_is_there_soon_after_the_new_nodes_are(labs: Labs) -> None:
    begins = {900.0: 45.0, 1800.0: 90.0, 2700.0: 180.0}
    with labs.fresh().load("step", (0, QUIET), (300, 22), *begins.items(), (3600, 180), steps=True) as live:
        live.pause(3500)
        run = live.run()
    taken = [figures.time_to_capacity(run.between(begin, begin + 880), begin, rate) for begin, rate in begins.items()]
    ratios = sorted(seconds / (BOOT + LOAD) if seconds is not None else 99.0 for seconds in taken)
    for ratio in ratios:
        measure("x (boot + load time) to full capacity after a doubled load", ratio)
    assert statistics.median(ratios) <= 1.20
    assert ratios[-1] <= 1.30


@pytest.mark.timeout(1800)
def test_a_step_within_the_headroom_waits_for_the_model_only(labs: Labs) -> None:
    points = ((0, QUIET), (900, 24), (1800, 48), (2400, 48))
    with labs.fresh({"headroom": {"nodes": WARM}}).load("warm", *points, steps=True) as live:
        live.pause(2300)
        run = live.run()
    taken = figures.time_to_capacity(run.between(1800), 1800, 48)
    assert taken is not None, "capacity did not come"
    measure("seconds to full capacity within the headroom, less the model's load time", taken - LOAD)
    assert taken <= 35 + LOAD
