"""Container service: add-ons and the node autoscaler's configuration."""

from __future__ import annotations

import json
from typing import Any

from lab.alicloud.instances import touch
from lab.alicloud.protocol import Answer, ApiError, Request, request_id
from lab.alicloud.registry import rest
from lab.alicloud.services.cs.cluster_document import (
    cluster_of,
)
from lab.alicloud.services.cs.tasks import start_task
from lab.alicloud.services.sls.projects import make_project
from lab.alicloud.services.sls.stores import make_store
from lab.alicloud.state import Region
from lab.alicloud.store import Document

VERSIONS = {
    "ack-alibaba-cloud-metrics-adapter": "1.3.7",
    "csi-plugin": "v1.33.1",
    "csi-provisioner": "v1.33.1",
    "nginx-ingress-controller": "v1.11.5-aliyun.1",
    "loongcollector": "v3.1.1",
    "ack-pod-identity-webhook": "0.1.1",
    "cluster-autoscaler": "v1.3.1",
    "ack-node-problem-detector": "1.2.22",
    "node-lifecycle-controller": "1.0.0",
    "alb-ingress-controller": "v2.15.0",
    "storage-operator": "v1.33.1",
}
_FIXED = {
    "category": "x",
    "install_by_default": False,
    "supported_actions": ["install", "uninstall", "upgrade"],
    "config_schema": "{}",
    "architecture": ["amd64"],
    "managed": False,
}
_INSIDE = "cluster/{c}"
DETECTOR = "ack-node-problem-detector"
"""Tells of a reclaim notice on the node: the node agent learns of every instance whether its
cluster has it.
"""


def detecting(region: Region) -> set[str]:
    """The clusters with the detector."""
    return {addon["cluster_id"] for addon in region.store.all("addon", name=DETECTOR)}


def _changed(region: Region, name: str) -> None:
    if name == DETECTOR:
        touch(region)


def install(
    region: Region, cluster_id: str, name: str, version: str = "", config: str = ""
) -> Document:
    """Put an add-on into a cluster."""
    addon = {
        "cluster_id": cluster_id,
        "name": name,
        "version": version or VERSIONS.get(name, "1.0.0"),
        "config": config,
        "state": "active",
    }
    region.store.put("addon", f"{cluster_id}:{name}", addon)
    _changed(region, name)
    return addon


def _installed(region: Region, cluster_id: str, name: str) -> Document:
    cluster_of(region, cluster_id)
    addon = region.store.get("addon", f"{cluster_id}:{name}")
    if addon is None:
        raise ApiError(404, "AddonNotFound", f"addon {name} not found")
    return addon


@rest(
    "cs", "GET", "/clusters/{c}/addon_instances/{name}", "GetClusterAddonInstance", resource=_INSIDE
)
def instance(region: Region, request: Request) -> Answer:
    """One add-on that is installed in the cluster."""
    addon = _installed(region, request.vars["c"], request.vars["name"])
    return {k: v for k, v in addon.items() if k != "cluster_id"}


@rest("cs", "GET", "/clusters/{c}/addon_instances", "ListClusterAddonInstances", resource=_INSIDE)
def instances(region: Region, request: Request) -> Answer:
    """All add-ons that are installed in the cluster."""
    cluster_of(region, request.vars["c"])
    rows = region.store.all("addon", cluster_id=request.vars["c"])
    return {
        "addons": [{"name": a["name"], "version": a["version"], "state": a["state"]} for a in rows]
    }


@rest("cs", "GET", "/addons", "ListAddons")
def catalogue(region: Region, request: Request) -> Answer:
    """What can be installed."""
    return {
        "addons": [
            {"name": name, "version": version, **_FIXED} for name, version in VERSIONS.items()
        ]
    }


@rest("cs", "GET", "/addons/{name}", "DescribeAddon")
def describe(region: Region, request: Request) -> Answer:
    """One add-on of the catalogue, in the version asked for; a name of no catalogue is known once
    it is installed.
    """
    name, cluster_id = request.vars["name"], request.query.get("cluster_id", "")
    own = region.store.get("addon", f"{cluster_id}:{name}")
    if name not in VERSIONS and own is None:
        raise ApiError(404, "AddonNotFound", f"addon {name} not found")
    version = request.query.get("version") or (own["version"] if own else VERSIONS[name])
    return {"name": name, "version": version, "newer_versions": [], **_FIXED}


@rest("cs", "POST", "/clusters/{c}/components/install", "InstallClusterAddons", resource=_INSIDE)
def install_addons(region: Region, request: Request) -> Answer:
    """Install one or more add-ons."""
    cluster_id = cluster_of(region, request.vars["c"])["cluster_id"]
    for row in request.json:
        install(region, cluster_id, row["name"], row.get("version", ""), row.get("config", ""))
        collect_logs(region, cluster_id, row["name"], row.get("config", ""))
    return _started(region, cluster_id, "addon_install")


