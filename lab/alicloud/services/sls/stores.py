"""Log service: logstores and their indexes."""

from __future__ import annotations

from typing import Any

from lab.alicloud.protocol import ApiError, Request, Response, json_response
from lab.alicloud.registry import rest
from lab.alicloud.services.sls.projects import project_of
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_RESOURCE = "project/{project}/logstore/{store}"
_DEFAULTS = {
    "ttl": 30,
    "shardCount": 2,
    "enable_tracking": False,
    "autoSplit": False,
    "maxSplitShard": 0,
    "appendMeta": True,
    "telemetryType": "",
    "mode": "standard",
}


def make_store(region: Region, project: str, name: str, **settings: Any) -> Document:
    """Create a logstore without an index; `settings` replace the defaults."""
    now = int(region.clock.now())
    store = {
        "logstoreName": name,
        **_DEFAULTS,
        **settings,
        "createTime": now,
        "lastModifyTime": now,
        "project": project,
        "index": None,
    }
    region.store.put("logstore", f"{project}:{name}", store)
    return store


def store_of(region: Region, request: Request) -> Document:
    """The logstore a request is about, or LogStoreNotExist."""
    project = project_of(region, request)["projectName"]
    store = region.store.get("logstore", f"{project}:{request.vars['store']}")
    if store is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore {request.vars['store']} dose not exist")
    return store


def _keep(region: Region, store: Document) -> None:
    region.store.put(
        "logstore",
        f"{store['project']}:{store['logstoreName']}",
        {**store, "lastModifyTime": int(region.clock.now())},
    )


@rest(
    "sls",
    "GET",
    "/logstores",
    "ListLogStores",
    permission="log:ListLogStores",
    resource="project/{project}/logstore/*",
)
def list_stores(region: Region, request: Request) -> Response:
    """Names of the project's logstores."""
    names = [
        s["logstoreName"]
        for s in region.store.all("logstore", project=project_of(region, request)["projectName"])
    ]
    wanted = request.query.get("logstoreName", "")
    found = [n for n in names if wanted in n]
    return json_response({"count": len(found), "total": len(found), "logstores": found})


@rest(
    "sls",
    "POST",
    "/logstores",
    "CreateLogStore",
    permission="log:CreateLogStore",
    resource="project/{project}/logstore/*",
)
def create(region: Region, request: Request) -> Response:
    """Create a logstore in the project."""
    project, body = project_of(region, request)["projectName"], dict(request.json)
    name = body.pop("logstoreName", "")
    if not name or not 1 <= int(body.get("ttl", 30)) <= 3650:
        raise ApiError(
            400, "ParameterInvalid", "logstoreName is required and ttl must be 1 to 3650 days"
        )
    if region.store.get("logstore", f"{project}:{name}"):
        raise ApiError(400, "LogStoreAlreadyExist", f"logstore {name} already exists")
    make_store(region, project, name, **body)
    return json_response({})


@rest(
    "sls",
    "PUT",
    "/logstores/{store}",
    "UpdateLogStore",
    permission="log:UpdateLogStore",
    resource=_RESOURCE,
)
def update(region: Region, request: Request) -> Response:
    """Change settings of a logstore."""
    _keep(
        region,
        {
            **store_of(region, request),
            **{
                k: v
                for k, v in request.json.items()
                if k not in ("project", "index", "logstoreName")
            },
        },
    )
    return json_response({})


@rest(
    "sls",
    "DELETE",
    "/logstores/{store}",
    "DeleteLogStore",
    permission="log:DeleteLogStore",
    resource=_RESOURCE,
)
def delete(region: Region, request: Request) -> Response:
    """Remove a logstore with its logs."""
    store = store_of(region, request)
    region.store.delete("logstore", f"{store['project']}:{store['logstoreName']}")
    region.store.sql(
        "DELETE FROM log WHERE project=? AND store=?", store["project"], store["logstoreName"]
    )
    return json_response({})


@rest(
    "sls",
    "GET",
    "/logstores/{store}/meteringmode",
    "GetLogStoreMeteringMode",
    permission="log:GetLogStoreMeteringMode",
    resource=_RESOURCE,
)
def metering_mode(region: Region, request: Request) -> Response:
    """How it is billed."""
    return json_response(
        {"meteringMode": store_of(region, request).get("meteringMode") or "ChargeByFunction"}
    )


@rest(
    "sls",
    "PUT",
    "/logstores/{store}/meteringmode",
    "UpdateLogStoreMeteringMode",
    permission="log:UpdateLogStoreMeteringMode",
    resource=_RESOURCE,
)
def put_metering_mode(region: Region, request: Request) -> Response:
    """Another way to be billed."""
    _keep(region, {**store_of(region, request), "meteringMode": request.json.get("meteringMode")})
    return json_response({})


@rest(
    "sls",
    "GET",
    "/logstores/{store}/shards",
    "ListShards",
    permission="log:ListShards",
    resource=_RESOURCE,
)
def shards(region: Region, request: Request) -> Response:
    """The shards of a logstore, all of them writable."""
    store = store_of(region, request)
    fixed = {
        "status": "readwrite",
        "inclusiveBeginKey": "0",
        "exclusiveEndKey": "f",
        "createTime": store["createTime"],
    }
    return json_response(
        [{"shardID": number, **fixed} for number in range(int(store["shardCount"]))]
    )


@rest(
    "sls",
    "GET",
    "/logstores/{store}/index",
    "GetIndex",
    permission="log:GetIndex",
    resource=_RESOURCE,
)
def get_index(region: Region, request: Request) -> Response:
    """The index, or IndexConfigNotExist."""
    index = store_of(region, request)["index"]
    if index is None:
        raise ApiError(404, "IndexConfigNotExist", "index config doesn't exist")
    return json_response(index)


@rest(
    "sls",
    "POST",
    "/logstores/{store}/index",
    "CreateIndex",
    permission="log:CreateIndex",
    resource=_RESOURCE,
)
def create_index(region: Region, request: Request) -> Response:
    """Create the index of a logstore that has none."""
    store = store_of(region, request)
    if store["index"] is not None:
        raise ApiError(400, "IndexAlreadyExist", "log store index is already created")
    _keep(region, {**store, "index": request.json})
    return json_response({})


@rest(
    "sls",
    "PUT",
    "/logstores/{store}/index",
    "UpdateIndex",
    permission="log:UpdateIndex",
    resource=_RESOURCE,
)
def update_index(region: Region, request: Request) -> Response:
    """Replace the index of a logstore."""
    _keep(region, {**store_of(region, request), "index": request.json})
    return json_response({})


@rest(
    "sls",
    "DELETE",
    "/logstores/{store}/index",
    "DeleteIndex",
    permission="log:DeleteIndex",
    resource=_RESOURCE,
)
def delete_index(region: Region, request: Request) -> Response:
    """No index any more."""
    _keep(region, {**store_of(region, request), "index": None})
    return json_response({})
