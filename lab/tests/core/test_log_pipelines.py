"""Log pipelines against a table of documents and lines that follows the log service's reference and
the collector's source: data/log_pipelines.yaml; and what the shipper does with them.
"""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest
import yaml

from lab.controlplane import log_pipelines, log_shipper
from lab.controlplane.log_pipelines import compiled, controller_line, problem
from lab.controlplane.sls import SlsError
from lab.kube import KubeError

TABLE = yaml.safe_load((pathlib.Path(__file__).parent / "data" / "log_pipelines.yaml").read_text())
FIELDS = {
    "client_ip": "1.2.3.4", "x_forward_for": "1.2.3.4", "remote_user": "-", "time": "30/Nov/2026:20:00:00 +0800", "method": "POST",
    "url": "/v1/models/bert:predict", "version": "HTTP/1.1", "status": "200", "body_bytes_sent": "30", "http_referer": "-",
    "http_user_agent": "curl/8", "request_length": "300", "request_time": "0.020", "proxy_upstream_name": "inf-bert-8501",
    "upstream_addr": "10.0.0.9:8501", "upstream_response_length": "30", "upstream_response_time": "0.019", "upstream_status": "200",
    "req_id": "0f", "host": "bert.example.com", "proxy_alternative_upstream_name": "",
}  # fmt: skip


def document(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The table's pipeline with changes by dotted path; None removes."""
    made = copy.deepcopy(TABLE["base"])
    for path, value in (changes or {}).items():
        steps: list[Any] = [int(step) if step.isdigit() else step for step in path.split(".")]
        *way, last = steps
        place: Any = made
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return made


@pytest.mark.parametrize("row", TABLE["refused"], ids=lambda row: f"{row['why']}: {row['says']}")
def test_the_operator_does_not_take_what_is_wrong(row: dict[str, Any]) -> None:
    assert row["says"] in (problem(document(row["set"])) or "")


@pytest.mark.parametrize("row", TABLE["lines"], ids=lambda row: f"{row['why']}: {row['line']}")
def test_a_line_is_stored_as_the_collector_stores_it(row: dict[str, Any]) -> None:
    changed = document(row.get("set"))
    assert problem(changed) is None
    assert compiled(changed).run(row["line"]) == row["stored"]


def test_a_request_becomes_the_controllers_line_and_no_value_breaks_its_quotes() -> None:
    line = controller_line(FIELDS | {"remote_user": 'a" 200 [x] \\', "url": "/ü"})
    assert line == (
        '1.2.3.4 - [1.2.3.4] - a\\x22 200 [x] \\x5C [30/Nov/2026:20:00:00 +0800] "POST /\\xC3\\xBC HTTP/1.1" 200 30 "-" "curl/8" 300 '
        "0.020 [inf-bert-8501] 10.0.0.9:8501 30 0.019 200 0f bert.example.com []"
    )


class ApiServer:
    """An API server with pipelines; remembers the status that is written."""

    def __init__(self, *documents: dict[str, Any], status: int = 0) -> None:
        self.documents, self.status = list(documents), status
        self.told: list[tuple[str, bool, str]] = []

    def get(self, path: str) -> Any:
        assert path == "/apis/telemetry.alibabacloud.com/v1alpha1/clusteraliyunpipelineconfigs"
        if self.status:
            raise KubeError(self.status, "", "")
        return {"items": self.documents}

    def request(self, method: str, path: str, body: Any, content_type: str) -> Any:
        name = path.split("/")[-2]
        assert method == "PATCH" and path.endswith("/status")
        (found,) = [each for each in self.documents if each["metadata"]["name"] == name]
        found["status"] = body["status"]
        self.told.append((name, body["status"]["success"], body["status"]["message"]))


class Projects:
    """Log projects: each logstore with those that have it."""

    def __init__(self, **stores: list[str]) -> None:
        self.stores = stores

    def now(self, store: str) -> list[str]:
        return self.stores.get(store, [])


def test_a_pipeline_without_its_logstore_says_so_and_collects_once_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_shipper, "FRESH", 0.0)
    server, projects = ApiServer(document()), Projects()
    pipelines = log_shipper.Pipelines(server, projects)
    assert pipelines.now() == []
    assert server.told == [
        ("served", False, "logstore served does not exist in project k8s-log-c1")
    ]
    projects.stores["served"] = ["k8s-log-c1"]
    assert [pipeline.name for pipeline in pipelines.now()] == ["served"]
    assert server.told[1:] == [("served", True, "success")]
    pipelines.now()
    assert len(server.told) == 2, "what stands in the status is not written again"


def test_a_wrong_pipeline_does_not_keep_the_others_from_collecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_shipper, "FRESH", 0.0)
    wrong = document({"metadata.name": "wrong", "spec.config.name": "x"})
    server = ApiServer(wrong, document())
    pipelines = log_shipper.Pipelines(server, Projects(served=["k8s-log-c1"]))
    assert [pipeline.name for pipeline in pipelines.now()] == ["served"]
    assert [(name, good) for name, good, _ in server.told] == [("wrong", False), ("served", True)]
    server.status = 503
    assert len(pipelines.now()) == 1, "what was known stays while the API server is away"
    server.status = 404
    assert pipelines.now() == [], "no such kind: nothing collects by it"


def test_of_the_controllers_requests_each_pipeline_stores_what_it_keeps() -> None:
    taken = document(
        {
            "spec.config.processors": [
                {
                    "Type": "processor_parse_regex_native",
                    "SourceKey": "content",
                    "Regex": r'[^"]*"[^"]*" (\d+) .*',
                    "Keys": ["status"],
                },
                {
                    "Type": "processor_filter_regex_native",
                    "FilterKey": ["status"],
                    "FilterRegex": ["2.."],
                },
            ]
        }
    )
    assert problem(taken) is None
    logs = [(n, FIELDS | {"status": status}) for n, status in enumerate(("200", "401", "204"))]
    assert list(log_shipper.piped(logs, [compiled(taken)])) == [
        ("k8s-log-c1", "served", [(0, {"status": "200"}), (2, {"status": "204"})])
    ]
    assert list(log_shipper.piped(logs[1:2], [compiled(taken)])) == []


class Service:
    """A log service that refuses."""

    def __init__(self, code: str) -> None:
        self.code = code

    def put_logs(self, *_: Any) -> None:
        raise SlsError(404, self.code, "")


def test_a_logstore_that_went_away_holds_nothing_up_and_other_failures_are_tried_again() -> None:
    logs: Any = [(1, {"a": "b"})]
    log_shipper.put_if_there(Service("LogStoreNotExist"), "p", "s", logs)  # type: ignore[arg-type]
    with pytest.raises(SlsError):
        log_shipper.put_if_there(Service("ServerBusy"), "p", "s", logs)  # type: ignore[arg-type]


def test_the_kind_is_served_by_the_api_server_with_a_status_of_its_own() -> None:
    (version,) = log_pipelines.definition()["spec"]["versions"]
    assert version["name"] == "v1alpha1" and version["subresources"] == {"status": {}}
