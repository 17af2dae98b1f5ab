"""A managed ACK Pro cluster with RRSA, for stacks that don't deploy to an existing one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component

TERWAY = {"IPVlan": "false", "NetworkPolicy": "true", "ENITrunking": "false"}
"""Pods get addresses of the VPC, and network policies hold: with the other network plugin, Flannel,
they would do nothing.
"""
DELETE_WITH_CLUSTER = ("SLB", "ALB", "SLS_Data", "SLS_ControlPlane", "PrivateZone")
"""What ACK made for the cluster and would otherwise leave behind and go on billing: load balancers
and logs.
"""
# The service fills these in. Measured: an auto mode that the program does not name fails every
# later run, a time zone is a difference.
IGNORE_CHANGES = ["autoMode", "timezone"]


@dataclass(frozen=True)
class ManagedClusterArgs:
    """Inputs of ManagedCluster."""

    name: Input[str]
    """Name of the cluster; unique in the account."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches of control plane, nodes and pods."""
    version: Input[str] = "1.34.1-aliyun.1"
    """Kubernetes version."""
    spec: Input[str] = "ack.pro.small"
    """Size of the control plane."""
    service_cidr: Input[str] = "172.21.0.0/20"
    """Addresses of Services."""
    terway_version: Input[str] = ""
    """Version of the network plugin."""
    nat_gateway: Input[bool] = True
    """A way from the nodes to the Internet."""
    public_api: Input[bool] = True
    """Whether the API server answers on the Internet."""
    protect: bool = False
    """Refuse to delete or replace it, here and in ACK."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """Tags of the cluster."""


class ManagedCluster(Component):
    """The control plane alone: nodes come from pools, add-ons from their own resources, because
    what is listed at the creation is never looked at again. The network plugin is the exception: a
    cluster can't be without, nor get another one.
    """

    cluster_id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    """Issuer of the cluster's service account tokens."""
    oidc_provider_arn: pulumi.Output[str]
    """RAM's OIDC provider for that issuer; ACK makes it."""
    worker_role: pulumi.Output[str]
    """RAM role of the nodes."""

    def __init__(
        self, name: str, args: ManagedClusterArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:compute:ManagedCluster", name, opts)
        cluster = alicloud.cs.ManagedKubernetes(
            self.child_name("ack"),
            name=args.name,
            version=args.version,
            cluster_spec=args.spec,
            vswitch_ids=args.vswitch_ids,
            pod_vswitch_ids=args.vswitch_ids,
            service_cidr=args.service_cidr,
            proxy_mode="ipvs",
            new_nat_gateway=args.nat_gateway,
            slb_internet_enabled=args.public_api,
            enable_rrsa=True,
            deletion_protection=args.protect,
            addons=[
                {"name": "terway-eniip", "version": args.terway_version, "config": compact(TERWAY)}
            ],
            delete_options=[
                {"resource_type": kind, "delete_mode": "delete"} for kind in DELETE_WITH_CLUSTER
            ],
            # Else the certificates of an administrator lie in the state in plain text.
            skip_set_certificate_authority=True,
            tags=args.tags,
            opts=self.child(
                protect=args.protect or None,
                ignore_changes=IGNORE_CHANGES,
                custom_timeouts=pulumi.CustomTimeouts(create="45m", update="60m", delete="45m"),
            ),
        )
        self.cluster_id = cluster.id
        self.oidc_issuer = cluster.rrsa_metadata.apply(
            lambda known: known.rrsa_oidc_issuer_url or ""
        )
        self.oidc_provider_arn = cluster.rrsa_metadata.apply(
            lambda known: known.ram_oidc_provider_arn or ""
        )
        self.worker_role = cluster.worker_ram_role_name
        self.finish({"cluster_id": self.cluster_id, "oidc_issuer": self.oidc_issuer})


def compact(settings: Mapping[str, object]) -> str:
    """An add-on's configuration as the provider stores it; any other spelling of the same would
    differ at every run.
    """
    return json.dumps(settings, separators=(",", ":"), sort_keys=True)
