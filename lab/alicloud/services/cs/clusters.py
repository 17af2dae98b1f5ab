"""Container service: the calls about managed clusters."""

from __future__ import annotations

import json
import uuid

from lab.alicloud.api_models import models
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.cs import managed_resources
from lab.alicloud.services.cs.cluster_document import (
    cluster_of,
    enable_rrsa,
    make_cluster,
    shown,
)
from lab.alicloud.services.cs.nodepools import remove_pool
from lab.alicloud.services.cs.tasks import finish_task, start_task
from lab.alicloud.services.vpc.vswitches import vswitch_of
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document


@rest("cs", "POST", "/clusters", "CreateCluster")
def create(region: Region, request: Request) -> Response:
    """A new cluster; it is `initial` while its task runs."""
    wanted = request.json
    if not wanted.get("name"):
        raise ApiError(400, "ErrorClusterNameInvalid", "cluster name is required")
    if any(c["name"] == wanted["name"] for c in region.store.all("cluster")):
        raise ApiError(
            400, "ErrorClusterNameAlreadyExist", f"cluster name {wanted['name']} already exists"
        )
    for vswitch in wanted.get("vswitch_ids") or []:
        vswitch_of(region, vswitch)
    cluster_id = "c" + uuid.uuid4().hex
    make_cluster(
        region, cluster_id, managed_resources.prepare(region, cluster_id, wanted), "initial"
    )
    managed_resources.install_default_addons(region, cluster_id, wanted)
    task = start_task(region, "cluster_create", cluster_id, "task_cluster", "cluster.settle")
    return _accepted(cluster_id, task)


def _accepted(cluster_id: str, task: Document, status: int = 202) -> Response:
    return json_response(
        {"cluster_id": cluster_id, "task_id": task["task_id"], "request_id": request_id()}, status
    )


@timer("cluster.settle")
def settle(region: Region, payload: Payload) -> None:
    """A creation or change is done: the cluster runs."""
    cluster = region.store.get("cluster", payload["cluster_id"])
    if cluster is not None and cluster["state"] in ("initial", "updating"):
        region.store.put(
            "cluster",
            cluster["cluster_id"],
            {**cluster, "state": "running", "updated": iso(region.clock.now())},
        )
    finish_task(region, payload["task_id"])


@rest("cs", "GET", "/clusters", "DescribeClusters", resource="cluster/*")
def list_all(region: Region, request: Request) -> Response:
    """All clusters, as a bare list."""
    return json_response([of_list(request, shown(region, c)) for c in region.store.all("cluster")])


def of_list(request: Request, cluster: Document) -> Answer:
    """As much of a cluster as the list that is asked for says of each: the three lists differ."""
    answer = models()[f"cs:{request.call}"]["answer"]
    row = answer[0] if isinstance(answer, list) else answer["clusters"][0]
    return {name: value for name, value in cluster.items() if name in row or f"{name}!" in row}


@rest("cs", "GET", "/regions/{region}/clusters", "DescribeClustersForRegion", resource="cluster/*")
@rest("cs", "GET", "/api/v1/clusters", "DescribeClustersV1", resource="cluster/*")
def list_page(region: Region, request: Request) -> Answer:
    """Clusters by id or name, with paging data."""
    number, size = (
        int(request.query.get("page_number") or 1),
        int(request.query.get("page_size") or 50),
    )
    found = [
        of_list(request, shown(region, c))
        for c in region.store.all("cluster")
        if request.query.get("cluster_id") in (None, "", c["cluster_id"])
        and request.query.get("name") in (None, "", c["name"])
    ]
    page = {"page_number": number, "page_size": size, "total_count": len(found)}
    return {"clusters": found[(number - 1) * size : number * size], "page_info": page}


@rest("cs", "GET", "/clusters/{c}", "DescribeClusterDetail", resource="cluster/{c}")
def describe(region: Region, request: Request) -> Answer:
    """One cluster, with its endpoints and RRSA data."""
    return shown(region, cluster_of(region, request.vars["c"]))


@rest("cs", "PUT", "/api/v2/clusters/{c}", "ModifyCluster", resource="cluster/{c}")
def modify(region: Region, request: Request) -> Response:
    """Change some settings; RRSA can be switched on, never off."""
    cluster, wanted = cluster_of(region, request.vars["c"]), request.json
    if wanted.get("enable_rrsa") is False and cluster["rrsa"]:
        raise ApiError(400, "ErrorModifyCluster", "It is not supported to disable RRSA")
    if wanted.get("enable_rrsa") and not cluster["rrsa"]:
        cluster["rrsa"] = True
        enable_rrsa(region, cluster["cluster_id"])
    fields = (
        "deletion_protection",
        "resource_group_id",
        "maintenance_window",
        "operation_policy",
        "timezone",
        "security_group_id",
        "vswitch_ids",
    )
    cluster.update({k: wanted[k] for k in fields if k in wanted})
    cluster["name"] = wanted.get("cluster_name") or cluster["name"]
    cluster["state"] = "updating"
    region.store.put("cluster", cluster["cluster_id"], cluster)
    task = start_task(region, "cluster_modify", cluster["cluster_id"], then="cluster.settle")
    return _accepted(cluster["cluster_id"], task, 200)


@rest("cs", "DELETE", "/clusters/{c}", "DeleteCluster", resource="cluster/{c}")
def delete(region: Region, request: Request) -> Response:
    """Remove a cluster without node pools; refused under deletion protection."""
    cluster = cluster_of(region, request.vars["c"])
    cluster_id = cluster["cluster_id"]
    if cluster["deletion_protection"]:
        raise ApiError(
            403,
            "ErrorDeletionProtection",
            f"cluster {cluster_id} is under deletion protection; switch it off first",
        )
    if cluster["state"] != "deleting":
        cluster["state"] = "deleting"
        cluster["delete_options"] = json.loads(request.query.get("delete_options") or "[]")
        region.store.put("cluster", cluster_id, cluster)
    task = start_task(region, "cluster_delete", cluster_id, "task_cluster", "cluster.remove")
    return _accepted(cluster_id, task)


@timer("cluster.remove")
def remove(region: Region, payload: Payload) -> None:
    """The cluster is gone, with its pools, add-ons and OIDC provider."""
    cluster_id = payload["cluster_id"]
    for pool in region.store.all("nodepool", cluster_id=cluster_id):
        remove_pool(region, pool)
    for addon in region.store.all("addon", cluster_id=cluster_id):
        region.store.delete("addon", f"{cluster_id}:{addon['name']}")
    region.store.delete("oidc_provider", f"ack-rrsa-{cluster_id}")
    gone = region.store.get("cluster", cluster_id)
    if gone is not None:
        managed_resources.delete_managed(region, gone)
    region.store.delete("cluster", cluster_id)
    finish_task(region, payload["task_id"])
