"""Container service: managed clusters."""

from __future__ import annotations

import json
import uuid
from typing import Any

from lab.alicloud.clock import iso
from lab.alicloud.judge import models
from lab.alicloud.protocol import ApiError, Request, Response, json_response, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.cs import belongings
from lab.alicloud.services.cs.tasks import finish_task, start_task
from lab.alicloud.services.ims import make_provider
from lab.alicloud.services.vswitches import vswitch_of
from lab.alicloud.state import Region, timer

API_SERVER = "https://10.0.0.10:6443"
DEFAULT_VERSION = "1.36.3-aliyun.1"
_HIDDEN = (
    "rrsa",
    "autoscaling_config",
    "audit",
    "controlplane_log",
    "issuer",
    "made",
    "delete_options",
)


def issuer_of(region: Region, cluster_id: str) -> str:
    """Where the cluster's service account tokens say they come from."""
    known = region.store.get("cluster", cluster_id) or {}
    return (
        known.get("issuer")
        or f"https://oidc-ack-{region.name}.oss-{region.name}.aliyuncs.com/{cluster_id}"
    )


def cluster_of(region: Region, cluster_id: str) -> dict[str, Any]:
    """A cluster, or the service's error."""
    cluster = region.store.get("cluster", cluster_id)
    if cluster is None:
        raise ApiError(404, "ErrorClusterNotFound", f"cluster not found, cluster id: {cluster_id}")
    return cluster


def make_cluster(
    region: Region, cluster_id: str, wanted: dict[str, Any], state: str
) -> dict[str, Any]:
    """A cluster as `wanted` (keys of CreateCluster); RRSA brings its OIDC provider."""
    now, switches = iso(region.clock.now()), wanted.get("vswitch_ids") or []
    version, cidr = (
        wanted.get("kubernetes_version") or DEFAULT_VERSION,
        wanted.get("service_cidr") or "172.21.0.0/20",
    )
    cluster = {
        "cluster_id": cluster_id,
        "name": wanted["name"],
        "cluster_type": wanted.get("cluster_type") or "ManagedKubernetes",
        "profile": wanted.get("profile") or "Default",
        "cluster_spec": wanted.get("cluster_spec") or "ack.pro.small",
        "region_id": region.name,
        "state": state,
        "vpc_id": wanted.get("vpcid", ""),
        "vswitch_id": ",".join(switches),
        "vswitch_ids": switches,
        "security_group_id": wanted.get("security_group_id") or "sg-1",
        "current_version": version,
        "init_version": version,
        "deletion_protection": bool(wanted.get("deletion_protection")),
        "resource_group_id": wanted.get("resource_group_id") or "rg-1",
        "worker_ram_role_name": wanted.get("worker_ram_role_name") or "KubernetesWorkerRole-1",
        "tags": wanted.get("tags") or [],
        "service_cidr": cidr,
        "container_cidr": wanted.get("container_cidr") or "",
        "subnet_cidr": "",
        "proxy_mode": wanted.get("proxy_mode") or "ipvs",
        "ip_stack": wanted.get("ip_stack") or "ipv4",
        "node_cidr_mask": wanted.get("node_cidr_mask") or "24",
        "cluster_domain": wanted.get("cluster_domain") or "cluster.local",
        "size": 0,
        "created": now,
        "updated": now,
        "docker_version": "",
        "external_loadbalancer_id": wanted.get("load_balancer") or "lb-1",
        "private_zone": False,
        "network_mode": "vpc",
        "maintenance_window": wanted.get("maintenance_window") or {"enable": False},
        "operation_policy": wanted.get("operation_policy")
        or {"cluster_auto_upgrade": {"enabled": False}},
        "rrsa": bool(wanted.get("enable_rrsa")),
        "issuer": wanted.get("issuer") or issuer_of(region, cluster_id),
        "made": bool(wanted.get("made")),
    }
    for key in (
        "timezone",
        "auto_mode",
        # answered only to those who set them: an answer of its own makes the client plan a
        # replacement
    ):
        if wanted.get(key):
            cluster[key] = wanted[key]
    region.store.put("cluster", cluster_id, cluster)
    if cluster["rrsa"]:
        _enable_rrsa(region, cluster_id)
    return cluster


def _enable_rrsa(region: Region, cluster_id: str) -> None:
    make_provider(
        region, f"ack-rrsa-{cluster_id}", issuer_of(region, cluster_id), "sts.aliyuncs.com"
    )


