"""The page of a run: every plot, every figure, nothing from elsewhere; and what is read of a live
stack.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ops.cloud.credentials import Credentials
from ops.record.cloud import cloud_of
from ops.record.live import price_of
from ops.record.log import Route, route_of, rows, rows_of_run, statement
from ops.record.poll import Poll
from ops.report import figures
from ops.report.__main__ import main
from ops.report.page import climbed, lines, page
from ops.report.plots import plots
from ops.report.run import Run

META = {
    "title": "a <run>", "stack": "dev", "clock": 10, "pod_qps": 14.3, "price_date": "2024-10-09", "price_source": "the public list",
    "settings": {"elastic-inference:nodePool": {"onDemandPercent": 40}, "elastic-inference:mix": {"points": 5}},
}  # fmt: skip


def sample(
    t: float, desired: int, ready: int, spot: int = 14, on_demand: int = 6
) -> dict[str, Any]:
    return {
        "t": t,
        "pods": {
            "desired": desired,
            "ready": ready,
            "ready_spot": ready,
            "ready_on_demand": 0,
            "pending": 0,
        },
        "nodes": {
            "ready": spot + on_demand,
            "spot": spot,
            "on_demand": on_demand,
            "booting": 0,
            "expiring": 0,
        },
        "capacity_qps": ready * 10.0,
        "billed": {
            "spot": spot,
            "on_demand": on_demand,
            "cny_per_hour": 100.0,
            "cny_per_hour_on_demand": 200.0,
        },
    }


@pytest.fixture
def run() -> Run:
    """Two climbs, of which the second did not end; one notice."""
    samples = [
        sample(0, 2, 2),
        sample(10, 4, 2),
        sample(20, 6, 3),
        sample(210, 6, 6),
        sample(300, 9, 6),
        sample(400, 9, 7),
    ]
    requests = [
        {"t": 10.0 * n, "count": 50, "failed": 0, "late": 1, "p50": 0.1, "p95": 0.2, "p99": 0.3}
        for n in range(40)
    ]
    return Run(META, samples, requests, [{"t": 200, "kind": "node notice", "detail": "n"}])


def test_a_climb_lasts_from_wanting_more_pods_to_having_them(run: Run) -> None:
    assert figures.climbs(run) == [
        {"t": 10, "from": 2, "to": 6, "seconds": 200},
        {"t": 300, "from": 6, "to": 9, "seconds": None},
    ]
    assert (
        climbed(figures.climbs(run))
        == "2 times more pods wanted; ready after 200 s (median), 200 s (longest), 1 not yet"
    )
    assert climbed([]) == "never more pods wanted than there were"


@pytest.mark.parametrize(
    ("pool", "band"),
    [
        ({}, (0.30, 0.35)),
        ({"onDemandPercent": 40}, (0.40, 0.45)),
        ({"spotStrategy": "NoSpot"}, None),
        ({"onDemandBase": 2}, None),
    ],
)
def test_the_wanted_band_is_the_one_that_was_set(
    pool: dict[str, Any], band: tuple[float, float] | None
) -> None:
    meta = {
        "settings": {"elastic-inference:nodePool": pool, "elastic-inference:mix": {"points": 5}}
    }
    assert figures.wanted_share(Run(meta, [], [])) == band


def test_the_page_has_every_plot_and_figure_and_needs_nothing_from_elsewhere(run: Run) -> None:
    made = page(run)
    assert made.count("<svg") == len(plots(run)) == 8
    assert all(name in made for name, _ in lines(run)) and "a &lt;run&gt; on stack dev" in made
    loaded = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#][^"']*)""", made) + re.findall(
        r"url\((?!#)([^)]*)\)|@import", made
    )
    assert loaded == [] and "<script" not in made
    assert "Clock factor 10" in made and "Prices of 2024-10-09 (the public list)" in made


