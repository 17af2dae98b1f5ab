"""The adapter's arithmetic, as ack-alibaba-cloud-metrics-adapter does it (its source,
pkg/metrics/sls/ingress.go).
"""

from __future__ import annotations

import pytest

from lab.controlplane import sls_query
from lab.controlplane.sls_query import Params, SelectorError

LABELS = {
    "sls.project": "k8s-log-c1",
    "sls.logstore": "nginx-ingress",
    "sls.ingress.route": "inference-bert-8501",
}
NOW = 1_700_000_000


def test_the_defaults_are_those_of_the_code_not_of_its_comment() -> None:
    assert sls_query.params(LABELS) == Params(
        "k8s-log-c1",
        "nginx-ingress",
        "inference-bert-8501",
        interval=15,
        delay=10,
        retries=5,
        internal=True,
    )
    assert (
        sls_query.params({k: v for k, v in LABELS.items() if k != "sls.ingress.route"}).route == "*"
    )


@pytest.mark.parametrize("missing", ["sls.project", "sls.logstore"])
def test_project_and_logstore_must_be_given(missing: str) -> None:
    with pytest.raises(
        SelectorError,
        match=r"^failed to get sls params,because of sls.project and sls.logstore must be provided$",
    ):
        sls_query.params({k: v for k, v in LABELS.items() if k != missing})


@pytest.mark.parametrize(
    ("given", "interval"), [("1", 15), ("14", 15), ("15", 15), ("60", 60), ("-5", 15)]
)
def test_an_interval_below_15_seconds_is_raised(given: str, interval: int) -> None:
    assert sls_query.params({**LABELS, "sls.query.interval": given}).interval == interval


def test_a_negative_delay_is_not_corrected() -> None:
    assert sls_query.params({**LABELS, "sls.query.delay": "-7"}).delay == -7


@pytest.mark.parametrize(("given", "retries"), [("0", 5), ("-1", 5), ("1", 1), ("9", 9)])
def test_less_than_one_retry_means_five(given: str, retries: int) -> None:
    assert sls_query.params({**LABELS, "sls.query.max_retry": given}).retries == retries


@pytest.mark.parametrize(
    ("given", "internal"), [("false", False), ("False", True), ("0", True), ("true", True)]
)
def test_only_the_word_false_asks_for_the_public_endpoint(given: str, internal: bool) -> None:
    assert sls_query.params({**LABELS, "sls.internal.endpoint": given}).internal is internal


@pytest.mark.parametrize("name", ["sls.query.interval", "sls.query.delay", "sls.query.max_retry"])
def test_a_value_that_is_no_integer_is_an_error(name: str) -> None:
    with pytest.raises(SelectorError, match='parsing "15s"'):
        sls_query.params({**LABELS, name: "15s"})


def test_the_query_is_the_adapters_to_the_byte() -> None:
    asked = sls_query.query("sls_ingress_qps", sls_query.params(LABELS), NOW)
    assert (asked.begin, asked.end, asked.lines) == (NOW - 100, NOW - 10, 100)
    assert asked.text == (
        "* and proxy_upstream_name: inference-bert-8501 | SELECT count(1) / 15 as value from log"
        f" WHERE __time__ >= {NOW - 25}  and __time__ < {NOW - 10}"
    )


@pytest.mark.parametrize(
    ("metric", "expression"),
    [
        ("sls_ingress_latency_avg", "avg(request_time) * 1000"),
        ("sls_ingress_latency_p50", "approx_percentile(request_time, 0.50) * 1000"),
        ("sls_ingress_latency_p95", "approx_percentile(request_time, 0.95) * 1000"),
        ("sls_ingress_latency_p99", "approx_percentile(request_time, 0.99) * 1000"),
        ("sls_ingress_latency_p9999", "approx_percentile(request_time, 0.9999) * 1000"),
        ("sls_ingress_inflow", "sum(request_length) / 30"),
    ],
)
def test_each_metric_has_its_expression(metric: str, expression: str) -> None:
    asked = sls_query.query(metric, sls_query.params({**LABELS, "sls.query.interval": "30"}), NOW)
    assert f"SELECT {expression} as value from log" in asked.text
    assert "proxy_upstream_name: " in asked.text


def test_the_alb_metric_looks_at_another_field() -> None:
    assert (
        "* and slb_pool_name: inference-bert-8501 | SELECT count(1) / 15"
        in sls_query.query("sls_alb_ingress_qps", sls_query.params(LABELS), NOW).text
    )


def test_from_stays_100_seconds_back_however_long_the_interval() -> None:
    asked = sls_query.query(
        "sls_ingress_qps", sls_query.params({**LABELS, "sls.query.interval": "300"}), NOW
    )
    assert asked.begin == NOW - 100
    assert f"__time__ >= {NOW - 310}" in asked.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25", 25),
        ("1.9", 1),
        ("null", 0),
        ("", 0),
        ("1.0E-4", 1),
        ("-3", 3),
        ("12.75ms", 12),
        ("0.999", 0),
    ],
)
def test_the_answer_is_filtered_and_cut_as_the_adapter_does(text: str, value: int) -> None:
    assert sls_query.value(text) == value


def test_an_answer_with_two_dots_is_an_error() -> None:
    with pytest.raises(ValueError, match=r'parsing "1.2.3": invalid syntax'):
        sls_query.value("1.2.3")


def test_selectors_are_read_without_their_operators() -> None:
    assert sls_query.labels_of("sls.project=a,sls.logstore==b") == {
        "sls.project": "a",
        "sls.logstore": "b",
    }
    assert sls_query.labels_of("sls.project!=a,x notin (z, y)") == {"sls.project": "a", "x": "y"}
    assert sls_query.labels_of("sls.ingress.route in (b,a),sls.project=p") == {
        "sls.ingress.route": "a",
        "sls.project": "p",
    }
    assert sls_query.labels_of("") == {}
