"""The market: prices, stock that changes, reclaims with and without notice, replacements, launches
that fail.
"""

from __future__ import annotations

import json
import random
import statistics
import urllib.error
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.alicloud import distribution
from lab.alicloud.scenario import ScenarioError, load
from lab.testing import clients
from lab.testing.cloud import CloudDouble, new_lab, wait_for
from lab.testing.node_pools import create, running, wanted

SCENARIO = """
delays: {instance_starting: {uniform: [10, 30]}, reclaim_notice: 60, spot_protection: 0, market_check: 20, task: 0}
"""


@pytest.fixture
def own(
    tmp_path: Path,
    lab: CloudDouble,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CloudDouble]:
    """A region of the test's own, in the place of the session's; a parameter adds lines to its
    scenario.
    """
    extra = getattr(request, "param", "")
    (tmp_path / "scenario.yaml").write_text(SCENARIO + extra)
    made = new_lab(tmp_path)
    made.start()
    ports = (lab.https, lab.http, lab.control, lab.home, lab.own)
    lab.https, lab.http, lab.control, lab.home, lab.own = (
        made.https,
        made.http,
        made.control,
        made.home,
        made.own,
    )
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, made.ca)
    yield made
    lab.https, lab.http, lab.control, lab.home, lab.own = ports
    made.stop()


def grown(lab: CloudDouble, count: int, **group: object) -> str:
    """A pool with so many running instances."""
    pool = create(lab, wanted(f"pool-{count}", 0, 600, **group))
    lab.ask(f"nodepools/{pool}/scale", {"delta": count})
    running(lab, pool, count)
    return pool


def spot(rows: list[dict]) -> list[dict]:
    """The preemptible ones."""
    return [row for row in rows if row["market"] == "spot"]


def living(lab: CloudDouble, pool: str) -> list[dict]:
    """The pool's instances that have not been released."""
    return [row for row in lab.instances(pool) if row["status"] not in ("Stopping", "Deleted")]


def test_a_uniform_delay_stays_within_its_bounds_and_a_lognormal_one_has_its_median() -> None:
    rng = random.Random(3)
    uniform = [distribution.draw({"uniform": [120, 188]}, rng) for _ in range(2000)]
    assert 120 <= min(uniform) < 125 and 183 < max(uniform) <= 188
    lognormal = [
        distribution.draw({"lognormal": {"median": 22.7, "sigma": 0.5}}, rng) for _ in range(4000)
    ]
    assert statistics.median(lognormal) == pytest.approx(22.7, rel=0.05)
    assert distribution.draw(7, rng) == 7.0


@pytest.mark.parametrize(
    "spec",
    [
        -1,
        True,
        "5",
        {"uniform": [3, 2]},
        {"uniform": [1]},
        {"normal": [1, 2]},
        {"lognormal": {"median": 1}},
    ],
)
def test_a_delay_that_makes_no_sense_is_refused_with_what_was_expected(spec: object) -> None:
    assert "expected seconds, 0 or more, or {uniform: [low, high]}" in distribution.problem(spec)


def test_all_preemptible_instances_get_notice_and_each_gets_a_replacement_before_it_goes(
    own: CloudDouble, lab: CloudDouble
) -> None:
    pool = grown(lab, 10, spot_instance_remedy=True)
    told = lab.ask("reclaim", {"pool": pool})["instances"]
    assert len(told) == 7 and all(
        row["lock_reason"] == "Recycling" and row["expires_at"] for row in told
    )
    names = {row["instance_id"] for row in told}
    wait_for(
        lambda: all(
            row["remedied_by"] for row in lab.instances(pool) if row["instance_id"] in names
        )
    )
    wait_for(lambda: names.isdisjoint(row["instance_id"] for row in living(lab, pool)))
    left = living(lab, pool)
    assert len(left) == 10 and len(spot(left)) == 7


def test_without_remedy_reclaimed_instances_just_go_and_a_second_notice_changes_nothing(
    own: CloudDouble, lab: CloudDouble
) -> None:
    pool = grown(lab, 4, spot_instance_remedy=False)
    first = lab.ask("reclaim", {"pool": pool, "count": 1})["instances"][0]
    again = lab.ask(f"instances/{first['instance_id']}/reclaim", {})
    assert again["expires_at"] == first["expires_at"]
    wait_for(lambda: len(living(lab, pool)) == 3)


