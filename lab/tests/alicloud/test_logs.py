"""The log service: the adapter's queries over what was written, by the official SDK and the older
signature.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from alibabacloud_sls20201230 import models

from lab.alicloud.services.sls import query as language
from lab.testing import clients
from lab.testing.cloud import CloudDouble
from lab.testing.logs import PROJECT, STORE, client, write

ROUTE = "inference-bert-tfserving-v1-tensorflow-serving-8501"


def query(lab: CloudDouble, text: str, start: int, end: int) -> Any:
    """GetLogs in the old form."""
    parameters = {
        "type": "log",
        "from": str(start),
        "to": str(end),
        "query": text,
        "line": "100",
        "offset": "0",
        "reverse": "false",
        "topic": "",
    }
    status, rows = clients.log_sha1(
        lab, "GET", f"{PROJECT}.cn-shanghai.log.aliyuncs.com", f"/logstores/{STORE}", parameters
    )
    return rows if status == 200 else (status, rows["errorCode"])


@pytest.mark.parametrize("compress", ["lz4", "deflate"])
def test_the_adapters_query_counts_requests_per_second_by_integer_division(
    lab: CloudDouble, compress: str
) -> None:
    route, now = f"{ROUTE}-{compress}", int(time.time())
    fields = {
        "proxy_upstream_name": route,
        "status": "200",
        "request_time": "0.25",
        "request_length": "300",
    }
    rows = [(now - 20 + n % 10, fields) for n in range(31)] + [
        (now - 20, {**fields, "proxy_upstream_name": "other"}),
        (now - 90, fields),
    ]
    write(lab, rows, compress)
    begin, end = now - 25, now - 10
    where = f"WHERE __time__ >= {begin}  and __time__ < {end}"
    window = (now - 100, now - 10)
    assert query(
        lab,
        f"* and proxy_upstream_name: {route} | SELECT count(1) / 15 as value from log {where}",
        *window,
    ) == [{"value": "2"}]
    assert query(
        lab,
        f"* and proxy_upstream_name: {route} | SELECT avg(request_time) * 1000 as value from log {where}",
        *window,
    ) == [{"value": "250.0"}]
    assert query(
        lab,
        f"* and proxy_upstream_name: {route} | SELECT sum(request_length) / 15 as value from log {where}",
        *window,
    ) == [{"value": "620"}]
    percentile = f"* and proxy_upstream_name: {route} | SELECT approx_percentile(request_time, 0.95) * 1000 as value from log {where}"
    assert query(lab, percentile, *window) == [{"value": "250.0"}]
    assert query(
        lab,
        f"* and proxy_upstream_name: nothing-{compress} | SELECT count(1) / 15 as value from log {where}",
        *window,
    ) == [{"value": "0"}]
    nothing = f"* and proxy_upstream_name: nothing-{compress} | SELECT avg(request_time) * 1000 as value from log {where}"
    assert query(lab, nothing, *window) == [{"value": "null"}]


def test_the_official_sdk_reads_rows_and_meta(lab: CloudDouble) -> None:
    now = int(time.time())
    write(
        lab,
        [
            (now - n, {"proxy_upstream_name": "rows", "status": "503", "url": f"/v1/{n}"})
            for n in range(3)
        ],
    )
    request = models.GetLogsV2Request(
        from_=now - 60,
        to=now + 1,
        query="proxy_upstream_name: rows and status: 503",
        line=2,
        reverse=True,
    )
    body: Any = (
        client(lab)
        .get_logs_v2with_options(
            PROJECT, STORE, request, models.GetLogsV2Headers(), clients.runtime(lab)
        )
        .body
    )
    assert body.meta.progress == "Complete" and [row["url"] for row in body.data] == [
        "/v1/0",
        "/v1/1",
    ]
    assert body.data[0]["__source__"] == "10.0.0.80" and body.data[0]["__time__"] == str(now)


def test_answers_are_counted_second_by_second(lab: CloudDouble) -> None:
    now = int(time.time())
    rows = [
        (now - 30, "200", "0.1"), (now - 30, "200", "0.3"), (now - 30, "502", "2.0"), (now - 28, "200", "1.5"), (now - 60, "200", "0.1"),
    ]  # fmt: skip
    write(
        lab,
        [
            (t, {"proxy_upstream_name": "seconds", "status": status, "request_time": took})
            for t, status, took in rows
        ],
    )
    columns = "__time__ as t, count(1) as n, count_if(status >= 500) as failed, approx_percentile(request_time, 0.5) as p50"
    text = f"* and proxy_upstream_name: seconds | SELECT {columns} FROM log GROUP BY t ORDER BY t LIMIT 2"
    assert query(lab, text, now - 40, now) == [
        {"t": str(now - 30), "n": "3", "failed": "1", "p50": "0.3"}, {"t": str(now - 28), "n": "1", "failed": "0", "p50": "1.5"},
    ]  # fmt: skip


def test_a_field_without_index_and_a_query_beyond_the_lab_are_refused(lab: CloudDouble) -> None:
    now = int(time.time())
    assert query(lab, "* and unindexed: 1 | SELECT count(1) as value from log", now - 60, now) == (
        400,
        "ParameterInvalid",
    )
    for beyond in (
        "count(1) as value from log group by status",
        "status, count(1) as n from log",
        "__time__ as t, url as u from log group by t",
    ):
        assert query(lab, f"* | SELECT {beyond}", now - 60, now) == (400, "ParameterInvalid")
    assert query(lab, "*", now, now) == (400, "InvalidTimeRange")


def test_projects_stores_and_indexes_come_and_go(lab: CloudDouble) -> None:
    sls, runtime = client(lab), clients.runtime(lab)
    sls.create_project_with_options(
        models.CreateProjectRequest(project_name="own-project", description="d"), {}, runtime
    )
    sls.create_log_store_with_options(
        "own-project",
        models.CreateLogStoreRequest(logstore_name="own-store", ttl=7, shard_count=1),
        {},
        runtime,
    )
    assert sls.get_log_store_with_options("own-project", "own-store", {}, runtime).body.ttl == 7
    host = "own-project.cn-shanghai.log.aliyuncs.com"
    assert (
        clients.log_sha1(lab, "GET", host, "/logstores/own-store/index")[1]["errorCode"]
        == "IndexConfigNotExist"
    )
    assert len(clients.log_sha1(lab, "GET", host, "/logstores/own-store/shards")[1]) == 1
    sls.delete_log_store_with_options("own-project", "own-store", {}, runtime)
    assert (
        clients.log_sha1(lab, "GET", host, "/logstores/own-store")[1]["errorCode"]
        == "LogStoreNotExist"
    )
    sls.delete_project_with_options("own-project", models.DeleteProjectRequest(), {}, runtime)
    assert clients.log_sha1(lab, "GET", host, "/")[1]["errorCode"] == "ProjectNotExist"


def test_search_terms_are_anded_and_words_match_any_field() -> None:
    rows = [(1, {"a": "x", "b": "Hello world"}), (2, {"a": "y", "b": "bye"})]
    assert language.matching(language.parse("hello"), rows) == rows[:1]
    assert language.matching(language.parse("a: y and b: b*"), rows) == rows[1:]
    assert language.matching(language.parse("*"), rows) == rows
    assert language.aggregates(
        language.parse("* | select count(1) as n, max(c) from log"), rows
    ) == [{"n": "2", "_col0": "null"}]
