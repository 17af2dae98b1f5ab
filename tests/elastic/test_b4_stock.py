"""Preemptible instances run out, and come back."""

from __future__ import annotations

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.live import Live


def test_missing_nodes_are_bought_on_demand_and_the_mix_returns_with_the_stock(peak: Live) -> None:
    told = peak.now
    peak.rig.market(stock=[{"market": "spot", "count": 0}])
    lost = peak.reclaim(notice=300)
    before = peak.row()["billed"]["on_demand"]
    bought = peak.until(lambda row: row["billed"]["on_demand"] >= before + lost, 600)
    peak.until(lambda row: row["nodes"]["expiring"] == 0 and row["billed"]["spot"] == 0, 1500)
    peak.pause(300)
    peak.rig.market(stock=[{"market": "spot", "count": 1000}])
    returned = peak.now
    back = peak.until(lambda row: _share(row) <= 0.34 and row["nodes"]["booting"] == 0, 3000)
    peak.pause(300)
    failed = figures.requests(peak.run().between(told))
    measure("seconds until all missing nodes were ordered on demand", bought - told)
    measure("seconds until the on-demand share was at most 34 % again", back - returned)
    measure("failed requests meanwhile", failed["failed"])
    assert lost >= 12 and bought - told <= 60
    assert back - returned <= 1800
    assert failed["count"] > 0 and failed["failed"] == 0


def _share(row: dict) -> float:
    billed = row["billed"]
    return billed["on_demand"] / max(1, billed["on_demand"] + billed["spot"])
