"""Container service: node pools. Answers echo what was asked for and add nothing that clients would
take for a change.
"""

from __future__ import annotations

import uuid

from lab.alicloud.clock import iso
from lab.alicloud.documents import all_instances
from lab.alicloud.elastic import scale, to_minimum
from lab.alicloud.ids import new_id
from lab.alicloud.instances import living, release
from lab.alicloud.protocol import Answer, ApiError, Request, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.cs.cluster_document import cluster_of
from lab.alicloud.services.cs.tasks import finish_task, start_task
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document
from lab.labels import label_problem, taint_problem

_ECHOED = (
    "auto_scaling",
    "kubernetes_config",
    "management",
    "scaling_group",
    "node_config",
    "tee_config",
    "auto_mode",
    "interconnect_config",
)
_WHOLE = ("auto_scaling", "management", "tee_config")  # sent whole when anything in them changed
_INSIDE = "cluster/{c}"


def pool_of(region: Region, cluster_id: str, pool_id: str) -> Document:
    """A node pool, or the service's error."""
    cluster_of(region, cluster_id)
    pool = region.store.get("nodepool", pool_id)
    if pool is None or pool["cluster_id"] != cluster_id:
        raise ApiError(404, "ErrorNodePoolNotFound", "nodepool not found")
    return pool


def make_pool(
    region: Region,
    cluster_id: str,
    wanted: Document,
    pool_id: str = "",
    state: str = "active",
) -> Document:
    """A node pool as `wanted` (the body of the creation call), with its scaling group."""
    now = iso(region.clock.now())
    pool_id = pool_id or "np" + uuid.uuid4().hex[:30]
    info = {
        "nodepool_id": pool_id,
        "is_default": False,
        "region_id": region.name,
        "created": now,
        "updated": now,
        "type": "ess",
        "resource_group_id": "rg-1",
    }
    pool = {
        **{k: wanted[k] for k in _ECHOED if k in wanted},
        "cluster_id": cluster_id,
        "nodepool_info": {**info, **(wanted.get("nodepool_info") or {})},
        "status": {"state": state},
        "count": wanted.get("count"),
    }
    pool.setdefault("management", {})
    pool["scaling_group"] = {
        **(wanted.get("scaling_group") or {}),
        "scaling_group_id": new_id("asg-"),
    }
    region.store.put("nodepool", pool_id, pool)
    return pool


def shown(region: Region, pool: Document) -> Answer:
    """The pool as the API answers it: never a desired size when it scales by itself, never a
    password.
    """
    instances = [
        i
        for i in all_instances(region, nodepool_id=pool["nodepool_info"]["nodepool_id"])
        if i["status"] != "Deleted"
    ]
    states = [i["status"] for i in instances]
    running = states.count("Running")
    status = {
        "state": pool["status"]["state"],
        "total_nodes": len(states),
        "serving_nodes": running,
        "healthy_nodes": running,
        "initial_nodes": states.count("Pending") + states.count("Starting"),
        "removing_nodes": states.count("Stopping"),
        "failed_nodes": 0,
        "offline_nodes": 0,
    }
    group = {k: v for k, v in pool["scaling_group"].items() if k != "login_password"}
    if (pool.get("auto_scaling") or {}).get("enable"):
        group.pop("desired_size", None)
    if group.get("tags"):  # written Key and Value by some clients, always read as key and value
        group["tags"] = [
            {name.lower(): value for name, value in row.items()} for row in group["tags"]
        ]
    return {
        **{k: pool[k] for k in _ECHOED if k in pool},
        "nodepool_info": pool["nodepool_info"],
        "scaling_group": group,
        "status": status,
    }


