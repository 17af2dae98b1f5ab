"""Container service: credentials of a cluster, and small reads around it."""

from __future__ import annotations

from lab.alicloud.auth.credentials import random_text
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request, Response, json_response
from lab.alicloud.registry import rest
from lab.alicloud.services.cs.cluster_document import API_SERVER, audit_of, cluster_of
from lab.alicloud.services.cs.tasks import start_task
from lab.alicloud.state import Region

_NEEDED = ("certificate-authority-data", "client-certificate-data", "client-key-data")
_YEARS = 3 * 365 * 86400


@rest("cs", "GET", "/k8s/{c}/user_config", "DescribeClusterUserKubeconfig", resource="cluster/{c}")
def user_config(region: Region, request: Request) -> Answer:
    """The kubeconfig; an error, never an empty one, while there is none: clients crash on a
    kubeconfig without certificates.
    """
    cluster_of(region, request.vars["c"])
    path = region.home / "kubeconfig"
    text = path.read_text() if path.exists() else ""
    missing = [name for name in _NEEDED if name + ":" not in text.replace('"', "")]
    if missing:
        raise ApiError(
            400,
            "ErrorKubeconfigNotReady",
            f"the cluster has no kubeconfig yet: {', '.join(missing)} missing",
        )
    minutes = request.query.get("TemporaryDurationMinutes", "")
    seconds = int(minutes) * 60 if minutes.isdigit() and int(minutes) else _YEARS
    start = region.clock.now() if seconds != _YEARS else path.stat().st_mtime
    if seconds != _YEARS:  # each one is another credential; a client compares the texts
        text += f"\n# temporary, {random_text(12)}, until {iso(start + seconds)}\n"
    return {"config": text, "expiration": iso(start + seconds)}


@rest("cs", "GET", "/clusters/{c}/resources", "DescribeClusterResources", resource="cluster/{c}")
def resources(region: Region, request: Request) -> Response:
    """What the cluster itself ordered: its load balancer."""
    cluster = cluster_of(region, request.vars["c"])
    cluster_id = cluster["cluster_id"]
    row = {
        "resource_type": "SLB",
        "instance_id": cluster["external_loadbalancer_id"],
        "state": "CREATE_COMPLETE",
    }
    row |= {"resource_info": "", "auto_create": 1}
    return json_response([{"cluster_id": cluster_id, **row}])


@rest("cs", "GET", "/clusters/{c}/endpoints", "DescribeClusterEndpoints", resource="cluster/{c}")
def endpoints(region: Region, request: Request) -> Answer:
    """Where the API server answers."""
    cluster_of(region, request.vars["c"])
    return {
        "api_server_endpoint": API_SERVER,
        "intranet_api_server_endpoint": API_SERVER,
        "dashboard_endpoint": "",
        "mirana_endpoint": "",
    }


@rest(
    "cs",
    "GET",
    "/clusters/{c}/controlplanelog",
    "CheckControlPlaneLogEnable",
    resource="cluster/{c}",
)
def control_plane_log(region: Region, request: Request) -> Answer:
    """Where the control plane logs to."""
    cluster = cluster_of(region, request.vars["c"])
    return cluster.get("controlplane_log") or {"log_project": "", "log_ttl": "30", "components": []}


@rest("cs", "PUT", "/clusters/{c}/controlplanelog", "UpdateControlPlaneLog", resource="cluster/{c}")
def update_control_plane_log(region: Region, request: Request) -> Answer:
    """Another place to log to."""
    cluster = cluster_of(region, request.vars["c"])
    cluster["controlplane_log"] = request.json
    region.store.put("cluster", cluster["cluster_id"], cluster)
    return {
        "cluster_id": cluster["cluster_id"],
        "task_id": start_task(region, "controlplane_log", cluster["cluster_id"])["task_id"],
    }


@rest("cs", "GET", "/clusters/{c}/audit", "GetClusterAuditProject", resource="cluster/{c}")
def audit(region: Region, request: Request) -> Answer:
    """Where the audit log goes."""
    return cluster_of(region, request.vars["c"]).get("audit") or {
        "audit_enabled": False,
        "sls_project_name": "",
    }


@rest("cs", "PUT", "/clusters/{c}/audit_log", "UpdateClusterAuditLogConfig", resource="cluster/{c}")
def update_audit(region: Region, request: Request) -> Answer:
    """Switch the audit log on or off."""
    cluster = cluster_of(region, request.vars["c"])
    wanted = {"enabled": not request.json.get("disable", False), **request.json}
    cluster["audit"] = audit_of(cluster["cluster_id"], wanted)
    region.store.put("cluster", cluster["cluster_id"], cluster)
    return {
        "cluster_id": cluster["cluster_id"],
        "task_id": start_task(region, "audit_log", cluster["cluster_id"])["task_id"],
    }


@rest("cs", "PUT", "/clusters/{c}/kms", "UpdateKMSEncryption", resource="cluster/{c}")
def update_encryption(region: Region, request: Request) -> Answer:
    """Encrypt the cluster's Secrets by another key, or by none; the answer says nothing."""
    cluster = cluster_of(region, request.vars["c"])
    disable = request.json.get("disable_encryption", False)
    key = request.json.get("kms_key_id") or cluster.get("kms_key", "")
    if not disable and not key:
        raise ApiError(400, "ErrorUpdateKMSEncryption", "kms_key_id is required")
    cluster["kms_key"] = "" if disable else key
    region.store.put("cluster", cluster["cluster_id"], cluster)
    return {}


@rest("cs", "POST", "/clusters/{c}/tags", "ModifyClusterTags", resource="cluster/{c}")
def tags(region: Region, request: Request) -> Answer:
    """Replace the cluster's tags; the answer says nothing."""
    cluster = cluster_of(region, request.vars["c"])
    cluster["tags"] = request.json
    region.store.put("cluster", cluster["cluster_id"], cluster)
    return {}


@rest("cs", "GET", "/api/v1/metadata/versions", "DescribeKubernetesVersionMetadata")
def versions(region: Region, request: Request) -> Response:
    """The Kubernetes versions on offer."""
    return json_response(
        [
            {
                "version": "1.36.3-aliyun.1",
                "creatable": True,
                "runtimes": [{"name": "containerd", "version": "2.1.3"}],
            }
        ]
    )