def shown(region: Region, cluster: dict[str, Any]) -> dict[str, Any]:
    """The cluster as the API answers it."""
    cluster_id = cluster["cluster_id"]
    rrsa: dict[str, Any] = {"enabled": cluster["rrsa"]}
    if cluster["rrsa"]:
        name = f"ack-rrsa-{cluster_id}"
        rrsa.update(
            issuer=issuer_of(region, cluster_id), audience="sts.aliyuncs.com", oidc_name=name
        )
        rrsa["oidc_arn"] = f"acs:ram::{region.account}:oidc-provider/{name}"
    meta = {
        "Capabilities": {"NodeCIDRMask": cluster["node_cidr_mask"]},
        "RRSAConfig": rrsa,
        "ExtraCertSAN": [],
    }
    size = sum(
        i["cluster_id"] == cluster_id and i["status"] == "Running"
        for i in region.store.all("instance")
    )
    parameters = {
        "ServiceCIDR": cluster["service_cidr"],
        "ProxyMode": cluster["proxy_mode"],
        "ContainerCIDR": cluster["container_cidr"],
    }
    endpoints = {"api_server_endpoint": API_SERVER, "intranet_api_server_endpoint": API_SERVER}
    plain = {k: v for k, v in cluster.items() if k not in _HIDDEN}
    return {
        **plain,
        "size": size,
        "parameters": parameters,
        "master_url": json.dumps(endpoints),
        "meta_data": json.dumps(meta),
    }


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
    make_cluster(region, cluster_id, belongings.prepare(region, cluster_id, wanted), "initial")
    belongings.furnish(region, cluster_id, wanted)
    task = start_task(region, "cluster_create", cluster_id, "task_cluster", "cluster.settle")
    return _accepted(cluster_id, task)


def _accepted(cluster_id: str, task: dict[str, Any], status: int = 202) -> Response:
    return json_response(
        {"cluster_id": cluster_id, "task_id": task["task_id"], "request_id": request_id()}, status
    )


@timer("cluster.settle")
def settle(region: Region, payload: dict[str, Any]) -> None:
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


def of_list(request: Request, cluster: dict[str, Any]) -> dict[str, Any]:
    """As much of a cluster as the list that is asked for says of each: the three lists differ."""
    answer = models()[f"cs:{request.call}"]["answer"]
    row = answer[0] if isinstance(answer, list) else answer["clusters"][0]
    return {name: value for name, value in cluster.items() if name in row or f"{name}!" in row}


@rest("cs", "GET", "/regions/{region}/clusters", "DescribeClustersForRegion", resource="cluster/*")
@rest("cs", "GET", "/api/v1/clusters", "DescribeClustersV1", resource="cluster/*")
def list_page(region: Region, request: Request) -> dict[str, Any]:
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
def describe(region: Region, request: Request) -> dict[str, Any]:
    """One cluster."""
    return shown(region, cluster_of(region, request.vars["c"]))


@rest("cs", "PUT", "/api/v2/clusters/{c}", "ModifyCluster", resource="cluster/{c}")
def modify(region: Region, request: Request) -> Response:
    """Change some settings; RRSA can be switched on, never off."""
    cluster, wanted = cluster_of(region, request.vars["c"]), request.json
    if wanted.get("enable_rrsa") is False and cluster["rrsa"]:
        raise ApiError(400, "ErrorModifyCluster", "It is not supported to disable RRSA")
    if wanted.get("enable_rrsa") and not cluster["rrsa"]:
        cluster["rrsa"] = True
        _enable_rrsa(region, cluster["cluster_id"])
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
def remove(region: Region, payload: dict[str, Any]) -> None:
    """The cluster is gone, with its pools, add-ons and OIDC provider."""
    from lab.alicloud.services.cs.nodepools import remove_pool

    cluster_id = payload["cluster_id"]
    for pool in region.store.all("nodepool", cluster_id=cluster_id):
        remove_pool(region, pool)
    for addon in region.store.all("addon", cluster_id=cluster_id):
        region.store.delete("addon", f"{cluster_id}:{addon['name']}")
    region.store.delete("oidc_provider", f"ack-rrsa-{cluster_id}")
    gone = region.store.get("cluster", cluster_id)
    if gone is not None:
        belongings.take_away(region, gone)
    region.store.delete("cluster", cluster_id)
    finish_task(region, payload["task_id"])