def test_without_notice_an_instance_is_gone_at_once(own: CloudDouble, lab: CloudDouble) -> None:
    pool = grown(lab, 4)
    gone = lab.ask("reclaim", {"pool": pool, "count": 2, "notice": 0})["instances"]
    assert [row["status"] for row in gone] == ["Stopping", "Stopping"] and len(
        living(lab, pool)
    ) == 2


def test_when_stock_falls_the_youngest_are_reclaimed_and_orders_come_on_demand_until_it_returns(
    own: CloudDouble, lab: CloudDouble
) -> None:
    pool = grown(lab, 10, spot_instance_remedy=False)
    lab.ask("market", {"stock": [{"market": "spot", "count": 3}]})
    wait_for(lambda: len(spot(living(lab, pool))) == 3)
    lab.ask(f"nodepools/{pool}/scale", {"delta": 2})
    running(lab, pool, 8)
    assert len(spot(living(lab, pool))) == 3
    lab.ask("market", {"stock": []})
    lab.ask(f"nodepools/{pool}/scale", {"delta": 4})
    running(lab, pool, 12)
    assert len(spot(living(lab, pool))) == 7


@pytest.mark.parametrize(("pools", "kinds"), [(1, 1), (2, 2)])
def test_preemptible_instances_spread_over_so_many_of_the_cheapest_types(
    own: CloudDouble, lab: CloudDouble, pools: int, kinds: int
) -> None:
    counts = Counter(
        row["instance_type"] for row in spot(living(lab, grown(lab, 20, spot_instance_pools=pools)))
    )
    assert (
        len(counts) == kinds
        and sum(counts.values()) == 14
        and max(counts.values()) - min(counts.values()) <= 1
    )


def test_losing_a_class_or_a_zone_leaves_its_complement(own: CloudDouble, lab: CloudDouble) -> None:
    pool = grown(lab, 20, spot_instance_remedy=False)
    zones = {row["zone_id"] for row in living(lab, pool) if row["market"] == "on_demand"}
    assert len(zones) == 3, "what is left when the class goes is in every zone"
    lab.ask("reclaim", {"pool": pool, "zone": min(zones), "notice": 0})
    left = living(lab, pool)
    assert len(left) >= 0.62 * 20 and len(spot(left)) >= 8
    lab.ask("reclaim", {"pool": pool, "notice": 0})
    assert [row["market"] for row in living(lab, pool)] == ["on_demand"] * 6


def test_a_price_above_the_pools_limit_ends_its_preemptible_instances(
    own: CloudDouble, lab: CloudDouble
) -> None:
    limits = [
        {"instance_type": name, "price_limit": "4"}
        for name in ("ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge")
    ]
    group = {
        "instance_types": ["ecs.gn6i-c4g1.xlarge"],
        "spot_price_limit": limits,
        "spot_strategy": "SpotWithPriceLimit",
    }
    pool = grown(lab, 4, **group)
    assert all(
        row["price_per_hour"] == pytest.approx(11.63 * 0.3) for row in spot(living(lab, pool))
    )
    lab.ask("market", {"spot_fraction": {"ecs.gn6i-c4g1.xlarge": 0.5}})
    wait_for(lambda: not spot(living(lab, pool)))


def test_an_order_that_does_not_look_at_the_stock_misses_the_mix(
    own: CloudDouble, lab: CloudDouble
) -> None:
    looked, blind = (create(lab, wanted(name, 0, 50)) for name in ("looked", "blind"))
    lab.ask(f"nodepools/{looked}/scale", {"delta": 20})
    lab.ask(f"nodepools/{blind}/scale", {"delta": 20, "market": "any"})
    running(lab, looked, 20)
    running(lab, blind, 20)
    assert len(spot(living(lab, looked))) == 14
    assert len(spot(living(lab, blind))) < 14