def _started(region: Region, cluster_id: str, task_type: str) -> Answer:
    return {
        "cluster_id": cluster_id,
        "task_id": start_task(region, task_type, cluster_id)["task_id"],
        "request_id": request_id(),
    }


@rest("cs", "POST", "/clusters/{c}/components/upgrade", "UpgradeClusterAddons", resource=_INSIDE)
def upgrade(region: Region, request: Request) -> Answer:
    """Another version, possibly another configuration."""
    for row in request.json:
        addon = _installed(
            region, request.vars["c"], row.get("component_name") or row.get("name", "")
        )
        install(
            region,
            request.vars["c"],
            addon["name"],
            row.get("next_version") or addon["version"],
            row.get("config") or addon["config"],
        )
    return _started(region, request.vars["c"], "addon_upgrade")


@rest(
    "cs", "POST", "/clusters/{c}/components/uninstall", "UnInstallClusterAddons", resource=_INSIDE
)
def uninstall(region: Region, request: Request) -> Answer:
    """Remove add-ons from the cluster."""
    for row in request.json:
        addon = _installed(region, request.vars["c"], row.get("name", ""))
        region.store.delete("addon", f"{request.vars['c']}:{addon['name']}")
        _changed(region, addon["name"])
    return _started(region, request.vars["c"], "addon_uninstall")


@rest(
    "cs", "POST", "/clusters/{c}/components/{name}/config", "ModifyClusterAddon", resource=_INSIDE
)
def configure(region: Region, request: Request) -> Answer:
    """A new configuration; the answer says nothing."""
    addon = _installed(region, request.vars["c"], request.vars["name"])
    install(
        region, request.vars["c"], addon["name"], addon["version"], request.json.get("config", "")
    )
    _started(region, request.vars["c"], "addon_config")
    return {}


@rest(
    "cs",
    "GET",
    "/clusters/{c}/components/upgradestatus",
    "DescribeClusterAddonsUpgradeStatus",
    resource=_INSIDE,
)
def upgrade_status(region: Region, request: Request) -> Answer:
    """How far the change of each named add-on is; keyed by name."""
    try:
        names = json.loads(request.query.get("componentIds", "[]"))
    except ValueError:
        names = request.query["componentIds"].split(",")
    rows = [_installed(region, request.vars["c"], name) for name in names]
    return {
        a["name"]: {
            "addon_info": {"version": a["version"]},
            "can_upgrade": False,
            "tasks": {"status": "Success"},
        }
        for a in rows
    }


@rest("cs", "POST", "/cluster/{c}/autoscale/config/", "CreateAutoscalingConfig", resource=_INSIDE)
def autoscaling(region: Region, request: Request) -> Answer:
    """How the cluster's node autoscaler behaves; the node autoscaler of the lab reads it from the
    control API.
    """
    cluster = cluster_of(region, request.vars["c"])
    cluster["autoscaling_config"] = request.json
    region.store.put("cluster", cluster["cluster_id"], cluster)
    return {}


COLLECTORS = ("loongcollector", "logtail-ds")


INGRESS_STORE = "nginx-ingress"


def collect_logs(region: Region, cluster_id: str, addon: str, config: str) -> None:
    """A log collector brings its project; with the ingress dashboard on, the ingress log's store as
    well.
    """
    settings = json.loads(config or "{}")
    if addon not in COLLECTORS:
        return
    project = settings.get("sls_project_name") or f"k8s-log-{cluster_id}"
    if region.store.get("log_project", project) is None:
        make_project(region, project)
    if str(settings.get("IngressDashboardEnabled")).lower() == "true" and not region.store.get(
        "logstore", f"{project}:{INGRESS_STORE}"
    ):
        store = make_store(region, project, INGRESS_STORE)
        region.store.put(
            "logstore", f"{project}:{INGRESS_STORE}", {**store, "index": ingress_index()}
        )


_TEXTS = (
    "client_ip",
    "method",
    "url",
    "version",
    "host",
    "proxy_upstream_name",
    "proxy_alternative_upstream_name",
    "slb_pool_name",
    "upstream_addr",
    "req_id",
)


_NUMBERS = {
    "status": "long",
    "body_bytes_sent": "long",
    "request_length": "long",
    "request_time": "double",
    "upstream_response_time": "double",
}


def ingress_index() -> Document:
    """The field index of the ingress access log, as ACK makes it."""
    token = [
        ",",
        " ",
        "'",
        '"',
        ";",
        "=",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "?",
        "@",
        "&",
        "<",
        ">",
        "/",
        ":",
        "\n",
        "\t",
        "\r",
    ]
    keys: dict[str, Any] = {
        name: {"type": "text", "caseSensitive": False, "doc_value": True, "token": token}
        for name in _TEXTS
    }
    keys.update({name: {"type": kind, "doc_value": True} for name, kind in _NUMBERS.items()})
    return {"line": {"caseSensitive": False, "token": token}, "keys": keys, "ttl": 30}
