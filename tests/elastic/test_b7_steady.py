"""An hour of steady load, then half of it."""

from __future__ import annotations

import math

from lab.testing.figures import measure
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import FULL

TARGET = 10.0
TOLERANCE = 1.1
"""The HPA lets pods have so many times their target: 19 are as steady as 20 for what 20 are for."""
WINDOW = {"autoscaler": {"metricWindowSeconds": 60}}
"""The clock makes time pass faster, but not requests arrive faster: the metric's own 15 s would
hold so few of them that counting noise alone moves pods. 60 s at x10 hold 6 s of requests.
"""


def test_steady_load_does_not_swing_and_half_of_it_is_soon_paid_for(labs: Labs) -> None:
    half = FULL / 2
    with labs.fresh(WINDOW).load(
        "steady", (0, 6), (600, FULL), (6000, FULL), (6001, half), (9000, half)
    ) as live:
        live.until(
            lambda row: (
                row["pods"]["ready"] >= FULL / TARGET / TOLERANCE and row["nodes"]["booting"] == 0
            ),
            3000,
        )
        live.pause(420)
        live.calm()
        begin = live.now
        live.pause(6000 - begin)
        hour, instances = (
            live.run().between(begin, 6000),
            live.rig.lab.control("instances")["instances"],
        )
        need = math.ceil(half / TARGET)
        less = (
            live.until(
                lambda row: row["billed"]["spot"] + row["billed"]["on_demand"] <= 1.1 * need, 2400
            )
            - 6001
        )
    money = figures.cost(hour)
    measure("direction changes an hour", figures.direction_changes(hour) * 3600 / (6000 - begin))
    pool = [one for one in instances if one["nodepool_id"] == live.session.meta["node_pool"]]
    on_demand = min(
        one["price_per_hour"] for one in pool if one["market"] == "on_demand"
    )  # of the type that it buys on demand
    saving = 1 - money["cny"] / (money["instance_hours"] * on_demand)
    measure("saving against the same autoscaler on demand", saving, worst=min)
    measure("saving against the same instances on demand", money["saving"], worst=min)
    measure("seconds after half the load until at most 110 % of the need are billed", less)
    assert 6000 - begin >= 3000
    assert figures.direction_changes(hour) <= 1
    assert saving >= 0.466
    assert less <= 900
