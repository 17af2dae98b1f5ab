"""The handler's figures: Prometheus' own parser reads them, and they say what happened."""

import http.client
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from interruption_handler import health, loop, metrics
from interruption_handler.actions import Cordon, Evict
from interruption_handler.kube import ApiError
from tests.unit.cluster_objects import NOW, config, node, pod
from tests.unit.test_handler_actions import Server
from tests.unit.test_handler_events import act, noticed

HOSTILE = 'a "quoted" \\\\ path\nwith a line'
Read = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(page: str) -> Read:
    """Every sample of a page, as Prometheus' parser reads it; a bucket's bound is a number, which
    its clients for Go and for Python write differently (1, 1.0).
    """
    return {
        (sample.name, frozenset((k, str(float(v)) if k == "le" else v) for k, v in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }  # fmt: skip


def test_the_page_says_what_prometheus_own_client_says_of_the_same_events() -> None:
    registry = prometheus_client.CollectorRegistry()
    ours = (
        metrics.Counter("a_total", HOSTILE, ("x", "y")),
        metrics.Gauge("b", "A gauge."),
        metrics.Histogram("c", "A histogram.", ("x",), (1, 2.5, 10)),
    )
    name = metrics.PREFIX
    counter = prometheus_client.Counter(f"{name}a", HOSTILE, ("x", "y"), registry=registry)
    gauge = prometheus_client.Gauge(f"{name}b", "A gauge.", registry=registry)
    histogram = prometheus_client.Histogram(
        f"{name}c", "A histogram.", ("x",), registry=registry, buckets=(1, 2.5, 10)
    )
    for amount, label in ((1, "z"), (2.5, HOSTILE), (3, HOSTILE)):
        ours[0].add(amount, x=label, y="")
        counter.labels(label, "").inc(amount)
    ours[1].follow(lambda: 0.25)
    gauge.set(0.25)
    for number in (0, 1, 1.0001, 2.5, 9, 11, 1e9):
        ours[2].observe(number, x="w")
        histogram.labels("w").observe(number)
    page = "".join(f"{line}\n" for family in ours for line in family.lines())
    theirs = prometheus_client.generate_latest(registry).decode()
    assert read(page) == {key: value for key, value in read(theirs).items() if not key[0].endswith("_created")}  # fmt: skip
    kinds = {family.name: (family.type, family.documentation) for family in text_string_to_metric_families(page)}  # fmt: skip
    assert kinds == {
        family.name: (family.type, family.documentation)
        for family in text_string_to_metric_families(theirs)
        if not family.name.endswith("_created")
    }


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """Where the handler's port is answered: it is ready, and not healthy."""
    server = health.serve("127.0.0.1", 0, lambda: True, lambda: False)
    yield "127.0.0.1", server.server_address[1]
    server.shutdown()
    server.server_close()


def test_metrics_and_probes_share_a_port(address: tuple[str, int]) -> None:
    def get(path: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(*address, timeout=600)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()

    status, kind, page = get("/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    known = read(page)
    assert {name.removeprefix(metrics.PREFIX) for name, _ in known} >= {
        "notices_total", "leader", "events_sent_total", "events_dropped_total",
    }  # fmt: skip
    assert [get(path)[0] for path in ("/readyz", "/healthz", "/other")] == [200, 503, 503]


def moved(before: Read) -> dict[str, float]:
    """What has grown since, without what is not counted by the leader's own doing."""
    after = read(metrics.page())
    return {
        " ".join([name.removeprefix(metrics.PREFIX), *sorted(f"{k}={v}" for k, v in labels)]): value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if value != before.get((name, labels), 0) and not name.endswith("_bucket")
    }  # fmt: skip


def test_a_notice_is_counted_with_what_was_done_and_when(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = type("Clock", (), {"time": staticmethod(lambda: NOW + 12), "monotonic": staticmethod(loop.time.monotonic)})  # fmt: skip
    monkeypatch.setattr(loop, "time", clock)
    before = read(metrics.page())
    led = noticed(Server())
    act(led)
    grown = moved(before)
    assert grown["notices_total"] == 3
    assert grown["actions_total action=Cordon outcome=done"] == 3
    assert grown["actions_total action=Detach outcome=done"] == 3
    assert grown["seconds_since_notice_count action=detach"] == 3
    assert grown["seconds_since_notice_sum action=cordon"] == pytest.approx(36)
    assert read(metrics.page())[f"{metrics.PREFIX}leader", frozenset()] == 1
    led._lease._renewed = None
    assert read(metrics.page())[f"{metrics.PREFIX}leader", frozenset()] == 0
    again = read(metrics.page())
    led._lease._attempt()
    act(led)
    assert "notices_total" not in moved(again), "a notice is counted once"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(429, "refused"), (409, "conflict"), (404, "gone"), (500, "failed"), (0, "failed")],
)
def test_what_the_server_did_not_do_is_counted_by_outcome(status: int, outcome: str) -> None:
    led = loop.Loop(Server(**{"/eviction": status}), config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    before = read(metrics.page())
    led._executor.perform(Evict(pod("a", "n1"), ""))
    assert moved(before) == {f"actions_total action=Evict outcome={outcome}": 1}


def test_an_alarm_holds_as_long_as_its_cause_and_only_at_the_leader() -> None:
    led = loop.Loop(Server(), config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {"n1": node("n1", created=NOW - 1e9, detector_reports=False)}
    led._lease._attempt()

    def shown() -> float | None:
        labels = frozenset({"alarm": "no detector", "level": "error"}.items())
        return read(metrics.page()).get((f"{metrics.PREFIX}alarm", labels))

    act(led, 1)
    assert shown() == 1
    led._nodes._objects = {"n1": node("n1")}
    act(led, 1)
    assert shown() == 0
    led._nodes._objects = {"n1": node("n1", created=NOW - 1e9, detector_reports=False)}
    act(led, 1)
    assert shown() == 1
    led._lease._renewed = None
    act(led, 1)
    assert shown() == 0


def test_a_report_that_fails_keeps_no_action_from_being_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("bug")

    server = Server()
    led = loop.Loop(server, config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    monkeypatch.setattr(metrics.ACTIONS, "add", broken)
    assert led._executor.perform(Cordon(node("n1"), "")) is not None
    assert "outcome not reported" in capsys.readouterr().out


def test_an_error_is_counted_where_it_is_made() -> None:
    from interruption_handler.kube import _failure  # noqa: PLC0415 - a private name, for this test

    before = read(metrics.page())
    assert isinstance(_failure(503, "PATCH /api/v1/nodes/n1", "busy"), ApiError)
    assert moved(before) == {"api_errors_total code=503 method=PATCH": 1}
