"""All preemptible nodes lost with little notice, or none."""

from __future__ import annotations

import math

import pytest

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.live import FULL, Live


@pytest.mark.parametrize(("notice", "bound"), [(120, 0.985), (0, 0.965)])
def test_a_loss_with_less_notice_costs_no_more_than_its_share_of_the_hour(
    peak: Live, notice: int, bound: float
) -> None:
    told, before = peak.now, peak.row()["pods"]
    lost = peak.reclaim(notice=notice)
    peak.pause(notice + 30)
    peak.until(lambda row: row["capacity_qps"] >= FULL and row["pods"]["pending"] == 0, 1200)
    peak.pause(300)
    run = peak.run()
    served = figures.answered_next_hour(run, told, FULL)
    measure(
        f"% answered in the hour after all preemptible nodes were lost with {notice} s notice",
        100 * served,
        worst=min,
    )
    measure("% of them within a second", 100 * figures.served_next_hour(run, told), worst=min)
    assert lost >= 12 and served >= bound
    if notice == 0:
        waits = figures.replaced_after(run.between(told, told + 120), before["ready_spot"])
        late = waits[math.ceil(0.95 * len(waits)) - 1]
        measure("seconds until a lost node's pod was created anew, 95th percentile", late)
        assert lost >= len(waits) == before["ready_spot"] >= 12 and late <= 15
        kept, least = (
            before["ready_on_demand"],
            min(row["pods"]["ready"] for row in run.between(told).samples),
        )
        measure(f"pods that went on serving of {kept} on demand", least, worst=min)
        assert kept >= 5 and least >= kept