def test_a_part_of_a_run_is_reported_by_its_moments(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "meta.json").write_text(json.dumps(run.meta))
    for name, found in (
        ("samples", run.samples),
        ("requests", run.requests),
        ("events", run.events),
    ):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    monkeypatch.setattr(
        "sys.argv",
        [
            "report",
            str(tmp_path),
            "--since",
            "5",
            "--until",
            "250",
            "--picture",
            str(tmp_path / "part.svg"),
        ],
    )
    assert main() == 0
    assert "1 times more pods wanted" in capsys.readouterr().out and (
        tmp_path / "part.svg"
    ).read_text().startswith("<svg")
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path), "--since", "500"])
    assert main() == 1
    assert (
        "error: --since 500, --until inf: nothing was recorded there; the run ends at 400 s"
        in capsys.readouterr().err
    )


def test_a_live_stacks_answers_are_those_of_the_route_its_hpa_counts() -> None:
    labels = {
        "sls.project": "k8s-log-c1",
        "sls.logstore": "alb_ingress",
        "sls.ingress.route": "inference-bert-8501",
    }
    hpa = {
        "spec": {
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {
                            "name": "sls_alb_ingress_qps",
                            "selector": {"matchLabels": labels},
                        }
                    },
                }
            ]
        }
    }
    route = route_of(hpa)
    assert route is not None
    assert route == Route("k8s-log-c1", "alb_ingress", "slb_pool_name", "inference-bert-8501")
    assert statement(route, 0.5).startswith(
        "* and slb_pool_name: inference-bert-8501 | SELECT __time__ as t, count(1) as count, "
    )
    assert "count_if(request_time > 0.5) as late" in statement(route, 0.5)
    hpa["spec"]["metrics"][0]["external"]["metric"]["name"] = "slb_l7_qps"
    assert route_of(hpa) is None


def test_rows_of_the_log_are_rows_of_a_run() -> None:
    found = rows(
        [
            {
                "t": "1010",
                "count": "3",
                "failed": "2",
                "late": "3",
                "p50": "0.1",
                "p95": "0.25",
                "p99": "null",
            }
        ]
    )
    assert rows_of_run(found, 1000.0, 5) == [
        {"t": 50.0, "count": 3, "failed": 2, "late": 1, "p50": 0.1, "p95": 0.25, "p99": 0.0}
    ]


def test_the_key_is_read_as_the_provider_reads_it_and_without_one_there_is_no_cloud() -> None:
    given = {
        "ALICLOUD_ACCESS_KEY": "k",
        "ALICLOUD_SECRET_KEY": "s",
        "ALICLOUD_REGION": "cn-beijing",
        "ALICLOUD_SECURITY_TOKEN": "t",
    }
    cloud = cloud_of({"region": "cn-shanghai"}, given)
    assert cloud and (cloud.region, cloud.credentials) == ("cn-beijing", Credentials("k", "s", "t"))
    other = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "k", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    cloud = cloud_of({"region": "cn-shanghai"}, other)
    assert cloud and (cloud.region, cloud.credentials) == ("cn-shanghai", Credentials("k", "s"))
    assert cloud_of({"region": "cn-shanghai"}, {"ALICLOUD_ACCESS_KEY": "k"}) is None


def test_an_instance_costs_what_the_table_says_and_a_preemptible_one_its_share() -> None:
    meta = {"prices": {"t": 10.0}, "spot_fraction": {"t": 0.2}}
    assert price_of({"instance_type": "t", "spot_strategy": "SpotAsPriceGo"}, meta) == {
        "price_per_hour": 2.0,
        "list_price": 10.0,
    }
    assert price_of({"instance_type": "t", "spot_strategy": "NoSpot"}, meta) == {
        "price_per_hour": 10.0,
        "list_price": 10.0,
    }
    assert price_of({"instance_type": "unknown"}, meta) == {
        "price_per_hour": 0.0,
        "list_price": 0.0,
    }


def test_a_source_that_fails_is_told_once_and_its_last_answer_stays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = iter([7])
    poll = Poll("ECS", lambda: next(answers), 3600)
    poll.stop()
    poll.once()
    poll.once()
    assert poll.answer == 7
    assert capsys.readouterr().err.splitlines() == ["warning: ECS can't be read: StopIteration: "]
