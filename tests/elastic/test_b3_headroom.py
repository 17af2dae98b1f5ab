"""The load doubles, and the nodes for it are warm."""

from __future__ import annotations

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import QUIET
from tests.elastic.test_b3_step import LOAD

WARM = 3
STEP = 600.0


def test_a_step_within_the_headroom_waits_for_the_model_only(labs: Labs) -> None:
    points = ((0, QUIET), (60, 24), (STEP, 48), (2 * STEP, 48))
    with labs.fresh({"headroom": {"nodes": WARM}}, model_load=LOAD).load(
        "warm", *points, steps=True
    ) as live:
        live.pause(STEP + 120)
        run = live.run()
    before = run.between(0, STEP).samples[-1]
    assert (
        before["pods"]["ready"] == before["pods"]["desired"] and not before["nodes"]["booting"]
    ), f"not calm before the step: {before}"
    taken = figures.time_to_capacity(run.between(STEP), STEP, 48)
    assert taken is not None, "capacity did not come"
    measure(
        "seconds to full capacity within the headroom, less the model's load time", taken - LOAD
    )
    assert taken <= 35 + LOAD
