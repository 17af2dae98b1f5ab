"""The metrics adapter against a table of inputs and outputs that follows the published adapter's
source: data/metrics_adapter.yaml.
"""

from __future__ import annotations

import pathlib
import re
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from lab.alicloud.services.sls import query as language
from lab.controlplane import adapter
from lab.controlplane.adapter import Source, application
from lab.controlplane.scheduling import quantity
from lab.controlplane.sls import Answer, SlsError

ROWS = yaml.safe_load((pathlib.Path(__file__).parent / "data" / "metrics_adapter.yaml").read_text())
PATH = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference"
NOW = 1_700_000_000
SELECTOR = {"sls.project": "p", "sls.logstore": "l", "sls.ingress.route": "r"}


class Service:
    """The log service: either lines, asked with the double's own query language, or the row's own
    answers.
    """

    def __init__(self, row: dict[str, Any]) -> None:
        self.answers, self.asked = list(row.get("answers", [])), 0
        self.rows = [
            (
                NOW - ago,
                {
                    "request_time": "0.05",
                    "request_length": "100",
                    "proxy_upstream_name": fields.get("route", "r"),
                    **fields,
                },
            )
            for ago, many, fields in row.get("lines", [])
            for _ in range(many)
        ]

    def get_logs(
        self, project: str, logstore: str, begin: int, end: int, text: str, lines: int
    ) -> Answer:
        self.asked += 1
        if not self.answers:
            asked = language.parse(text)
            inside = [row for row in self.rows if begin <= row[0] < end]
            return Answer(language.aggregates(asked, language.matching(asked, inside)), True)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if "error" in answer:
            raise SlsError(404, answer["error"], "The log service's own words")
        return Answer(answer["rows"], answer.get("complete", True))


def as_the_hpa_sees_it(answer: httpx.Response) -> int | str:
    """The sum that the HPA controller takes; it takes an empty list, as any status but 200, for an
    error (its metrics client).
    """
    if answer.status_code != 200 or not answer.json()["items"]:
        return "error"
    return sum(int(quantity(item["value"])) for item in answer.json()["items"])


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
async def test_row(
    row: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    service, metric = Service(row), row.get("metric", "sls_ingress_qps")
    monkeypatch.setattr(adapter, "Sls", lambda home, **given: service)
    monkeypatch.setattr(adapter, "time", SimpleNamespace(time=lambda: NOW))
    selector = {
        key: value
        for key, value in {**SELECTOR, **row.get("selector", {})}.items()
        if value is not None
    }
    asked = (
        {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())}
        if selector
        else {}
    )
    transport = httpx.ASGITransport(application(Source(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://adapter") as client:
        answer = await client.get(f"{PATH}/{metric}", params=asked)
    assert answer.status_code == row.get("status", 200), answer.text
    if answer.status_code == 200:
        items = answer.json()["items"]
        assert [item["value"] for item in items] == (
            [] if row.get("items") == 0 else [str(row["value"])]
        )
        for item in items:
            assert (item["metricName"], item["metricLabels"]) == (metric, None)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", item["timestamp"])
    else:
        assert row["message"] in answer.json()["message"]
    assert as_the_hpa_sees_it(answer) == row["hpa"]
    assert service.asked == row.get("asked", 1)


def test_the_table_is_long_enough_and_every_row_says_where_it_comes_from() -> None:
    assert len(ROWS) >= 25 and all(row["source"] for row in ROWS)
    assert len({row["name"] for row in ROWS}) == len(ROWS)
