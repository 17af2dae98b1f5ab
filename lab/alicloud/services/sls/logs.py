"""Log service: writing logs and querying them."""

from __future__ import annotations

import json
from typing import Any

from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.sls import query as language
from lab.alicloud.services.sls.stores import store_of
from lab.alicloud.services.sls.wire import log_group, old_logs, plain_body
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_RESOURCE = "project/{project}/logstore/{store}"
MAX_AGE = 2 * 86400  # seconds: the lab keeps no logs for longer


@rest(
    "sls",
    "POST",
    "/logstores/{store}/shards/lb",
    "PutLogs",
    permission="log:PostLogStoreLogs",
    resource=_RESOURCE,
)
@rest(
    "sls",
    "POST",
    "/logstores/{store}",
    "PutLogs",
    permission="log:PostLogStoreLogs",
    resource=_RESOURCE,
)
def put_logs(region: Region, request: Request) -> Response:
    """Write one log group: protobuf, plain or packed with lz4 or deflate."""
    store = store_of(region, request)
    topic, source, logs = log_group(plain_body(request))
    if len(logs) > 40960:
        raise ApiError(400, "InvalidLogGroup", "a log group has at most 40960 logs")
    rows = [
        (
            store["project"],
            store["logstoreName"],
            time,
            topic,
            source,
            json.dumps(fields, ensure_ascii=False),
        )
        for time, fields in logs
    ]
    region.store.many("INSERT INTO log VALUES (?,?,?,?,?,?)", rows)
    if region.store.count("log_writes") % 200 == 0:
        region.store.sql("DELETE FROM log WHERE time < ?", int(region.clock.now() - MAX_AGE))
    return Response(200, b"", {"x-log-requestid": request_id().replace("-", "")[:24]})


@rest(
    "sls",
    "POST",
    "/logstores/{store}/logs",
    "GetLogsV2",
    permission="log:GetLogStoreLogs",
    resource=_RESOURCE,
)
def get_logs_v2(region: Region, request: Request) -> Response:
    """Search and analysis; answer with meta and data."""
    body = request.json
    values = {k: str(v) for k, v in body.items() if v is not None}
    rows, columns, processed = _run(region, request, values)
    meta: dict[str, Any] = {
        "progress": "Complete",
        "count": len(rows),
        "processedRows": processed,
        "elapsedMillisecond": 1,
        "hasSQL": columns is not None,
    }
    meta.update(
        processedBytes=0,
        cpuSec=0.0,
        cpuCores=0,
        aggQuery="",
        whereQuery="",
        mode=0,
        keys=columns or [],
        terms=[],
    )
    return json_response({"meta": meta, "data": rows}, 200, **_headers(rows, processed, columns))


def get_logs(region: Region, request: Request) -> Response:
    """Search and analysis in the old form: the rows as a bare list."""
    rows, columns, processed = _run(region, request, request.query)
    return json_response(rows, 200, **_headers(rows, processed, columns))


def _headers(
    rows: list[dict[str, str]], processed: int, columns: list[str] | None
) -> dict[str, str]:
    info = json.dumps({"keys": columns or [], "terms": [], "marker": "", "mode": 0})
    return {
        "x-log-progress": "Complete",
        "x-log-count": str(len(rows)),
        "x-log-requestid": request_id().replace("-", "")[:24],
        "x-log-processed-rows": str(processed),
        "x-log-elapsed-millisecond": "1",
        "x-log-has-sql": "true" if columns else "false",
        "x-log-query-info": info,
        "x-log-agg-query": "",
        "x-log-where-query": "",
        "x-log-processed-bytes": "0",
        "x-log-cpu-sec": "0",
        "x-log-cpu-cores": "0",
    }


def _run(
    region: Region, request: Request, values: dict[str, str]
) -> tuple[list[dict[str, str]], list[str] | None, int]:
    store = store_of(region, request)
    start, end = _moment(values, "from"), _moment(values, "to")
    if start >= end:
        raise ApiError(
            400, "InvalidTimeRange", f"request time range is invalid: from {start} to {end}"
        )
    query = language.parse(values.get("query") or "*")
    _need_index(store, query)
    for (
        operator,
        value,
    ) in (
        query.times
    ):  # reading less than the request's range is what makes a query every second cheap
        start = max(start, value) if operator in (">=", ">", "=") else start
        end = min(end, value + 1) if operator in ("<", "<=", "=") else end
    found = region.store.sql(
        "SELECT time, topic, source, fields FROM log WHERE project=? AND store=? AND time>=? AND time<? ORDER BY time",
        store["project"],
        store["logstoreName"],
        start,
        end,
    )
    if values.get("topic"):
        found = [row for row in found if row["topic"] == values["topic"]]
    rows = language.matching(
        query,
        [
            (
                row["time"],
                {
                    **json.loads(row["fields"]),
                    "__topic__": row["topic"],
                    "__source__": row["source"],
                },
            )
            for row in found
        ],
    )
    if query.columns is not None:
        return language.aggregates(query, rows), [c["name"] for c in query.columns], len(rows)
    if str(values.get("reverse", "")).lower() == "true":
        rows.reverse()
    first = int(values.get("offset") or 0)
    page = rows[first : first + min(100, int(values.get("line") or values.get("lines") or 100))]
    return [{**fields, "__time__": str(time)} for time, fields in page], None, len(rows)


def _moment(values: dict[str, str], name: str) -> int:
    text = values.get(name, "")
    if not text.isdigit():
        raise ApiError(400, "ParameterInvalid", f"parameter {name} must be seconds since the epoch")
    return int(text)


def _need_index(store: Document, query: language.Query) -> None:
    index = store["index"]
    if index is None:
        raise ApiError(400, "IndexConfigNotExist", "logstore has no index config: query needs one")
    keys = index.get("keys") or {}
    used = [key for key, _ in query.terms if key] + [
        c["argument"] for c in query.columns or [] if c["argument"] not in ("*", "1")
    ]
    for key in used:
        if key not in keys and not key.startswith("__"):
            raise ApiError(
                400,
                "ParameterInvalid",
                f"key ({key}) is not config as key value config: add a field index for it",
            )


@rest(
    "sls",
    "GET",
    "/logstores/{store}",
    "GetLogStore",
    permission="log:GetLogStore",
    resource=_RESOURCE,
)
def get_store_or_logs(region: Region, request: Request) -> Response:
    """One logstore; with type=log the old form of GetLogs."""
    if old_logs(request):
        return get_logs(region, request)
    store = store_of(region, request)
    return json_response({k: v for k, v in store.items() if k not in ("project", "index")})
