"""Prerequisites of the tutorial: looks up an existing ACK cluster, or creates one with its network,
system nodes and add-ons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import labelled, with_aliases
from components.compute import lookups
from components.compute.addons import Addons, AddonsArgs
from components.compute.kubeconfig import with_private_server
from components.compute.managed_cluster import ManagedCluster, ManagedClusterArgs
from components.compute.network import Network, NetworkArgs
from components.compute.system_pool import SystemPool, SystemPoolArgs
from components.serving.metrics_adapter import MetricsAdapter, MetricsAdapterArgs
from settings import Settings
from settings.cluster import CreateSettings


@dataclass(frozen=True)
class ClusterContext:
    """The cluster that the rest of the graph deploys to."""

    cluster_id: Input[str]
    """Id of the cluster, known once pods can run in it."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches of the GPU nodes."""
    kubernetes_version: str
    """Kubernetes version as ACK prints it, such as 1.34.1-aliyun.1."""
    log_project: Input[str]
    """Log project of the ingress."""
    rrsa: lookups.Rrsa
    """OIDC provider by which pods of the cluster prove their identity to RAM."""
    k8s_opts: pulumi.ResourceOptions
    """Options of every resource in the cluster: its Kubernetes provider, and the labels that say
    whose it is.
    """


def cluster_prerequisites(settings: Settings) -> ClusterContext:
    """Looks up and checks the existing cluster, or creates one (`cluster.create`). Raises
    pulumi.RunError when the existing cluster can't be used.
    """
    create = settings.cluster.create
    return create_cluster(settings, create) if create else use_existing_cluster(settings)


def use_existing_cluster(settings: Settings) -> ClusterContext:
    """The cluster that `cluster.id` names. Raises pulumi.RunError when it can't be used."""
    cluster_id = settings.cluster.id
    facts = lookups.look_up(settings)
    k8s_opts = _k8s_opts(settings, cluster_id, facts.kubeconfig)
    return ClusterContext(
        cluster_id=cluster_id,
        vswitch_ids=settings.node_pool.vswitch_ids,
        kubernetes_version=facts.kubernetes_version,
        log_project=settings.autoscaler.log_project or f"k8s-log-{cluster_id}",
        rrsa=lookups.look_up_rrsa(settings),  # after the provider: its plugin starts meanwhile
        k8s_opts=k8s_opts,
    )


def create_cluster(settings: Settings, create: CreateSettings) -> ClusterContext:
    """Creates network, control plane, system nodes and add-ons, each after the one before. Raises
    pulumi.RunError when the credentials belong to another account.
    """
    lookups.check_account(settings)
    tags = settings.all_tags
    group = settings.resource_group_id
    network = Network("network", NetworkArgs(create, settings.cluster_name, tags, group))
    vswitch_ids = network.vswitch_ids
    managed = ManagedCluster(
        "managed", ManagedClusterArgs(create, settings.cluster_name, vswitch_ids, tags, group)
    )
    nodes = SystemPool(
        "system", SystemPoolArgs(create, managed.cluster_id, vswitch_ids, tags, group)
    )
    addons = Addons(
        "addons",
        AddonsArgs(
            settings=create,
            ingress_kind=settings.entry.kind,
            cluster_id=nodes.cluster_id,
            worker_role=managed.worker_role,
            vswitch_of=network.vswitch_of,
            policy_name=settings.ram_name("metrics"),
            tags=tags,
        ),
    )
    credential = alicloud.cs.get_cluster_credential_output(
        cluster_id=managed.cluster_id,
        temporary_duration_minutes=settings.cluster.credential_minutes,
    )
    kubeconfig = credential.kube_config
    if settings.cluster.private_api:
        kubeconfig = pulumi.Output.all(
            managed.cluster_id, kubeconfig, managed.private_endpoint
        ).apply(lambda known: with_private_server(*known))
    k8s_opts = _k8s_opts(settings, addons.cluster_id, kubeconfig)
    if create.metrics_adapter == "chart":
        MetricsAdapter("metrics", MetricsAdapterArgs(create, settings.region), k8s_opts)
    return ClusterContext(
        cluster_id=addons.cluster_id,
        vswitch_ids=vswitch_ids,
        kubernetes_version=create.version,
        log_project=settings.autoscaler.log_project
        or pulumi.Output.concat("k8s-log-", addons.cluster_id),
        rrsa=lookups.Rrsa(managed.oidc_issuer, managed.oidc_provider_arn),
        k8s_opts=k8s_opts,
    )


def kubernetes_provider(
    name: str, cluster_id: Input[str], kubeconfig: Input[str]
) -> kubernetes.Provider:
    """The provider of every resource in the cluster.

    `cluster_identifier` makes a changed kubeconfig (rotated certificate, other address) an update;
    without it the provider, and with it every resource in the cluster, would be replaced.
    """
    return kubernetes.Provider(
        name,
        kubeconfig=pulumi.Output.secret(kubeconfig),
        cluster_identifier=cluster_id,
        opts=with_aliases(None),
    )


def _k8s_opts(
    settings: Settings, cluster_id: Input[str], kubeconfig: Input[str]
) -> pulumi.ResourceOptions:
    provider = kubernetes_provider("ack", cluster_id, kubeconfig)
    return pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(provider=provider), labelled(settings.object_labels)
    )
