"""Container service: nodes of a cluster."""

from __future__ import annotations

import json

from lab.alicloud.clock import iso
from lab.alicloud.documents import Instance
from lab.alicloud.instances import living, release
from lab.alicloud.protocol import Answer, Request, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.cs.cluster_document import cluster_of
from lab.alicloud.services.cs.tasks import start_task
from lab.alicloud.state import Region


def node_row(instance: Instance) -> Answer:
    """An instance as a node of the list."""
    return {
        "instance_id": instance["instance_id"],
        "instance_name": node_name(instance),
        "host_name": node_name(instance),
        "node_name": node_name(instance),
        "ip_address": [instance["private_ip"]],
        "instance_type": instance["instance_type"],
        "instance_type_family": instance["instance_type"].split(".")[1],
        "instance_charge_type": instance["instance_charge_type"],
        "instance_status": instance["status"],
        "instance_role": "Worker",
        "is_aliyun_node": True,
        "node_status": "Ready" if instance["status"] == "Running" else "NotReady",
        "state": instance["status"].lower(),
        "source": "ess_attach",
        "nodepool_id": instance["nodepool_id"],
        "creation_time": iso(instance["created"]),
        "spot_strategy": instance["spot_strategy"],
        "expired_time": "2099-12-31T15:59:00Z",
        "error_message": "",
        "image_id": "aliyun_3_x64_20G_container_optimized",
    }


def node_name(instance: Instance) -> str:
    """`cn-shanghai.10.0.32.10`, as ACK names nodes."""
    return f"{instance['zone_id'].rsplit('-', 1)[0]}.{instance['private_ip']}"


@rest("cs", "GET", "/clusters/{c}/nodes", "DescribeClusterNodes", resource="cluster/{c}")
def list_nodes(region: Region, request: Request) -> Answer:
    """Nodes of the cluster or of one node pool, in pages."""
    cluster_of(region, request.vars["c"])
    wanted = request.query.get("nodepool_id")
    rows = [
        node_row(i)
        for i in living(region)
        if i["cluster_id"] == request.vars["c"] and wanted in (None, "", i["nodepool_id"])
    ]
    number, size = (
        int(request.query.get("pageNumber") or 1),
        int(request.query.get("pageSize") or 10),
    )
    page = {"page_number": number, "page_size": size, "total_count": len(rows)}
    return {"nodes": rows[(number - 1) * size : number * size], "page": page}


@rest(
    "cs", "POST", "/api/v2/clusters/{c}/nodes/remove", "RemoveClusterNodes", resource="cluster/{c}"
)
def remove_nodes(region: Region, request: Request) -> Answer:
    """Take nodes out of the cluster; their instances are released if asked. The answer says
    nothing.
    """
    cluster_of(region, request.vars["c"])
    body = request.json
    _remove(region, set(body["nodes"]), bool(body.get("release_node")))
    return {}


@rest(
    "cs",
    "DELETE",
    "/clusters/{c}/nodepools/{n}/nodes",
    "RemoveNodePoolNodes",
    resource="cluster/{c}",
)
def remove_pool_nodes(region: Region, request: Request) -> Answer:
    """Take nodes out of a node pool, by name or by instance: lists as JSON in the query."""
    cluster_of(region, request.vars["c"])
    names = {
        name
        for parameter in ("nodes", "instance_ids")
        for name in json.loads(request.query.get(parameter) or "[]")
    }
    _remove(region, names, request.query.get("release_node", "").lower() == "true")
    return {
        "task_id": start_task(region, "nodes_remove", request.vars["c"])["task_id"],
        "request_id": request_id(),
    }


def _remove(region: Region, names: set[str], release_them: bool) -> None:
    for instance in living(region):
        if release_them and names & {instance["instance_id"], node_name(instance)}:
            release(region, instance["instance_id"])
