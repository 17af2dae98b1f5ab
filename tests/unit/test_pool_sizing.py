"""The rules of a pool's sizes: everything that computes them agrees on one table of examples,
tests/data/pool_sizing.yaml.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml

from interruption_handler import pool_sizing
from interruption_handler.capacity_mix import surplus
from interruption_handler.config import CapacityMix
from lab.alicloud.elastic import on_demand_share
from ops.engine.previews import State
from ops.plan.batch import build
from ops.plan.keys import default
from ops.plan.model_parameters import ModelParameters
from ops.plan.prices import Prices
from ops.preview_comment.cost import POOL, of_pool
from policy.resources import Resource
from policy.rules import pool as pool_policy
from policy.stacks import Stack
from settings import load
from settings.advice import advice
from settings.catalog.instance_types import SIZES
from tests.unit.cluster_objects import node
from tests.unit.program import PROJECT, ROOT, stack_values

TYPE = "ecs.gn6i-c4g1.xlarge"
EXAMPLES = yaml.safe_load((ROOT / "tests/data/pool_sizing.yaml").read_text())
SHARES = EXAMPLES["on_demand_nodes"]


def name_of(example: dict[str, Any]) -> str:
    return f"{example['total']} nodes, base {example['base']}, {example['percent']} percent"


def loaded(changes: dict[str, Any]) -> Any:
    """The settings of stack dev with these changes."""
    values = stack_values("dev", changes)
    return load(values, (), project=PROJECT, stack="dev", environment={})


def by_the_advice(total: int, base: int, percent: int) -> int:
    """What the advice on nodePool.maxSize reckons with, at a pool that has no room."""
    pool = {
        "onDemandBase": base,
        "onDemandPercent": percent,
        "minSize": 0,
        "maxSize": max(total, base),
    }
    settings = loaded({"nodePool": pool, "autoscaler": {"minReplicas": 1, "maxReplicas": total}})
    for text in advice(settings):
        if preemptible := re.search(rf"serves with {total} nodes, (\d+) of them preemptible", text):
            return total - int(preemptible[1])
    return total


def by_the_cost_table(total: int, base: int, percent: int) -> int:
    """Pay-as-you-go nodes cost 1 CNY, preemptible ones nothing."""
    inputs = {
        "instanceTypes": [TYPE],
        "spotStrategy": "SpotAsPriceGo",
        "onDemandBaseCapacity": str(base),
        "onDemandPercentageAboveBaseCapacity": str(percent),
        "desiredSize": str(total),
    }
    table = Prices({TYPE: 1.0}, {TYPE: 0.0}, {TYPE: 4}, "", "")
    cost = of_pool(State(inputs=inputs, outputs={}), table)
    assert not isinstance(cost, str), cost
    return round(cost.high)


def by_the_planner(total: int, base: int, percent: int) -> int:
    candidate = replace(
        default(),
        instance_types=(TYPE,),
        max_size=max(total, 1),
        on_demand_base=base,
        on_demand_percent=percent,
    )
    batch = build([candidate], 1, ModelParameters(prices={TYPE: 1.0}))
    return int(batch.wanted_on_demand(np.array([0]), np.array([total]))[0])


def by_the_double(total: int, base: int, percent: int) -> int:
    return on_demand_share(total, base, percent, "ceil")


@pytest.mark.parametrize(
    "rule",
    [
        pool_sizing.on_demand_nodes,
        by_the_advice,
        by_the_cost_table,
        by_the_planner,
        by_the_double,
    ],
    ids=["handler", "advice", "cost table", "planner", "cloud double"],
)
def test_everything_counts_the_same_pay_as_you_go_nodes(
    rule: Callable[[int, int, int], int],
) -> None:
    for example in SHARES:
        if rule is by_the_advice and not example["total"]:
            continue  # autoscaler.maxReplicas is at least 1
        counted = rule(example["total"], example["base"], example["percent"])
        assert counted == example["ceil"], name_of(example)


@pytest.mark.parametrize("rounding", ["ceil", "floor", "round"])
@pytest.mark.parametrize(
    "rule", [pool_sizing.on_demand_nodes, on_demand_share], ids=["handler", "cloud double"]
)
def test_a_share_is_rounded_as_it_is_asked_for(rule: Callable[..., int], rounding: str) -> None:
    for example in SHARES:
        counted = rule(example["total"], example["base"], example["percent"], rounding)
        assert counted == example[rounding], name_of(example)


def test_the_policy_judges_the_share_before_rounding() -> None:
    stack = Stack("dev", paid_share=(101, 101))
    for example in SHARES:
        if not example["total"]:
            continue
        exact = pool_sizing.exact_on_demand_nodes(
            example["total"], example["base"], example["percent"]
        )
        assert exact == pytest.approx(example["exact"]), name_of(example)
        properties = {
            "spotStrategy": "SpotAsPriceGo",
            "onDemandBaseCapacity": example["base"],
            "onDemandPercentageAboveBaseCapacity": example["percent"],
            "scalingConfig": {"maxSize": example["total"]},
        }
        resource = Resource(f"urn:pulumi:dev::{PROJECT}::{POOL}::pool", properties, False)
        percent = 100 * example["exact"] / example["total"]
        assert any(
            text.startswith(f"{percent:.0f} % of the largest pool")
            for text in pool_policy.spot_mix(resource, stack)
        ), name_of(example)


def test_the_handler_tolerates_the_points_above_the_share_unless_rounding_makes_it_more() -> None:
    for example in SHARES:
        total, base, percent = example["total"], example["base"], example["percent"]
        mix = CapacityMix(base=base, percent=percent, points=4, after_seconds=1, max_nodes=1)
        for paid in range(total + 1):
            nodes = [node(f"n{index}", spot=index >= paid) for index in range(total)]
            too_many = surplus(nodes, mix)
            assert bool(too_many) is (paid > example["tolerated"]), name_of(example)
            assert not too_many or paid - too_many == example["ceil"], name_of(example)


@pytest.mark.parametrize("base", [0, 1, 3])
@pytest.mark.parametrize("percent", [0, 1, 29, 30, 33, 50, 99, 100])
@pytest.mark.parametrize("spot", [True, False])
def test_the_smallest_pool_with_some_nodes_is_the_first_one_that_has_them(
    base: int, percent: int, spot: bool
) -> None:
    def has(total: int) -> int:
        paid = pool_sizing.on_demand_nodes(total, base, percent)
        return total - paid if spot else paid

    for number in range(1, 20):
        first = next((total for total in range(1, 2500) if has(total) >= number), None)
        smallest = pool_sizing.smallest_pool_with(number, base, percent, spot=spot)
        assert smallest == (first if first is not None else pool_sizing.NEVER + number)


@pytest.mark.parametrize("example", EXAMPLES["nodes_for_pods"])
def test_settings_and_handler_count_the_same_nodes_for_pods(example: dict[str, Any]) -> None:
    gpus = [SIZES[name].gpus for name in example["types"]]
    assert pool_sizing.pods_per_node(gpus, example["gpus"]) == example["per_node"]
    for pods, nodes in example["nodes"].items():
        assert pool_sizing.nodes_for_pods(pods, example["per_node"]) == nodes
        pool = {"instanceTypes": example["types"], "spotInstancePools": 1, "maxSize": 100}
        server = {"gpus": example["gpus"]}
        settings = loaded({"nodePool": pool, "server": server})
        assert settings.nodes_for(pods) == nodes
