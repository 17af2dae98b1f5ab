"""`python -m ops.plan`: what it is asked, what it refuses, what it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ops.plan import (
    inputs,
    keys,
    outcome,
    plan_request,
    prices,
    recorded,
    stackfile,
    synthetic,
    trace,
)
from ops.plan.__main__ import main
from ops.plan.outcome import Row
from ops.plan.prices import ROOT
from ops.plan.problems import PlanError

TINY = [
    "--trace",
    "S1",
    "--hours",
    "1",
    "--peak",
    "100",
    "--seeds",
    "1",
    "--market",
    "always",
    "--quiet",
]


def grid(path: Path, **content: Any) -> str:
    """A candidates file."""
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_the_program_is_tried_with_its_own_defaults() -> None:
    one = keys.default()
    assert (one.target_qps, one.max_replicas, one.on_demand_percent, one.compensate) == (
        10,
        10,
        30,
        True,
    )
    assert (one.scan_seconds, one.unneeded_seconds, one.headroom) == (30.0, 600.0, 0)
    assert all(keys._declared(name) for name in keys.KEYS), "every key is a setting of the program"


def test_planning_prints_the_frontier_the_peers_and_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {
        "nodePool.maxSize": "auto",
        "autoscaler.maxReplicas": "auto",
        "autoscaler.targetQps": 10,
    }
    file = grid(
        tmp_path / "try.yaml",
        base=base,
        grid={"headroom.nodes": [0, 5], "nodePool.onDemandPercent": [30, 60]},
    )
    out = [tmp_path / name for name in ("out.json", "out.svg", "run")]
    more = [
        "--json",
        str(out[0]),
        "--picture",
        str(out[1]),
        "--record",
        str(out[2]),
        "--baselines",
        "--slo",
        "60",
    ]
    assert main([*TINY, "--candidates", file, *more]) == 0
    shown = capsys.readouterr().out
    assert "frontier" in shown and "static peak, on demand" in shown and "SkyServe" in shown
    assert "pulumi config set --path 'elastic-inference:autoscaler.maxReplicas' 12" in shown
    figures = json.loads(out[0].read_text())
    assert len(figures["candidates"]) == 4 and figures["chosen"]["slo_worst"] >= 0.6
    peers = {row["name"]: row for row in figures["peers"]}
    assert peers["static peak, on demand"]["relative_static"] == pytest.approx(1.0)
    assert 0.45 < figures["chosen"]["relative_on_demand"] < 0.7
    assert out[1].read_text().startswith("<?xml") and (out[2] / "samples.jsonl").is_file()


def test_when_nobody_keeps_the_promise_it_says_who_is_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = grid(
        tmp_path / "try.yaml",
        candidates=[{"nodePool.maxSize": "auto", "autoscaler.maxReplicas": "auto"}],
    )
    assert main([*TINY, "--candidates", file, "--slo", "99.99"]) == 1
    assert "no candidate keeps 99.99 %" in capsys.readouterr().out


def test_all_problems_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("boott: 3\nload: [1]\n")
    file = grid(
        tmp_path / "try.yaml",
        grid={
            "autoscaler.targetQPS": [10],
            "nodePool.onDemandPercent": [30, 101],
            "mix.enabled": ["yes"],
        },
        candidates=[
            {"nodePool.maxSize": 5, "nodePool.minSize": 5},
            {"autoscaler.floors": [{"schedule": "0 99 * * *", "minReplicas": 2}]},
        ],
    )
    wrong = [
        "--seeds",
        "0",
        "--slo",
        "101",
        "--step",
        "3",
        "--market",
        "calmer",
        "--write",
        "nowhere",
    ]
    assert (
        main(["--trace", "S1", *wrong, "--parameters", str(parameters), "--candidates", file]) == 2
    )
    told = capsys.readouterr().err
    for part in (
        "--seeds is 0", "--slo is 101.0", "--step is 3.0", "did you mean calm?", '--write is "nowhere"', "did you mean boot?",
        "load is [1]",
        "did you mean autoscaler.targetQps?", "nodePool.onDemandPercent is 101", 'mix.enabled is "yes"',
        "nodePool.maxSize is 5", "autoscaler.floors is",
    ):  # fmt: skip
        assert part in told, part
    assert "Traceback" not in told and "nothing was simulated or written" in told


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "naming the columns seconds and qps"),
        ("time,rate\n0,1\n", "naming the columns seconds and qps"),
        ("seconds,qps\n0,1\n", "at least two rows"),
        ("seconds,qps\n0,1\n10,x\n20,-3\n15,2\n5,2\n", 'line 3 is "10,x"'),
        ("seconds,qps\n0,1\n10,nan\n", "finite numbers"),
        ("seconds,qps\n0,1\n10,2\n10,3\n", "a time after 10"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(PlanError, match=told):
        trace.read(path)


def test_a_trace_file_is_read_as_it_was_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "day.csv"
    assert main(["--trace", "S3", "--peak", "200", "--export", str(path)]) == 0
    read, made = trace.read(path), synthetic.make("S3", 200.0)[0]
    assert (read.seconds, read.peak) == pytest.approx((86400.0, 200.0), rel=1e-4) and np.allclose(
        read.rates, made.rates, atol=1e-4
    )


def test_the_day_curve_has_the_shape_it_states() -> None:
    made, _ = synthetic.make("S3", 1000.0)
    hours = made.per_step(3600.0, 24) / 3600
    assert hours.max() / hours.mean() == pytest.approx(
        3.2, abs=0.1
    ) and made.rates.min() / made.mean == pytest.approx(0.06, abs=0.01)


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_writing_changes_the_settings_and_nothing_else(tmp_path: Path, stack: str) -> None:
    path = tmp_path / f"Pulumi.{stack}.yaml"
    shutil.copy(ROOT / path.name, path)
    before = path.read_text()
    assert stackfile.write(path, {}) == [] and path.read_text() == before
    changes = stackfile.write(path, {"autoscaler.targetQps": 12, "headroom.nodes": 1})
    after = path.read_text()
    assert "autoscaler.targetQps: not set -> 12" in changes
    config = yaml.safe_load(after)["config"]
    assert config["elastic-inference:autoscaler"]["targetQps"] == 12 and config[
        "elastic-inference:headroom"
    ] == {"nodes": 1}
    added = set(after.splitlines()) - set(before.splitlines())
    assert set(before.splitlines()) <= set(after.splitlines()) and len(added) <= 5
    assert stackfile.write(path, {"autoscaler.targetQps": 12}) == []


def test_what_the_program_would_refuse_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.local.yaml"
    shutil.copy(ROOT / path.name, path)
    before = path.read_text()
    with pytest.raises(PlanError, match=r"autoscaler\.maxReplicas"):
        stackfile.write(path, {"autoscaler.maxReplicas": 500})
    assert path.read_text() == before


def test_commands_set_lists_and_texts_as_pulumi_wants_them() -> None:
    lines = stackfile.commands(
        {
            "nodePool.instanceTypes": ["ecs.a.b"],
            "mix.enabled": True,
            "nodeScaler.scaleDownDelay": "5m",
        },
        "dev",
    )
    assert lines == [
        "pulumi config set --stack dev --path 'elastic-inference:mix.enabled' true",
        "pulumi config set --stack dev --path 'elastic-inference:nodePool.instanceTypes[0]' 'ecs.a.b'",
        "pulumi config set --stack dev --path 'elastic-inference:nodeScaler.scaleDownDelay' '5m'",
    ]


def row(cost: float, slo: float) -> Row:
    """A row of which only cost and SLO matter."""
    return Row(f"{cost}", cost, cost, 0.2, 0.5, slo, slo, 0.3, 3.0, 0.0, {})


def test_the_frontier_is_what_nothing_beats_and_the_choice_its_cheapest_good_one() -> None:
    found = [
        row(5, 0.99),
        row(3, 0.9),
        row(4, 0.89),
        row(9, 0.9995),
        row(7, 0.9992),
        row(8, 0.9991),
    ]
    assert [r.cost for r in outcome.frontier(found)] == [3, 5, 7, 9]
    chosen = outcome.choose(found, 0.999)
    assert chosen is not None and chosen.cost == 7
    assert outcome.choose(found, 0.9999) is None


def test_shares_are_cut_not_rounded_up() -> None:
    assert "99.999%" in outcome.table([row(1, 0.9999999)])


def test_prices_by_region_and_flat_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(
        '{"date": "2026-01-01", "source": "us", "elsewhere": "a", "prices": {"a": {"x": 1, "y": 2}, "b": {"x": 3}}}'
    )
    assert [prices.load(path, region)[0].on_demand for region in ("b", "c")] == [
        {"x": 3.0, "y": 2.0},
        {"x": 1.0, "y": 2.0},
    ]
    path.write_text('{"prices": {"x": {"on_demand": 4, "spot_fraction": 0.2}, "y": -1}}')
    table, wrong = prices.load(path)
    assert (
        table.on_demand == {"x": 4.0}
        and table.spot_fraction == {"x": 0.2}
        and "y is -1" in str(wrong[0])
    )
    assert prices.load()[0].on_demand["ecs.gn6i-c4g1.xlarge"] > 0


def test_auto_sizes_leave_room_for_the_replacement_of_a_whole_fleet() -> None:
    made, _ = synthetic.make("S1", 100.0)
    row = {
        "autoscaler.targetQps": 10,
        "autoscaler.maxReplicas": "auto",
        "headroom.nodes": 2,
        "nodePool.maxSize": "auto",
    }
    assert inputs.resolved(row, made) == {
        **row,
        "autoscaler.maxReplicas": 12,
        "nodePool.maxSize": 28,
    }


@pytest.mark.parametrize("clock", [1.0, 10.0])
def test_a_simulated_run_checked_against_the_simulation_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: float
) -> None:
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(f"clock: {clock:g}\nbursty: false\n")
    base = {"nodePool.maxSize": 60, "autoscaler.maxReplicas": 30, "headroom.nodes": 1}
    if clock > 1:  # as a run at this clock is configured
        base |= {
            "autoscaler.scaleDownSeconds": 30,
            "autoscaler.scaleUpPeriodSeconds": 6,
            "autoscaler.scaleDownPeriodSeconds": 30,
        }
        base |= {"mix.afterSeconds": 30, "autoscaler.outageSeconds": 6}
    file = grid(tmp_path / "try.yaml", candidates=[base])
    run = tmp_path / "run"
    more = [
        "--trace",
        "S8",
        "--record",
        str(run),
        "--slo",
        "1",
        "--candidates",
        file,
        "--parameters",
        str(parameters),
        "--step",
        "1",
    ]
    assert main([*TINY, *more, "--peak", "250", "--first-seed", "1"]) == 0
    assert main(["--check", str(run), "--seeds", "2"]) == 0
    shown = capsys.readouterr().out
    assert "cost, CNY" in shown and "both hold" in shown
    whole = float(shown.rpartition("modelled minutes")[0].split()[-1])
    main(["--check", str(run), "--seeds", "2", "--since", "600"])
    assert f"{whole - 10:.1f} modelled minutes" in capsys.readouterr().out
    assert main(["--check", str(run), "--since", "1e6"]) == 2
    assert (
        f"--since is 1000000.0\n     expected: a second of the run (it ends at {3600 - clock:.0f})"
        in capsys.readouterr().err
    )


def test_a_run_that_is_none_is_refused_with_everything_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert (
        all(name in told for name in ("samples.jsonl", "requests.jsonl", "meta.json"))
        and "3 inputs" in told
    )


def test_notices_to_nodes_become_events_of_the_market() -> None:
    samples = [{"t": 0.0, "billed": {"spot": 8, "on_demand": 4}}]
    events = [{"t": 100.0 + i, "kind": "node notice", "detail": f"n{i}"} for i in range(4)]
    events += [{"t": 220.0 + i, "kind": "node gone", "detail": f"n{i}"} for i in range(4)] + [
        {"t": 5, "kind": "pod created", "detail": "p"}
    ]
    (only,) = recorded.events_of(recorded.Recorded({}, samples, [], events), 10.0)
    assert (only.at, only.effect, only.share, only.notice, only.forced) == (
        90.0,
        "kill",
        0.5,
        120.0,
        True,
    )


def test_seconds_without_a_row_had_no_requests() -> None:
    rows = [{"t": t, "count": n} for t, n in ((10, 5), (20, 7), (50, 9))]
    load = recorded.trace_of(recorded.Recorded({"clock": 10}, [], rows, []))
    assert load.rates.tolist() == [5, 7, 0, 0, 9] and load.seconds == 50.0 and load.exact


def test_a_profile_of_the_project_is_a_load() -> None:
    made = plan_request.of_profile("step")
    assert (made.seconds, made.rates[0], made.rates[700]) == (1500.0, 45.0, 90.0)


def test_the_stack_of_a_plan_gives_its_settings_and_its_region() -> None:
    values, region, wrong = inputs.of_stack(plan_request.stack_path("prod"))
    assert (values["nodePool.maxSize"], region, wrong) == (
        yaml.safe_load(plan_request.stack_path("prod").read_text())["config"][
            "elastic-inference:nodePool"
        ]["maxSize"],
        "cn-shanghai",
        [],
    )
