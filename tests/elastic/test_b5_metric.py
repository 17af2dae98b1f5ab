"""The metric fails, or lies."""

from __future__ import annotations

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.live import Live

STEP = 60.0
"""Seconds of one period of the HPA's policies for growing."""


def test_an_outage_at_the_peak_takes_no_pod_away_and_garbage_moves_one_step_at_most(
    peak: Live,
) -> None:
    wanted, began = peak.row()["pods"]["desired"], peak.now
    try:
        peak.rig.metrics("outage")
        peak.pause(600)
        fewest = min(row["pods"]["desired"] for row in peak.run().between(began).samples)
        moved = {mode: _moved(peak, mode) for mode in ("zero", "negative", "x100")}
    finally:
        peak.rig.metrics("normal")
    failed = figures.requests(peak.run().between(began))["failed"]
    measure("pods taken away in an outage of ten minutes", wanted - fewest)
    for mode, by in moved.items():
        measure(f"pods moved by a minute of {mode}", by)
    measure("requests failed meanwhile", failed)
    assert fewest >= wanted and failed == 0
    assert moved["zero"] == 0, "a minute without load takes nothing away"


def _moved(live: Live, mode: str) -> int:
    """By how many pods a minute of it moved the wanted number; one step of the HPA's policies at
    most.
    """
    live.rig.metrics("normal")
    live.pause(60)
    live.calm()
    before = live.row()["pods"]["desired"]
    live.rig.metrics(mode)
    live.pause(STEP)
    live.rig.metrics("normal")
    live.pause(60)
    wanted = [row["pods"]["desired"] for row in live.run().between(live.now - STEP - 90).samples]
    moved = max(max(wanted) - before, before - min(wanted))
    step = max(4, before)  # the larger of scaleUpPods and scaleUpPercent (100 %)
    assert moved <= step, f"{mode}: {before} pods moved by {moved}"
    return moved