def check(wanted: Document) -> None:
    """What the service refuses though clients let it pass."""
    group, limits = wanted.get("scaling_group") or {}, wanted.get("auto_scaling") or {}
    if limits.get("enable") and limits.get("min_instances", 0) > limits.get("max_instances", 0):
        raise ApiError(
            400,
            "InvalidParameter.MinInstances",
            f"min_instances {limits['min_instances']} exceeds max_instances {limits.get('max_instances', 0)}",
        )
    share = group.get("on_demand_percentage_above_base_capacity")
    if share is not None and not 0 <= share <= 100:
        raise ApiError(
            400,
            "InvalidParameter.OnDemandPercentage",
            f"on_demand_percentage_above_base_capacity {share} is not between 0 and 100",
        )
    if group.get("spot_strategy") not in (
        None,
        "",
        "NoSpot",
        "SpotWithPriceLimit",
        "SpotAsPriceGo",
    ):
        raise ApiError(
            400,
            "InvalidParameter.SpotStrategy",
            f"spot_strategy {group['spot_strategy']!r} is not supported",
        )
    if limits.get("enable") and group.get("desired_size"):
        raise ApiError(
            400,
            "InvalidParameter.DesiredSize",
            "desired_size can not be set while auto scaling is enabled",
        )
    # ACK documents no code for these; that it takes what Kubernetes takes is in its page on node
    # labels and taints.
    config = wanted.get("kubernetes_config") or {}
    for label in config.get("labels") or []:
        if wrong := label_problem(str(label.get("key") or ""), str(label.get("value") or "")):
            raise ApiError(400, "InvalidParameter.Labels", f"label {label.get('key')}: {wrong}")
    for taint in config.get("taints") or []:
        if wrong := taint_problem(taint):
            raise ApiError(400, "InvalidParameter.Taints", f"taint {taint.get('key')}: {wrong}")


@rest("cs", "POST", "/clusters/{c}/nodepools", "CreateClusterNodePool", resource=_INSIDE)
def create(region: Region, request: Request) -> Answer:
    """A new node pool; it orders its minimum at once."""
    cluster, wanted = cluster_of(region, request.vars["c"]), request.json
    if cluster["state"] != "running":
        raise ApiError(
            409,
            "ErrorClusterState",
            f"cluster state {cluster['state']} does not allow this operation",
        )
    if not (wanted.get("nodepool_info") or {}).get("name"):
        raise ApiError(400, "InvalidParameter.NodepoolName", "nodepool name is required")
    if not (wanted.get("scaling_group") or {}).get("vswitch_ids"):
        raise ApiError(400, "InvalidParameter.VswitchIds", "vswitch_ids is required")
    check(wanted)
    pool = make_pool(region, cluster["cluster_id"], wanted)
    to_minimum(region, pool)
    return _started(region, pool, "nodepool_create")


def _started(region: Region, pool: Document, task_type: str, then: str = "") -> Answer:
    pool_id = pool["nodepool_info"]["nodepool_id"]
    task = start_task(
        region, task_type, pool["cluster_id"], then=then, **({"pool_id": pool_id} if then else {})
    )
    return {"nodepool_id": pool_id, "task_id": task["task_id"], "request_id": request_id()}


@rest("cs", "GET", "/clusters/{c}/nodepools", "DescribeClusterNodePools", resource=_INSIDE)
def list_pools(region: Region, request: Request) -> Answer:
    """All pools of a cluster."""
    cluster_of(region, request.vars["c"])
    name = request.query.get("NodepoolName")
    pools = region.store.all("nodepool", cluster_id=request.vars["c"])
    return {
        "nodepools": [
            shown(region, p) for p in pools if name in (None, "", p["nodepool_info"]["name"])
        ]
    }


@rest("cs", "GET", "/clusters/{c}/nodepools/{n}", "DescribeClusterNodePoolDetail", resource=_INSIDE)
def describe(region: Region, request: Request) -> Answer:
    """One node pool, with the numbers of its nodes."""
    return shown(region, pool_of(region, request.vars["c"], request.vars["n"]))


