"""Figures of small runs, worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ops.report import figures
from ops.report.run import Growing, Run, RunError, read


def row(
    t: float,
    desired: int = 1,
    capacity: float = 10.0,
    spot: int = 0,
    on_demand: int = 1,
    price: float = 0.0,
    full: float = 0.0,
) -> dict[str, Any]:
    return {
        "t": t,
        "pods": {"desired": desired, "ready": int(capacity // 10)},
        "nodes": {"ready": spot + on_demand},
        "capacity_qps": capacity,
        "billed": {
            "spot": spot,
            "on_demand": on_demand,
            "cny_per_hour": price,
            "cny_per_hour_on_demand": full,
        },
    }


def answers(t: float, count: int, failed: int = 0, late: int = 0) -> dict[str, Any]:
    return {
        "t": t,
        "count": count,
        "failed": failed,
        "late": late,
        "p50": 0.1,
        "p95": 0.2,
        "p99": 0.3,
    }


def run(
    samples: list[Any] | None = None,
    requests: list[Any] | None = None,
    events: list[Any] | None = None,
) -> Run:
    return Run({"clock": 10}, samples or [], requests or [], events or [])


def test_the_on_demand_share_is_judged_only_where_there_are_enough_nodes() -> None:
    samples = [
        row(0, spot=1, on_demand=1),
        row(1, spot=14, on_demand=6),
        row(2, spot=14, on_demand=7),
    ]
    assert figures.share(samples, 20) == (0.3, pytest.approx(1 / 3))
    assert figures.share(samples, 30) is None


def test_requests_in_time_are_neither_failed_nor_late() -> None:
    assert figures.requests(run(requests=[answers(0, 90, 5, 5), answers(1, 10)]))["in_time"] == 0.9
    assert figures.requests(run())["in_time"] == 1.0


def test_the_hour_after_a_loss_goes_on_as_the_run_ended() -> None:
    bad = [answers(t, 10, failed=10) for t in range(0, 90, 10)]
    good = [answers(t, 10) for t in range(90, 910, 10)]
    assert figures.served_next_hour(run(requests=bad + good), 0) == pytest.approx(
        1 - 0.025, abs=0.002
    )


def test_capacity_is_short_by_as_much_as_it_ever_was() -> None:
    samples = [row(0, capacity=200), row(1, capacity=150), row(2, capacity=210)]
    assert figures.shortfall(run(samples), 200) == 50
    assert figures.shortfall(run(samples), 100) < 0


def test_time_to_capacity_ends_when_demand_is_met_for_good() -> None:
    samples = [
        row(0, capacity=100),
        row(100, capacity=100),
        row(200, capacity=200),
        row(250, capacity=180),
        row(300, capacity=200),
        row(400, capacity=200),
    ]
    assert figures.time_to_capacity(run(samples), 100, 200) == 200
    assert figures.time_to_capacity(run(samples[:2]), 0, 200) is None
    assert figures.time_to_capacity(run(samples), 300, 200) == 0


def test_a_direction_change_is_a_turn_not_a_step() -> None:
    wanted = [1, 2, 2, 4, 3, 3, 2, 5]
    assert figures.direction_changes(run([row(t, desired=w) for t, w in enumerate(wanted)])) == 2


def test_money_is_price_times_time_and_the_saving_is_against_all_on_demand() -> None:
    samples = [
        row(0, price=10, full=20, spot=1),
        row(1800, price=10, full=20, spot=1),
        row(3600, price=99, full=99),
    ]
    assert figures.cost(run(samples)) == {
        "cny": 10,
        "cny_on_demand": 20,
        "saving": 0.5,
        "instance_hours": 2,
    }


def test_a_lost_nodes_pod_is_replaced_by_a_pod_of_its_own() -> None:
    events = [
        {"t": 10, "kind": "node gone", "detail": "a"},
        {"t": 11, "kind": "node gone", "detail": "b"},
        {"t": 14, "kind": "pod created", "detail": "p"},
        {"t": 16, "kind": "pod created", "detail": "q"},
        {"t": 20, "kind": "node gone", "detail": "c"},
    ]
    assert figures.replaced_after(run(events=events), pods=3) == [4, 5, math.inf]
    assert figures.replaced_after(run(events=events), pods=2) == [4, 5], "the third node was empty"


def test_a_run_directory_without_samples_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"samples.jsonl: is missing(.|\n)*meta.json"):
        read(tmp_path)
    (tmp_path / "samples.jsonl").write_text(json.dumps(row(0)) + "\n")
    (tmp_path / "meta.json").write_text('{"clock": 5}')
    assert read(tmp_path).clock == 5 and figures.summary(read(tmp_path))["peak"] == {
        "pods": 1,
        "nodes": 1,
    }


def test_a_run_that_is_still_recorded_is_read_on_from_the_last_whole_line(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"clock": 10}')
    growing = Growing(tmp_path)
    assert growing.run() == Run({"clock": 10}, [], [])
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"t": 1}\n{"t": 2}\n{"t"')
    early = growing.run()
    with samples.open("a") as file:
        file.write(": 3}\n")
    (tmp_path / "events.jsonl").write_text('{"t": 2, "kind": "node gone"}\n')
    late = growing.run()
    assert [row["t"] for row in early.samples] == [1, 2], "what was handed out stays as it was"
    assert [row["t"] for row in late.samples] == [1, 2, 3] and len(late.events) == 1
