"""A managed ACK Pro cluster with RRSA, for stacks that don't deploy to an existing one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from settings.cluster import CreateSettings

TERWAY = {"IPVlan": "false", "NetworkPolicy": "true", "ENITrunking": "false"}
"""Configuration of the network plugin: pods get addresses of the VPC, and network policies are
enforced. The other network plugin, Flannel, ignores them.
"""
DELETE_WITH_CLUSTER = ("SLB", "ALB", "SLS_Data", "SLS_ControlPlane", "PrivateZone")
"""Resources that ACK creates for the cluster and would otherwise leave behind and bill: load
balancers and logs.
"""
IGNORE_CHANGES = ["autoMode", "timezone"]
"""The service fills them in. Measured: an auto mode that the program does not set fails every later
run, a time zone shows as a difference.
"""
PRIVATE = (
    "only its VPC reaches the cluster's API server (cluster.create.publicApi is false): this run, and every later one, must come from a "
    "machine that the VPC's private addresses can be reached from"
)


@dataclass(frozen=True)
class ManagedClusterArgs:
    """Inputs of ManagedCluster."""

    settings: CreateSettings
    """Group `cluster.create`."""
    name: str
    """Name of the cluster; unique in the account."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches of control plane, nodes and pods."""
    tags: Mapping[str, str]
    """Tags of the cluster."""
    resource_group_id: str | None = None
    """Resource group; None: the account's default one."""


class ManagedCluster(Component):
    """The control plane alone. Nodes come from pools and add-ons from their own resources, because
    the service reads those listed at the creation only once. The network plugin is the exception: a
    cluster can't be without one, nor get another one later.
    """

    cluster_id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    """Issuer of the cluster's service account tokens."""
    oidc_provider_arn: pulumi.Output[str]
    """RAM's OIDC provider for that issuer, which ACK creates."""
    worker_role: pulumi.Output[str]
    """RAM role of the nodes."""
    private_endpoint: pulumi.Output[str]
    """Address of the API server in the VPC."""

    def __init__(
        self, name: str, args: ManagedClusterArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:compute:ManagedCluster", name, opts)
        settings = args.settings
        if not settings.public_api:
            pulumi.log.info(PRIVATE, self)
        cluster = alicloud.cs.ManagedKubernetes(
            self.child_name("ack"),
            name=args.name,
            version=settings.version,
            cluster_spec=settings.spec,
            vswitch_ids=args.vswitch_ids,
            pod_vswitch_ids=args.vswitch_ids,
            service_cidr=settings.service_cidr,
            proxy_mode="ipvs",
            new_nat_gateway=settings.nat_gateway,
            slb_internet_enabled=settings.public_api,
            audit_log_config={"enabled": settings.audit_log},
            encryption_provider_key=settings.secrets_key_id,
            # The provider sends a key only beside an explicit false. Without a key nothing is said:
            # true would ask ACK to end an encryption that others have turned on.
            disable_encryption=False if settings.secrets_key_id else None,
            enable_rrsa=True,
            deletion_protection=settings.protect,
            addons=[
                {
                    "name": "terway-eniip",
                    "version": settings.addon_version("terway-eniip"),
                    "config": compact(TERWAY),
                }
            ],
            delete_options=[
                {"resource_type": name, "delete_mode": "delete"} for name in DELETE_WITH_CLUSTER
            ],
            # Otherwise the certificates of an administrator lie in the state in plain text.
            skip_set_certificate_authority=True,
            tags=args.tags,
            resource_group_id=args.resource_group_id,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=settings.protect or None,
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
        self.private_endpoint = cluster.connections.apply(
            lambda known: (known.api_server_intranet if known else "") or ""
        )
        self.register_outputs({"cluster_id": self.cluster_id, "oidc_issuer": self.oidc_issuer})


def compact(config: Mapping[str, object]) -> str:
    """An add-on's configuration as the provider stores it; any other spelling of the same JSON
    shows a difference at every run.
    """
    return json.dumps(config, separators=(",", ":"), sort_keys=True)
