"""The adapter's answers to the API server."""

from __future__ import annotations

import pathlib
from typing import Any

import httpx
import pytest

from lab.controlplane import adapter
from lab.controlplane.adapter import Source, application
from lab.controlplane.sls import Answer, Sls, SlsError

PATH = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference"
SELECTOR = "sls.project=p,sls.logstore=l,sls.ingress.route=r"


class Fixed:
    """A source that answers or fails as told."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    def read(self, metric: str, labels: dict[str, str]) -> int | None:
        self.asked.append((metric, labels))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def get(source: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application(source)), base_url="http://adapter"
    ) as client:
        return await client.get(path)


async def test_a_value_is_one_item_as_the_real_adapter_writes_it() -> None:
    source = Fixed(25)
    answer = await get(source, f"{PATH}/sls_ingress_qps?labelSelector={SELECTOR}")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["kind"], body["apiVersion"]) == (
        "ExternalMetricValueList",
        "external.metrics.k8s.io/v1beta1",
    )
    assert [(item["metricName"], item["value"]) for item in body["items"]] == [
        ("sls_ingress_qps", "25")
    ]
    assert source.asked == [
        ("sls_ingress_qps", {"sls.project": "p", "sls.logstore": "l", "sls.ingress.route": "r"})
    ]


async def test_no_row_is_an_empty_list() -> None:
    assert (await get(Fixed(None), f"{PATH}/sls_ingress_qps?labelSelector={SELECTOR}")).json()[
        "items"
    ] == []


async def test_an_unknown_metric_is_an_error_of_the_adapter() -> None:
    answer = await get(Fixed(1), f"{PATH}/sls_other")
    assert (
        answer.status_code == 500
        and answer.json()["message"] == "no any matched metrics from provider: {sls_other}"
    )


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("sls.project and sls.logstore must be provided"), 500, "must be provided"),
        (SlsError(404, "ProjectNotExist", "The Project does not exist"), 500, "ProjectNotExist"),
        (httpx.ConnectError("refused"), 500, "refused"),
    ],
)
async def test_a_failure_is_a_kubernetes_status(
    error: Exception, status: int, message: str
) -> None:
    answer = await get(Fixed(error), f"{PATH}/sls_ingress_qps")
    assert answer.status_code == status
    assert answer.json()["kind"] == "Status" and message in answer.json()["message"]


async def test_discovery_names_every_metric() -> None:
    body = (await get(Fixed(0), "/apis/external.metrics.k8s.io/v1beta1")).json()
    assert body["groupVersion"] == "external.metrics.k8s.io/v1beta1"
    assert len({resource["name"] for resource in body["resources"]}) == 8


class Scripted:
    """A log service that answers in order."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.calls = list(answers), 0

    def get_logs(self, *arguments: Any) -> Answer:
        self.calls += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def source_over(
    service: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> Source:
    monkeypatch.setattr(adapter, "Sls", lambda home, **given: service)
    return Source(tmp_path)


def test_an_incomplete_answer_is_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    service = Scripted(Answer([{"value": "1"}], False), Answer([{"value": "7"}], True))
    labels = {"sls.project": "p", "sls.logstore": "l"}
    assert source_over(service, monkeypatch, tmp_path).read("sls_ingress_qps", labels) == 7
    assert service.calls == 2


def test_answers_that_stay_incomplete_are_an_error_after_the_retries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    service = Scripted(Answer([{"value": "1"}], False))
    labels = {"sls.project": "p", "sls.logstore": "l", "sls.query.max_retry": "3"}
    with pytest.raises(
        TimeoutError, match=r"^Query sls timeout,it might because of too many logs.$"
    ):
        source_over(service, monkeypatch, tmp_path).read("sls_ingress_qps", labels)
    assert service.calls == 3


def test_the_internal_endpoint_is_the_regions_intranet_host(tmp_path: pathlib.Path) -> None:
    (tmp_path / "credentials.json").write_text('{"access_key": "LTAItest", "secret_key": "s"}')
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[{"value": "3"}], headers={"x-log-progress": "Complete"})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    for internal, host in (
        (True, "p.cn-shanghai-intranet.log.aliyuncs.com"),
        (False, "p.cn-shanghai.log.aliyuncs.com"),
    ):
        assert Sls(tmp_path, internal=internal, client=client).get_logs(
            "p", "l", 1, 2, "*", 100
        ) == Answer([{"value": "3"}], True)
        assert seen[-1].url.host == host
        assert seen[-1].headers["authorization"].startswith("LOG LTAItest:")
        assert dict(seen[-1].url.params)["query"] == "*"
