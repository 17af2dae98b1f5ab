"""B9, the day curve: the settings the planner chooses cost at most a quarter of a static fleet and
answer 99.9 % in time, in every seed.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.testing.figures import measure
from ops.plan.__main__ import main


def test_the_chosen_settings_keep_cost_and_promise_in_every_seed(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    file = tmp_path / "try.yaml"
    # The tutorial's share; the planner may choose among targets, headroom and patience.
    file.write_text(
        "base: {nodePool.onDemandPercent: 30, nodePool.maxSize: auto, autoscaler.maxReplicas: auto, autoscaler.scaleUpPods: auto}\n"
        "grid: {autoscaler.targetQps: [9, 10, 11], headroom.nodes: [0, 1, 2], autoscaler.scaleDownSeconds: [300, 600]}\n"
    )
    arguments = [
        "--trace",
        "S3",
        "--market",
        "moderate",
        "--seeds",
        "5",
        "--candidates",
        str(file),
        "--json",
        str(figures),
        "--quiet",
    ]
    assert main(arguments) == 0
    chosen = json.loads(figures.read_text())["chosen"]
    cost, saving = chosen["relative_static"], 1 - chosen["relative_on_demand"]
    measure("day curve: % of a static fleet's cost", 100 * cost)
    measure("day curve: % in time in the worst seed", 100 * chosen["slo_worst"], worst=min)
    measure("day curve: % saved against the same autoscaler on demand", 100 * saving, worst=min)
    assert chosen["relative_static"] * chosen["cost_worst"] / chosen["cost"] <= 0.25
    assert chosen["slo_worst"] >= 0.999
    assert saving >= 0.42
