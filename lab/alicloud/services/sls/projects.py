"""Log service: projects and their tags."""

from __future__ import annotations

import json

from lab.alicloud.clock import iso
from lab.alicloud.protocol import ApiError, Request, Response, json_response
from lab.alicloud.registry import rest
from lab.alicloud.state import Region
from lab.alicloud.store import Document


def make_project(region: Region, name: str, description: str = "", group: str = "rg-1") -> Document:
    """Create a log project in the region."""
    now = iso(region.clock.now())
    project = {
        "projectName": name,
        "description": description,
        "region": region.name,
        "status": "Normal",
        "createTime": now,
        "lastModifyTime": now,
        "owner": "",
        "resourceGroupId": group,
    }
    region.store.put("log_project", name, project)
    return project


def project_of(region: Region, request: Request) -> Document:
    """The project the host names, or ProjectNotExist."""
    name = request.vars.get("project", "")
    project = region.store.get("log_project", name)
    if project is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {name}")
    return project


@rest("sls", "GET", "/", "GetProject", permission="log:GetProject", resource="project/{project}")
def get(region: Region, request: Request) -> Response:
    """One project, or at the regional host the list of all."""
    if request.vars.get("project"):
        return json_response(project_of(region, request))
    wanted = request.query.get("projectName", "")
    found = [p for p in region.store.all("log_project") if wanted in p["projectName"]]
    first, size = int(request.query.get("offset") or 0), int(request.query.get("size") or 100)
    page = found[first : first + size]
    return json_response({"count": len(page), "total": len(found), "projects": page})


@rest("sls", "POST", "/", "CreateProject", permission="log:CreateProject", resource="project/*")
def create(region: Region, request: Request) -> Response:
    """Create a project, whose name nobody else has in any region."""
    body = request.json
    name = body.get("projectName") or request.vars.get("project", "")
    if not name:
        raise ApiError(400, "ParameterInvalid", "projectName is required")
    if region.whole.store.get("log_project", name):  # names are taken in all regions
        raise ApiError(400, "ProjectAlreadyExist", f"Project {name} already exist")
    make_project(region, name, body.get("description", ""), body.get("resourceGroupId") or "rg-1")
    return json_response({})


@rest(
    "sls", "PUT", "/", "UpdateProject", permission="log:UpdateProject", resource="project/{project}"
)
def update(region: Region, request: Request) -> Response:
    """Replace the description of a project."""
    project = project_of(region, request)
    project.update(
        description=request.json.get("description", ""), lastModifyTime=iso(region.clock.now())
    )
    region.store.put("log_project", project["projectName"], project)
    return json_response({})


@rest(
    "sls",
    "DELETE",
    "/",
    "DeleteProject",
    permission="log:DeleteProject",
    resource="project/{project}",
)
def delete(region: Region, request: Request) -> Response:
    """Remove a project with all its logs."""
    name = project_of(region, request)["projectName"]
    for store in region.store.all("logstore", project=name):
        region.store.delete("logstore", f"{name}:{store['logstoreName']}")
    region.store.sql("DELETE FROM log WHERE project=?", name)
    region.store.delete("log_project", name)
    region.store.delete("tags", f"log:{name}")
    return json_response({})


@rest(
    "sls",
    "GET",
    "/policy",
    "GetProjectPolicy",
    permission="log:GetProjectPolicy",
    resource="project/{project}",
)
def policy(region: Region, request: Request) -> Response:
    """The project's policy; empty while there is none."""
    text = project_of(region, request).get("policy", "")
    return Response(200, text.encode(), {"Content-Type": "application/json"})


@rest(
    "sls",
    "POST",
    "/policy",
    "CreateProjectPolicy",
    permission="log:CreateProjectPolicy",
    resource="project/{project}",
)
def put_policy(region: Region, request: Request) -> Response:
    """Set the policy of a project."""
    project = project_of(region, request)
    region.store.put(
        "log_project", project["projectName"], {**project, "policy": request.body.decode()}
    )
    return json_response({})


@rest(
    "sls",
    "DELETE",
    "/policy",
    "DeleteProjectPolicy",
    permission="log:DeleteProjectPolicy",
    resource="project/{project}",
)
def delete_policy(region: Region, request: Request) -> Response:
    """No policy any more."""
    project = project_of(region, request)
    region.store.put("log_project", project["projectName"], {**project, "policy": ""})
    return json_response({})


@rest("sls", "GET", "/tags", "ListTagResources", permission="log:ListTagResources")
def tags(region: Region, request: Request) -> Response:
    """Tags of the named projects, or of all that carry the given tags."""
    names = json.loads(request.query.get("resourceId") or "[]") or region.store.ids("log_project")
    wanted = {
        row["key"]: row.get("value", "") for row in json.loads(request.query.get("tags") or "[]")
    }
    kind = request.query.get("resourceType", "PROJECT")
    rows = []
    for name in names:
        held = region.store.get("tags", f"log:{name}") or {}
        if not all(held.get(key) == value for key, value in wanted.items()):
            continue
        rows += [
            {"resourceType": kind, "resourceId": name, "tagKey": k, "tagValue": v}
            for k, v in held.items()
        ]
    return json_response({"tagResources": rows})


@rest("sls", "POST", "/tag", "TagResources", permission="log:TagResources")
def tag(region: Region, request: Request) -> Response:
    """Add tags to projects."""
    given = {t["key"]: t.get("value", "") for t in request.json.get("tags", [])}
    for name in request.json.get("resourceId", []):
        region.store.put(
            "tags", f"log:{name}", {**(region.store.get("tags", f"log:{name}") or {}), **given}
        )
    return json_response({})


@rest("sls", "POST", "/untag", "UntagResources", permission="log:UntagResources")
def untag(region: Region, request: Request) -> Response:
    """Remove tags by key."""
    for name in request.json.get("resourceId", []):
        held = region.store.get("tags", f"log:{name}") or {}
        region.store.put(
            "tags",
            f"log:{name}",
            {k: v for k, v in held.items() if k not in request.json.get("tags", [])},
        )
    return json_response({})
