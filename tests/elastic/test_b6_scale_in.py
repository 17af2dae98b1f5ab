"""From twenty pods to one."""

from __future__ import annotations

from lab.testing.figures import figure, measure
from ops.report import figures
from tests.elastic.live import CLOCK, Live


def test_scale_in_to_one_pod_fails_no_request(peak: Live) -> None:
    began, most = peak.now, peak.row()
    peak.fall()
    peak.until(lambda row: row["pods"]["ready"] == 1 and row["nodes"]["ready"] <= 2, 6000)
    inwards = peak.run().between(began)
    inward = figures.requests(inwards)
    last = peak.row()
    figure(
        f"clock x{CLOCK}: {most['pods']['ready']} pods on {most['nodes']['ready']} nodes to 1 on {last['nodes']['ready']}"
    )
    measure("failed requests at scale-in", inward["failed"])
    measure("CNY an hour at the peak", most["billed"]["cny_per_hour"])
    measure("CNY an hour with work for one pod", last["billed"]["cny_per_hour"])
    assert most["pods"]["ready"] >= 20 and last["pods"]["desired"] == 1
    assert inward["count"] > 0 and inward["failed"] == 0, figures.failure_reasons(inwards)
