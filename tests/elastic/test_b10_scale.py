"""Five hundred nodes, a thousand pods."""

from __future__ import annotations

import json

import pytest

from lab.testing.figures import figure, measure
from tests.elastic.labs import Labs
from tests.elastic.live import CLOCK
from tests.elastic.rig import Rig

NODES, PODS = 500, 1000
QPS = 26.0
CHANGES = {
    "nodePool": {
        "instanceTypes": ["ecs.gn6i-c24g1.12xlarge"],
        "maxSize": NODES + 20,
        "minSize": 1,
        "spotInstancePools": 1,
    },
    "autoscaler": {
        "maxReplicas": PODS,
        "targetQps": 2,
        "scaleUpPercent": 1000,
        "scaleUpPods": 100,
        "scaleUpPeriodSeconds": 15,
    },
    "server": {"startupSeconds": 900, "readySeconds": 1200},
}


@pytest.mark.timeout(2400)
def test_a_thousand_pods_are_created_within_half_a_minute_of_the_decision(labs: Labs) -> None:
    rig = labs.fresh(CHANGES)
    with rig.load("scale", (0, QPS), (36000, QPS)) as live:
        live.until(
            lambda row: row["capacity_qps"] >= QPS, 900
        )  # what waits for a pod is in no log yet
        rig.metrics(
            "x100"
            # work for 1,300 pods, as far as the autoscaler can see: two steps, and the second is to
            # a thousand
        )
        decided = live.until(lambda row: row["pods"]["desired"] >= PODS, 900)
        created = live.until(lambda row: row["pods"]["total"] >= PODS, 600)
        measure(
            "wall seconds from the autoscaler's decision to a thousand pods",
            (created - decided) / CLOCK,
        )
        assert (created - decided) / CLOCK <= 30
        live.until(lambda row: row["nodes"]["ready"] >= NODES, 3000)
        live.until(lambda row: row["pods"]["ready"] >= PODS, 3000)
        row = live.row()
    figure(f"clock x{CLOCK}: {row['nodes']['ready']} nodes, {row['pods']['ready']} pods ready")
    measure("GiB the lab takes with 500 nodes and 1,000 pods", _memory(rig))


def _memory(rig: Rig) -> float:
    """GiB of everything that runs in the lab; what processes share is counted once."""
    shown = json.loads(rig.lab.python("lab", "status", "--json").stdout)
    return (
        sum(part["pss_mib"] or 0 for part in shown["components"]) + shown["supervisor_pss_mib"]
    ) / 1024
