"""Minimums by schedule and while the metric is missing; cron schedules."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from interruption_handler import min_replicas
from interruption_handler.actions import SetMinReplicas
from interruption_handler.config import MinReplicas, Schedule
from interruption_handler.cron import Cron
from tests.unit.cluster_objects import NOW, config, snapshot

SHANGHAI = "Asia/Shanghai"
DAY = (
    Schedule("0 8 * * mon-fri", SHANGHAI, 6),
    Schedule("0 20 * * *", SHANGHAI, 2),
)


def at(text: str, zone: str = SHANGHAI) -> float:
    """Seconds since 1970 of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def hpa(
    minimum: int,
    since: float | None = None,
    most: int = 10,
    reason: str = "FailedGetExternalMetric",
) -> dict:
    """An HPA, without its metric since `since`."""
    stamp = datetime.fromtimestamp(since or 0, ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")
    condition = {
        "type": "ScalingActive",
        "status": "True" if since is None else "False",
        "reason": reason,
        "lastTransitionTime": stamp,
    }
    return {"spec": {"minReplicas": minimum, "maxReplicas": most}, "conditions": [condition]}


def minimums_set(settings: MinReplicas, now: float, state: dict) -> list[int]:
    """The minimums that are set."""
    actions = min_replicas.decide(
        snapshot([], [], 1, hpa=state), config(min_replicas=settings), now
    )
    return [action.replicas for action in actions if isinstance(action, SetMinReplicas)]


@pytest.mark.parametrize(
    ("moment", "minimum"),
    [
        ("2026-11-23T07:59:59", 2),
        ("2026-11-23T08:00:00", 6),
        ("2026-11-23T19:59:00", 6),
        ("2026-11-23T20:00:00", 2),
        ("2026-11-28T12:00:00", 2),
    ],
    ids=["before eight", "monday eight", "evening", "at night", "saturday"],
)
def test_a_floor_holds_until_the_next_schedule_fires(moment: str, minimum: int) -> None:
    settings = MinReplicas(base=1, schedules=DAY)
    assert minimums_set(settings, at(moment), hpa(99)) == [minimum]
    assert minimums_set(settings, at(moment), hpa(minimum)) == [], (
        "what stands is not written again"
    )


def test_a_floor_is_cut_to_the_maximum() -> None:
    assert minimums_set(
        MinReplicas(base=1, schedules=DAY), at("2026-11-23T12:00:00"), hpa(1, most=4)
    ) == [4]


def test_a_missing_metric_raises_the_minimum_after_its_time_and_lowers_it_when_it_is_back() -> None:
    settings = MinReplicas(base=1, outage_replicas=5, outage_seconds=60)
    assert minimums_set(settings, NOW, hpa(1, since=NOW - 59)) == []
    assert minimums_set(settings, NOW, hpa(1, since=NOW - 60)) == [5]
    assert minimums_set(settings, NOW, hpa(5)) == [1]


def test_other_troubles_of_the_hpa_are_no_missing_metric() -> None:
    assert min_replicas.metric_outage(hpa(1, since=NOW - 600, reason="ScalingDisabled"), NOW) == -1


def test_without_an_hpa_or_without_floors_nothing_is_set() -> None:
    assert minimums_set(MinReplicas(base=3), NOW, {}) == []
    assert list(min_replicas.decide(snapshot([], [], 1, hpa=hpa(1)), config(), NOW)) == []


@pytest.mark.parametrize(
    ("schedule", "now", "last"),
    [
        ("*/15 * * * *", "2026-11-23T10:14:00", "2026-11-23T10:00:00"),
        ("30 9 1 * *", "2026-11-23T10:00:00", "2026-11-01T09:30:00"),
        ("0 0 29 2 *", "2026-11-23T10:00:00", "2024-02-29T00:00:00"),
        ("0 12 13 * fri", "2026-11-23T10:00:00", "2026-11-20T12:00:00"),
        ("0 12 * jan-mar sun,7", "2026-11-23T10:00:00", "2026-03-29T12:00:00"),
        ("5-10/5 3 * * *", "2026-11-23T03:07:00", "2026-11-23T03:05:00"),
    ],
)
def test_the_last_firing_is_found(schedule: str, now: str, last: str) -> None:
    assert Cron.parse(schedule).last(at(now), SHANGHAI) == at(last)


def test_a_day_with_a_changed_clock_fires_once() -> None:
    spring = Cron.parse("30 2 * * *").last(
        at("2026-03-29T12:00:00", "Europe/Berlin"), "Europe/Berlin"
    )
    assert spring is not None and at("2026-03-29T01:00:00", "Europe/Berlin") <= spring <= at(
        "2026-03-29T03:30:00", "Europe/Berlin"
    )


def test_a_day_that_never_comes_never_fires() -> None:
    assert Cron.parse("0 0 31 2 *").last(NOW, "UTC") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * foo *",
        "*/0 * * * *",
        "9-3 * * * *",
        "@daily",
    ],
)
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cron.parse(text)