@rest("cs", "PUT", "/clusters/{c}/nodepools/{n}", "ModifyClusterNodePool", resource=_INSIDE)
def modify(region: Region, request: Request) -> Answer:
    """Merge what is sent into the pool; lists and the groups of `_WHOLE` replace the old ones."""
    pool, wanted = pool_of(region, request.vars["c"], request.vars["n"]), request.json
    if pool["status"]["state"] == "deleting":
        raise ApiError(409, "ErrorNodePoolOperationConflict", "nodepool is deleting")
    for key in ("nodepool_info", "scaling_group", "kubernetes_config", *_WHOLE):
        if key not in wanted:
            continue
        pool[key] = wanted[key] if key in _WHOLE else {**(pool.get(key) or {}), **wanted[key]}
    check(pool)
    pool["nodepool_info"]["updated"] = iso(region.clock.now())
    region.store.put("nodepool", request.vars["n"], pool)
    to_minimum(region, pool)
    return _started(region, pool, "nodepool_update")


@rest(
    "cs",
    "PUT",
    "/clusters/{c}/nodepools/{n}/node_config",
    "ModifyNodePoolNodeConfig",
    resource=_INSIDE,
)
def modify_node_config(region: Region, request: Request) -> Answer:
    """New kubelet or containerd settings."""
    pool = pool_of(region, request.vars["c"], request.vars["n"])
    names = {"kubelet_config": "kubelet_configuration", "containerd_config": "containerd_config"}
    given = {names[k]: v for k, v in request.json.items() if k in names}
    pool["node_config"] = {**(pool.get("node_config") or {}), **given}
    region.store.put("nodepool", request.vars["n"], pool)
    return _started(region, pool, "nodepool_node_config")


@rest("cs", "POST", "/clusters/{c}/nodepools/{n}", "ScaleClusterNodePool", resource=_INSIDE)
def scale_out(region: Region, request: Request) -> Answer:
    """Order `count` more nodes."""
    pool = pool_of(region, request.vars["c"], request.vars["n"])
    scale(region, pool, int(request.json.get("count", 0)), "scaled by hand")
    return {"task_id": _started(region, pool, "nodepool_scaleout")["task_id"]}


@rest("cs", "DELETE", "/clusters/{c}/nodepools/{n}", "DeleteClusterNodepool", resource=_INSIDE)
def delete(region: Region, request: Request) -> Answer:
    """Release the pool's instances, then the pool; asking twice joins the deletion under way."""
    pool = pool_of(region, request.vars["c"], request.vars["n"])
    pool_id = request.vars["n"]
    if living(region, pool_id) and request.query.get("force", "true").lower() != "true":
        raise ApiError(
            409,
            "ErrorNodePoolNotEmpty",
            "nodepool has nodes; remove them first or delete with force",
        )
    if pool["status"]["state"] == "deleting":
        return {"task_id": pool["status"]["task_id"], "request_id": request_id()}
    for instance in living(region, pool_id):
        release(region, instance["instance_id"])
    answer = _started(region, pool, "nodepool_delete", "nodepool.remove")
    pool["status"] = {"state": "deleting", "task_id": answer["task_id"]}
    region.store.put("nodepool", pool_id, pool)
    return {"task_id": answer["task_id"], "request_id": answer["request_id"]}


@timer("nodepool.remove")
def remove(region: Region, payload: Payload) -> None:
    """The pool goes when its last instance has gone."""
    left = [
        i for i in all_instances(region, nodepool_id=payload["pool_id"]) if i["status"] != "Deleted"
    ]
    if left:
        region.schedule("nodepool.remove", 0.3, **payload)
        return
    pool = region.store.get("nodepool", payload["pool_id"])
    if pool is not None:
        remove_pool(region, pool)
    finish_task(region, payload["task_id"])


def remove_pool(region: Region, pool: Document) -> None:
    """Forget a pool at once; what still runs in it is released."""
    pool_id = pool["nodepool_info"]["nodepool_id"]
    for instance in living(region, pool_id):
        release(region, instance["instance_id"])
    for activity in region.store.all("activity", nodepool_id=pool_id):
        region.store.delete("activity", activity["ScalingActivityId"])
    region.store.delete("nodepool", pool_id)
