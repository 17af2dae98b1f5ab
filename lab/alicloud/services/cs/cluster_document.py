"""Container service: a cluster as it is kept, and as the API answers it."""

from __future__ import annotations

import json
from typing import Any

from lab.alicloud.clock import iso
from lab.alicloud.documents import all_instances
from lab.alicloud.protocol import Answer, ApiError
from lab.alicloud.services.ims import make_provider
from lab.alicloud.state import Region
from lab.alicloud.store import Document

API_SERVER = "https://10.0.0.10:6443"


DEFAULT_VERSION = "1.36.3-aliyun.1"


_HIDDEN = (
    "rrsa",
    "autoscaling_config",
    "audit",
    "controlplane_log",
    "kms_key",
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


def cluster_of(region: Region, cluster_id: str) -> Document:
    """A cluster, or the service's error."""
    cluster = region.store.get("cluster", cluster_id)
    if cluster is None:
        raise ApiError(404, "ErrorClusterNotFound", f"cluster not found, cluster id: {cluster_id}")
    return cluster


def make_cluster(region: Region, cluster_id: str, wanted: Document, state: str) -> Document:
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
        "kms_key": wanted.get("encryption_provider_key") or "",
        "audit": audit_of(cluster_id, wanted.get("audit_log_config") or {}),
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
        enable_rrsa(region, cluster_id)
    return cluster


def audit_of(cluster_id: str, wanted: Document) -> Document:
    """Where a cluster's audit log goes: into the cluster's own log project unless another is named
    (CreateCluster, `audit_log_config`).
    """
    enabled = bool(wanted.get("enabled"))
    own = f"k8s-log-{cluster_id}" if enabled else ""
    return {"audit_enabled": enabled, "sls_project_name": wanted.get("sls_project_name") or own}


def enable_rrsa(region: Region, cluster_id: str) -> None:
    """Registers the OIDC provider by which the cluster's service accounts assume RAM roles."""
    make_provider(
        region, f"ack-rrsa-{cluster_id}", issuer_of(region, cluster_id), "sts.aliyuncs.com"
    )


def shown(region: Region, cluster: Document) -> Answer:
    """The cluster as the API answers it."""
    cluster_id = cluster["cluster_id"]
    rrsa: dict[str, Any] = {"enabled": cluster["rrsa"]}
    if cluster["rrsa"]:
        name = f"ack-rrsa-{cluster_id}"
        rrsa.update(
            issuer=issuer_of(region, cluster_id), audience="sts.aliyuncs.com", oidc_name=name
        )
        rrsa["oidc_arn"] = f"acs:ram::{region.account}:oidc-provider/{name}"
    capabilities: dict[str, Any] = {"NodeCIDRMask": cluster["node_cidr_mask"]}
    if cluster.get("kms_key"):
        capabilities |= {"EncryptionKMSKeyId": cluster["kms_key"], "DisableEncryption": False}
    meta = {
        "Capabilities": capabilities,
        "RRSAConfig": rrsa,
        "ExtraCertSAN": [],
    }
    size = sum(
        i["cluster_id"] == cluster_id and i["status"] == "Running" for i in all_instances(region)
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