@pytest.mark.parametrize("own", ["quota: 3"], indirect=True)
def test_the_accounts_quota_ends_an_order_with_the_reason(
    own: CloudDouble, lab: CloudDouble
) -> None:
    held = len([row for row in lab.ask("instances")["instances"] if row["status"] != "Deleted"])
    pool = create(lab, wanted("quota", 0, 10))
    lab.ask(f"nodepools/{pool}/scale", {"delta": 5})
    running(lab, pool, 3 - held)
    activity = lab.ask("activities")["activities"][-1]
    assert activity["StatusCode"] == "Warning" and "QuotaExceed" in activity["StatusMessage"]


@pytest.mark.parametrize("own", ["launch_failures: 1.0"], indirect=True)
def test_a_launch_that_fails_is_told_in_the_activity(own: CloudDouble, lab: CloudDouble) -> None:
    pool = create(lab, wanted("unlucky", 0, 10))
    lab.ask(f"nodepools/{pool}/scale", {"delta": 1})
    wait_for(lambda: lab.ask("activities")["activities"][-1]["StatusCode"] == "Failed")
    assert "LaunchFailed" in lab.ask("activities")["activities"][-1]["StatusMessage"]
    official = clients.rpc(
        lab, "ess.aliyuncs.com", "2014-08-28", "DescribeScalingActivities", RegionId="cn-shanghai"
    )
    assert official["ScalingActivities"]["ScalingActivity"][0]["StatusCode"] == "Failed"


def test_prices_have_a_date_and_a_source_and_a_wrong_market_is_refused_by_name(
    own: CloudDouble, lab: CloudDouble
) -> None:
    prices = lab.ask("prices")
    assert prices["date"] and prices["source"] and prices["prices"]["ecs.gn6i-c4g1.xlarge"] == 11.63
    assert lab.ask("clock") == {"factor": own.clock}
    for body, message in (
        ({"stok": []}, "stok: unknown; known are stock and spot_fraction"),
        (
            {"stock": [{"market": "spot"}]},
            "stock[0]: expected market spot or on_demand and a whole number",
        ),
        (
            {"spot_fraction": {"ecs.gn6i-c4g1.xlarge": 0}},
            "expected an instance type of the catalog and a share above 0",
        ),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            lab.ask("market", body)
        assert refused.value.code == 400 and message in refused.value.read().decode()


def test_five_hundred_instances_are_one_order_and_are_listed_at_once(
    own: CloudDouble, lab: CloudDouble
) -> None:
    assert own.process is not None
    process = psutil.Process(own.process.pid)

    def spent() -> float:
        """CPU seconds of the region: a busy machine takes none of them."""
        return sum(process.cpu_times()[:2])

    pool, before = create(lab, wanted("large", 0, 600)), spent()
    lab.ask(f"nodepools/{pool}/scale", {"delta": 500})
    wait_for(lambda: len(lab.instances(pool)) == 500, 120)
    assert spent() - before < 15
    running(lab, pool, 500)
    before = spent()
    for _ in range(5):
        lab.instances(pool)
    assert (spent() - before) / 5 < 0.5
    assert len(spot(living(lab, pool))) == 350


TABLE = {
    "date": "2026-11-01",
    "source": "my contract",
    "prices": {"cn-shanghai": {"ecs.gn6i-c4g1.xlarge": 8.0}},
}


def test_a_file_replaces_the_price_table_and_decides_what_is_cheapest(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(TABLE))
    (tmp_path / "scenario.yaml").write_text(f"prices: {file}\n")
    made = new_lab(tmp_path)
    made.start()
    try:
        found = made.ask("prices")
        assert (found["date"], found["source"], found["prices"]["ecs.gn6i-c4g1.xlarge"]) == (
            "2026-11-01",
            "my contract",
            8.0,
        )
    finally:
        made.stop()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"), ("{", "not JSON"), ('{"prices": {}}', "date and source missing"),
        (json.dumps({**TABLE, "prices": {"cn-shanghai": {"x": 0}}}), "no instance types with prices above 0"),
    ],
)  # fmt: skip
def test_a_price_table_that_is_none_is_refused_with_what_was_expected(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "mine.json"
    if text is not None:
        file.write_text(text)
    (tmp_path / "scenario.yaml").write_text(f"prices: {file}\n")
    with pytest.raises(ScenarioError, match=message):
        load(tmp_path / "scenario.yaml")
