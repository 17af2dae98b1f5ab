"""What peers do, in the same lab: the stock autoscaler with nobody to look after interruptions, and
a fleet on demand.
"""

from __future__ import annotations

from typing import Any

import pytest

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import FULL, LONG, QUIET, at_twenty

NOBODY = {
    "interruption": {"enabled": False},
    "mix": {"enabled": False},
    "nodeScaler": {"skipGpuWait": False},
}
ON_DEMAND: dict[str, dict[str, Any]] = {
    **NOBODY,
    "nodePool": {"spotStrategy": "NoSpot", "spotInstanceRemedy": False},
}


def test_without_the_handler_the_same_loss_is_noticed(labs: Labs) -> None:
    with labs.fresh(NOBODY).full("stock-hpa") as live:
        told = live.now
        lost = live.reclaim(notice=300)
        live.pause(330)
        live.until(lambda row: row["capacity_qps"] >= FULL and row["pods"]["pending"] == 0, 1800)
        live.pause(300)
        run = live.run()
    found, short = figures.requests(run.between(told)), figures.shortfall(run.between(told), FULL)
    measure("stock HPA, no handler: % answered in the hour after all preemptible nodes were lost with 300 s notice",
            100 * figures.answered_next_hour(run, told, FULL), worst=min)  # fmt: skip
    measure("% of them within a second", 100 * figures.served_next_hour(run, told), worst=min)
    measure("requests per second short", short)
    assert lost >= 12
    assert short > 0 or found["failed"] > 0


def test_a_fleet_on_demand_saves_nothing(labs: Labs) -> None:
    with labs.fresh(ON_DEMAND).full("on-demand") as live:
        begin = live.now
        live.pause(300)
        money, row = figures.cost(live.run().between(begin)), live.row()
    measure("saving of a fleet on demand", money["saving"])
    measure("fleet on demand: CNY an hour at the peak", row["billed"]["cny_per_hour"])
    assert money["saving"] == pytest.approx(0, abs=1e-6)


def test_a_static_fleet_is_paid_for_its_peak_while_there_is_work_for_one_pod(labs: Labs) -> None:
    static = {**ON_DEMAND, "autoscaler": {"minReplicas": 20}}
    with labs.fresh(static).load("static", (0, QUIET), (LONG, QUIET)) as live:
        live.until(at_twenty, 1800)
        live.pause(600)
        row = live.row()
    measure("static fleet: CNY an hour with work for one pod", row["billed"]["cny_per_hour"])
    assert row["pods"]["ready"] >= 20 and row["billed"]["on_demand"] >= 20
