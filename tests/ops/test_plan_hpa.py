"""The planner's HPA and its peers, by hand-worked cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ops.plan.batch import build
from ops.plan.deciders import Kpa, SkyServe, deciders
from ops.plan.keys import default
from ops.plan.model_parameters import ModelParameters

TYPE = "ecs.gn6i-c4g1.xlarge"
PARAMETERS = ModelParameters(prices={TYPE: 10.0}, vcpus={TYPE: 4})


class Bench:
    """One decider with a rate that the test sets."""

    def __init__(self, outages: list[tuple[float, float]] | None = None, **settings: Any) -> None:
        limits = {
            "max_replicas": 40,
            "max_size": 60,
            "scale_up_percent": 0,
            "scale_down_percent": 100,
            "scale_down_period": 15,
        }
        one = replace(default(), instance_types=(TYPE,), spot_pools=1, **{**limits, **settings})
        self.decider = deciders(build([one], 1, PARAMETERS), PARAMETERS, outages or [])[0]
        self.now, self.pods, self.rate = 0.0, np.array([one.min_replicas]), 0.0

    def ticks(self, number: int, rate: float | None = None) -> list[int]:
        """The pods after each of the next decisions."""
        self.rate = self.rate if rate is None else rate
        made = []
        for _ in range(number):
            self.pods = self.decider.decide(
                self.now, self.pods, self.pods, lambda seed, begin, end: (end - begin) * self.rate
            )
            made.append(int(self.pods[0]))
            self.now += self.decider.every
        return made


def test_the_metric_is_cut_to_whole_requests_and_divided_by_the_target_rounding_up() -> None:
    bench = Bench(target_qps=10, scale_up_pods=100)
    assert bench.ticks(1, 20.9) == [2]  # 20, not 20.9
    assert bench.ticks(1, 23.0) == [3]


def test_within_ten_percent_nothing_changes() -> None:
    bench = Bench(target_qps=10, min_replicas=10)
    bench.pods = np.array([20])
    assert bench.ticks(2, 220.0) == [20, 20]
    assert bench.ticks(1, 221.0) == [23]


def test_growth_is_bound_to_some_pods_in_each_period() -> None:
    bench = Bench(target_qps=10, scale_up_pods=4, scale_up_period=60)
    assert bench.ticks(9, 200.0) == [5, 5, 5, 5, 9, 9, 9, 9, 13]


def test_of_pods_and_percent_the_larger_growth_counts() -> None:
    bench = Bench(target_qps=10, scale_up_pods=4, scale_up_percent=100, scale_up_period=15)
    assert bench.ticks(4, 400.0) == [5, 10, 20, 40]


def test_scale_in_waits_for_the_highest_recommendation_of_its_window() -> None:
    bench = Bench(target_qps=10, scale_up_pods=100, stable_down=60)
    assert bench.ticks(1, 200.0) == [20]
    assert bench.ticks(6, 50.0) == [20, 20, 20, 20, 5, 5]


def test_scale_in_is_bound_by_its_policy() -> None:
    bench = Bench(
        target_qps=10, scale_up_pods=100, stable_down=0, scale_down_percent=50, scale_down_period=30
    )
    bench.ticks(1, 200.0)
    bench.ticks(2)
    assert bench.ticks(5, 10.0) == [10, 10, 5, 5, 2]


def test_without_a_metric_nothing_moves_and_no_recommendation_is_kept() -> None:
    bench = Bench([(30.0, 600.0)], target_qps=10, scale_up_pods=100, stable_down=0)
    assert bench.ticks(2, 200.0) == [20, 20]
    assert bench.ticks(30, 0.0) == [20] * 30


def test_pods_below_the_minimum_or_above_the_maximum_are_brought_inside_at_once() -> None:
    bench = Bench(target_qps=10, min_replicas=3, max_replicas=5, scale_up_pods=1)
    bench.pods = np.array([1])
    assert bench.ticks(1, 10.0) == [3]
    bench.pods = np.array([9])
    assert bench.ticks(1, 10.0) == [5]


def test_knative_panics_within_seconds_and_does_not_shrink_meanwhile() -> None:
    bench = Bench(policy="kpa", target_qps=10, min_replicas=2)
    assert isinstance(bench.decider, Kpa)
    assert bench.ticks(1, 200.0) == [20]
    assert bench.ticks(29, 10.0) == [20] * 29
    bench.now += 40
    assert bench.ticks(3, 10.0) == [10, 5, 3]


def test_skyserve_answers_after_five_minutes_and_shrinks_after_twenty() -> None:
    bench = Bench(policy="skyserve", target_qps=10)
    assert isinstance(bench.decider, SkyServe)
    assert bench.ticks(16, 95.0) == [1] * 14 + [10, 10]
    assert bench.ticks(60, 5.0)[-2:] == [10, 1]


@pytest.mark.parametrize("policy", ["hpa", "kpa", "skyserve"])
def test_every_policy_keeps_to_its_bounds(policy: str) -> None:
    bench = Bench(
        policy=policy,
        target_qps=10,
        min_replicas=2,
        max_replicas=7,
        stable_down=0,
        scale_up_pods=50,
    )
    up = bench.ticks(40, 1000.0)
    down = bench.ticks(140, 0.0)
    assert (max(up), down[-1]) == (7, 2)
