"""Container service: what ACK makes for a cluster beside the cluster itself, and takes away with
it.

A simplification of the lab: it has one control plane, and every cluster that is created is handed
that one. Its kubeconfig is the lab's, its service account tokens come from the lab's issuer, nodes
of its pools register there, and the lab's one scaler, ingress and log shipper work for it as well.
What the cloud API says of it (id, network, state, tasks, add-ons, identity provider, log project)
is its own. So a second cluster is no isolation here, and what a control plane does while it is
being made can't be seen.
"""

from __future__ import annotations

import json
import uuid

from lab.alicloud.services.cs.addons import collect_logs, install
from lab.alicloud.services.ecs.security_groups import make_group
from lab.alicloud.services.load_balancers import forget_balancer, make_balancer, tag_balancer
from lab.alicloud.services.ram.roles import attached, detach, make_role
from lab.alicloud.services.vpc.vswitches import vswitch_of
from lab.alicloud.state import Region
from lab.alicloud.store import Document

BROUGHT = ("csi-plugin", "csi-provisioner", "storage-operator", "managed-coredns")
"""Add-ons that a cluster comes with, in the version of the day."""
_TRUST = {
    "Version": "1",
    "Statement": [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": ["ecs.aliyuncs.com"]},
        }
    ],
}


def prepare(region: Region, cluster_id: str, wanted: Document) -> Document:
    """What CreateCluster was asked for, with what ACK finds out or makes first: network, security
    group, load balancer of the API server, the nodes' role, the issuer.
    """
    switches = wanted.get("vswitch_ids") or []
    network = wanted.get("vpcid") or (vswitch_of(region, switches[0])["VpcId"] if switches else "")
    group = wanted.get("security_group_id")
    if not group:
        group = f"sg-{uuid.uuid4().hex[:20]}"
        make_group(region, group, f"alicloud-cs-auto-created-security-group-{cluster_id}", network)
    role = f"KubernetesWorkerRole-{cluster_id[1:]}"
    make_role(region, role, json.dumps(_TRUST), "The nodes of one ACK cluster")
    balancer = make_balancer(
        region, f"lb-{uuid.uuid4().hex[:20]}", f"ManagedK8SSlbIntranet-{cluster_id}", vpc_id=network
    )["id"]
    tag_balancer(region, balancer, {"ack.aliyun.com": cluster_id})
    first = next((row for row in region.whole.store.all("cluster") if not row.get("made")), None)
    issuer = first["issuer"] if first else ""
    own = {
        "vpcid": network,
        "security_group_id": group,
        "worker_ram_role_name": role,
        "load_balancer": balancer,
    }
    return {**wanted, **own, "issuer": issuer, "made": True}


def install_default_addons(region: Region, cluster_id: str, wanted: Document) -> None:
    """The add-ons a new cluster starts with."""
    asked = {
        addon["name"]: addon for addon in wanted.get("addons") or [] if not addon.get("disabled")
    }
    for name in (*BROUGHT, *asked):
        addon = asked.get(name) or {}
        install(region, cluster_id, name, addon.get("version") or "", addon.get("config") or "")
        collect_logs(region, cluster_id, name, addon.get("config") or "")


def delete_managed(region: Region, cluster: Document) -> None:
    """What goes with a cluster: security group and role always, its log project where the deletion
    says so.
    """
    cluster_id, role = cluster["cluster_id"], cluster["worker_ram_role_name"]
    if not cluster.get("made"):
        return
    for policy in attached(region, "role", role):
        detach(region, "role", role, policy["PolicyType"], policy["PolicyName"])
    region.store.delete("ram_role", role)
    region.store.delete("security_group", cluster["security_group_id"])
    forget_balancer(region, cluster["external_loadbalancer_id"])
    modes = {
        row.get("resource_type"): row.get("delete_mode")
        for row in cluster.get("delete_options") or []
    }
    project = f"k8s-log-{cluster_id}"
    if modes.get("SLS_Data") == "delete" and region.store.get("log_project", project):
        for store in region.store.all("logstore", project=project):
            region.store.delete("logstore", f"{project}:{store['logstoreName']}")
        region.store.sql("DELETE FROM log WHERE project=?", project)
        region.store.delete("log_project", project)


def scaling_of(region: Region, cluster: Document) -> Document | None:
    """The configuration of the lab's one node scaler: that of a cluster that was created, if it has
    one, else the lab's own.
    """
    made = [
        row
        for row in region.store.all("cluster")
        if row.get("made") and row.get("autoscaling_config")
    ]
    return made[-1]["autoscaling_config"] if made else cluster.get("autoscaling_config")
