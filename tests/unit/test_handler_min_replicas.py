"""Minimums by schedule and while the metric is missing; cron schedules."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from interruption_handler import min_replicas
from interruption_handler.actions import SetMinReplicas
from interruption_handler.config import MinReplicas, Schedule
from interruption_handler.cron import Cron
from interruption_handler.served_requests import ServedRequests, current_metric, predictions
from tests.unit.cluster_objects import NOW, config, pod, snapshot

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


OUTAGE = MinReplicas(base=1, outage_replicas=4, outage_seconds=60, target_qps=10)


def page(count: int, probes: int = 0, api: str = "predict") -> str:
    """A pod's metrics page, as TensorFlow Serving writes it."""
    name = ":tensorflow:serving:request_latency"
    return (
        f"# TYPE {name} histogram\n"
        f'{name}_bucket{{model_name="bert",API="{api}",entrypoint="REST",le="+Inf"}} {count}\n'
        f'{name}_count{{model_name="bert",API="{api}",entrypoint="REST"}} {count}\n'
        f'{name}_count{{model_name="bert",API="GetModelMetadata",entrypoint="REST"}} {probes}\n'
    )


def test_a_server_that_counts_no_requests_is_known_by_the_runs_of_its_graph() -> None:
    runs = ":tensorflow:core:direct_session_runs{} 12\n"
    assert predictions(f"# TYPE :tensorflow:core:direct_session_runs counter\n{runs}") == 12
    assert predictions(runs + page(7, probes=99)) == 7, "requests are counted: the runs are not"
    assert predictions("") == 0


class Pods:
    """Pods that count what they serve; `rate` is each one's requests per second."""

    def __init__(self, many: int, rate: float) -> None:
        self.pods = [pod(f"p{n}", f"n{n}", address=f"10.0.0.{n}") for n in range(many)]
        self.rate, self.counted, self.silent = rate, 0.0, False

    def fetch(self, address: str, port: int) -> str:
        assert port == 8501
        if self.silent:
            raise ConnectionRefusedError
        return page(round(self.counted), probes=10**6)

    def play(self, served: ServedRequests, seconds: int, state: dict, begin: float) -> list[float]:
        """Seconds for which the metric was wrong, every ten seconds."""
        told = []
        for passed in range(0, seconds, 10):
            self.counted += 10 * self.rate
            served.sample(self.pods, begin + passed)
            told.append(served.unseen_seconds(state, begin + passed))
        return told


def minimum_with(unseen: float, desired: int, state: dict) -> list[int]:
    actions = min_replicas.decide(
        snapshot([], [], desired, hpa=state, unseen_seconds=unseen),
        config(min_replicas=OUTAGE),
        NOW,
    )
    return [action.replicas for action in actions if isinstance(action, SetMinReplicas)]


def test_a_metric_of_zero_while_the_pods_serve_takes_no_pod_away() -> None:
    assert minimum_with(60, 9, hpa(1)) == [], "a moment is no outage"
    assert minimum_with(61, 9, hpa(1)) == [9]
    assert minimum_with(900, 9, hpa(9)) == [], "and stays for as long as it lasts"
    assert minimum_with(61, 2, hpa(1)) == [4], "at least outageReplicas"
    assert minimum_with(61, 12, hpa(1)) == [10], "at most the maximum"
    assert minimum_with(0, 9, hpa(9)) == [1], "and goes when the two agree again"


def test_zero_at_the_peak_for_a_quarter_of_an_hour_is_an_outage_and_an_end_of_the_load_is_none() -> (
    None
):
    zero, counted = {"metric": "0"}, {"metric": "9500m"}
    pods = Pods(20, rate=9.5)
    served = ServedRequests(OUTAGE, pods.fetch)
    assert set(pods.play(served, 300, counted, 0.0)) == {0.0}
    told = pods.play(served, 900, zero, 300.0)
    assert told == [float(passed) for passed in range(0, 900, 10)]
    pods.rate = 0.0  # the load ends while the metric is still wrong
    assert set(pods.play(served, 60, zero, 1200.0)) == {0.0}


@pytest.mark.parametrize(
    ("many", "rate", "metric"),
    [(20, 9.5, "1"), (20, 9.5, None), (1, 0.9, "0"), (20, 0.0, "0"), (0, 0.0, "0")],
    ids=["metric counts", "metric missing", "less than a pod is for", "no load", "no pod"],
)
def test_what_is_no_outage_of_this_kind(many: int, rate: float, metric: str | None) -> None:
    pods = Pods(many, rate)
    served = ServedRequests(OUTAGE, pods.fetch)
    assert set(pods.play(served, 300, {"metric": metric}, 0.0)) == {0.0}


def test_pods_that_do_not_answer_say_nothing() -> None:
    pods = Pods(3, rate=20)
    served = ServedRequests(OUTAGE, pods.fetch)
    assert pods.play(served, 60, {"metric": "0"}, 0.0)[-1] > 0
    pods.silent = True
    assert pods.play(served, 120, {"metric": "0"}, 60.0)[-1] == 0.0, "an old sample is not kept"


def test_of_many_pods_some_stand_for_all() -> None:
    pods = Pods(200, rate=5)
    served = ServedRequests(OUTAGE, pods.fetch)
    pods.play(served, 20, {"metric": "0"}, 0.0)
    assert served.qps(10.0) == pytest.approx(1000)


def test_probes_are_no_load_whatever_the_case_of_the_api() -> None:
    assert predictions(page(7, probes=100)) == predictions(page(7, api="Predict")) == 7


@pytest.mark.parametrize(
    ("status", "quantity"),
    [
        ({"currentMetrics": [{"type": "External", "external": {"current": {"averageValue": "0"}}}]}, "0"),
        ({"currentMetrics": [{"type": "External", "external": {"current": {"value": "25k"}}}]}, "25k"),
        ({"currentMetrics": [{"type": ""}]}, None),
        ({"currentMetrics": None}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_hpas_status_shows_its_metric(status: dict, quantity: str | None) -> None:
    assert current_metric(status) == quantity
