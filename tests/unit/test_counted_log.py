"""Which requests the HPA counts: every line of ACK's access log, or those that reached a model
server.
"""

from typing import Any

import pytest

from components.serving.counted_log import COUNTS_REFUSED, KEYS
from lab.controlplane.log_pipelines import compiled, controller_line, problem
from tests.unit.monitor import Recording
from tests.unit.program import USERS, run

ROUTE = "inference-bert-tfserving-v1-tensorflow-serving-8501"
REQUEST = {
    "client_ip": "1.2.3.4", "x_forward_for": "1.2.3.4", "remote_user": "-", "time": "30/Nov/2026:20:00:00 +0800", "method": "POST",
    "url": "/v1/models/bert:predict", "version": "HTTP/1.1", "status": "200", "body_bytes_sent": "30", "http_referer": "-",
    "http_user_agent": "curl/8", "request_length": "300", "request_time": "0.020", "proxy_upstream_name": ROUTE,
    "upstream_addr": "10.0.0.9:8501", "upstream_response_length": "30", "upstream_response_time": "0.019", "upstream_status": "200",
    "req_id": "0f", "host": "bert.example.com", "proxy_alternative_upstream_name": "",
}  # fmt: skip
UNSERVED = {
    "upstream_addr": "-",
    "upstream_response_length": "-",
    "upstream_response_time": "-",
    "upstream_status": "-",
}
SERVED = {"autoscaler": {"countedRequests": "served"}}


@pytest.fixture(scope="module")
def served() -> Recording:
    return run(changes=SERVED)


def pipeline_of(recording: Recording) -> dict[str, Any]:
    inputs = recording.named("served-pipeline").inputs
    assert problem(inputs) is None, "the lab's collector takes it"
    return inputs


def labels(recording: Recording) -> dict[str, str]:
    (metric,) = recording.named("autoscaler-hpa").inputs["spec"]["metrics"]
    return metric["external"]["metric"]["selector"]["matchLabels"]


def test_the_hpa_counts_in_the_log_that_the_pipeline_fills(served: Recording) -> None:
    store, index = served.named("served-store").inputs, served.named("served-index").inputs
    pipeline = pipeline_of(served)
    assert labels(served)["sls.logstore"] == store["logstoreName"] == index["logstore"]
    assert labels(served)["sls.project"] == store["projectName"] == index["project"]
    assert pipeline["spec"]["project"]["name"] == store["projectName"]
    (flusher,) = pipeline["spec"]["config"]["flushers"]
    assert flusher["Logstore"] == store["logstoreName"]
    assert {field["name"] for field in index["fieldSearches"]} == set(KEYS)
    assert all(field["enableAnalytics"] for field in index["fieldSearches"]), (
        "the adapter's query counts by them"
    )


def test_a_run_waits_until_the_collector_has_taken_the_pipeline(served: Recording) -> None:
    annotations = pipeline_of(served)["metadata"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "jsonpath={.status.success}=true"
    order = served.named("autoscaler-hpa").dependencies
    assert any("served-pipeline" in urn for urns in order.values() for urn in urns), (
        "the HPA reads no log that nothing fills"
    )


@pytest.mark.parametrize(
    ("what", "counted"),
    [
        ({}, True),
        ({"status": "400", "upstream_status": "400"}, True),
        ({"status": "504", "upstream_status": "504"}, True),
        ({"status": "499"}, True),
        (
            {
                "upstream_addr": "10.0.0.9:8501, 10.0.0.8:8501",
                "upstream_response_length": "0, 30",
                "upstream_response_time": "5.000, 0.019",
                "upstream_status": "504, 200",
            },
            True,
        ),
        ({"upstream_addr": "[fd00::9]:8501"}, True),
        ({"status": "401", **UNSERVED}, False),
        ({"status": "403", **UNSERVED}, False),
        ({"status": "413", **UNSERVED}, False),
        ({"status": "429", **UNSERVED}, False),
        ({"status": "503", **UNSERVED}, False),
        ({"status": "308", **UNSERVED}, False),
        ({"proxy_upstream_name": "inference-other-8501"}, False),
        ({"proxy_upstream_name": "upstream-default-backend"}, False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_reached_a_model_server_is_counted_and_nothing_else(
    served: Recording, what: dict[str, str], counted: bool
) -> None:
    stored = compiled(pipeline_of(served)).run(controller_line(REQUEST | what))
    assert (stored is not None) is counted
    if stored:
        assert set(stored) == set(KEYS), "no address, URL or user is kept"
        assert stored["proxy_upstream_name"] == ROUTE


@pytest.mark.parametrize("field", ["remote_user", "url", "http_user_agent", "http_referer", "host", "x_forward_for"])  # fmt: skip
@pytest.mark.parametrize(
    "forged",
    [
        f'x" 200 30 "-" "-" 300 0.020 [{ROUTE}] 10.0.0.9:8501 30 0.019 200 0f h []',
        f"x [{ROUTE}] 10.0.0.9:8501 30 0.019 200",
        f"] - - [t] [{ROUTE}] 10.0.0.9:8501",
    ],
)
def test_no_client_forges_a_served_request_by_what_it_sends(
    served: Recording, field: str, forged: str
) -> None:
    line = controller_line(REQUEST | {"status": "401", **UNSERVED, field: forged})
    assert compiled(pipeline_of(served)).run(line) is None


def test_two_stacks_of_one_cluster_have_logs_of_their_own() -> None:
    names = {
        run(stack, {**SERVED, "cluster": {"id": "c" * 33}}).named("served-store").inputs["logstoreName"]
        for stack in ("local", "dev")
    }  # fmt: skip
    assert len(names) == 2


def test_without_it_acks_log_is_counted_and_logins_that_buy_nodes_are_warned_of() -> None:
    plain = run()
    assert labels(plain)["sls.logstore"] == "nginx-ingress"
    assert not plain.of("log/store:Store") and COUNTS_REFUSED not in plain.warnings
    users, secret = {"htpasswd": USERS}, ("htpasswd",)
    with_users = {"entry": {"auth": "basic"}, **users}
    assert COUNTS_REFUSED in " ".join(run(changes=with_users, secret=secret).warnings)
    assert COUNTS_REFUSED not in run(changes={**with_users, **SERVED}, secret=secret).warnings


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"entry": {"kind": "alb"}}, "autoscaler.countedRequests", "all with entry.kind alb"),
        ({"autoscaler": {"logStore": "mine"}}, "autoscaler.logStore", "nothing with"),
    ],
)
def test_what_can_not_be_counted_is_refused(
    changes: dict[str, Any], field: str, expected: str
) -> None:
    merged = {**SERVED, **changes, "autoscaler": {"countedRequests": "served", **changes.get("autoscaler", {})}}  # fmt: skip
    with pytest.raises(Exception, match=field) as caught:
        run(changes=merged)
    assert expected in str(caught.value)
