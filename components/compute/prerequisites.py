"""What the tutorial takes as given, looked up or made: a cluster, the way into it, its identity
provider, its network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import with_aliases
from components.compute import lookups
from components.compute.addons import Addons, AddonsArgs
from components.compute.managed_cluster import ManagedCluster, ManagedClusterArgs
from components.compute.network import Network, NetworkArgs
from components.compute.system_pool import SystemPool, SystemPoolArgs
from components.serving.metrics_adapter import MetricsAdapter, MetricsAdapterArgs
from settings import Settings, inputs
from settings.cluster import CreateSettings


@dataclass(frozen=True)
class ClusterContext:
    """What the rest of the graph stands on."""

    cluster_id: Input[str]
    """Known once something can run in the cluster."""
    vswitch_ids: Input[Sequence[str]]
    """Where the GPU nodes come."""
    kubernetes_version: str
    """As ACK prints it, such as 1.34.1-aliyun.1."""
    log_project: Input[str]
    """Log project of the ingress."""
    rrsa: lookups.Rrsa
    """How pods prove to RAM who they are."""


def cluster_prerequisites(settings: Settings) -> tuple[ClusterContext, pulumi.ResourceOptions]:
    """An existing cluster, checked, or a new one; and the options of everything inside of it: its
    provider.

    Raises pulumi.RunError with one clear message.
    """
    create = settings.cluster.create
    return create_cluster(settings, create) if create else use_existing_cluster(settings)


def use_existing_cluster(settings: Settings) -> tuple[ClusterContext, pulumi.ResourceOptions]:
    """The cluster that `cluster.id` names."""
    cluster_id = settings.cluster.id
    facts = lookups.look_up(settings)
    k8s_opts = _k8s_opts(cluster_id, facts.kubeconfig)
    rrsa = lookups.look_up_rrsa(settings)  # while the Kubernetes plugin starts
    log_project = settings.autoscaler.log_project or f"k8s-log-{cluster_id}"
    return ClusterContext(
        cluster_id, settings.node_pool.vswitch_ids, facts.kubernetes_version, log_project, rrsa
    ), k8s_opts


def create_cluster(
    settings: Settings, create: CreateSettings
) -> tuple[ClusterContext, pulumi.ResourceOptions]:
    """A cluster from nothing: network, control plane, system nodes, add-ons, each on the one
    before.
    """
    lookups.check_account(settings)
    network = Network("network", NetworkArgs(**inputs.network(settings, create)))
    ids = network.vswitch_ids
    cluster = ManagedCluster(
        "managed", ManagedClusterArgs(vswitch_ids=ids, **inputs.managed_cluster(settings, create))
    )
    nodes = SystemPool(
        "system",
        SystemPoolArgs(
            cluster_id=cluster.cluster_id, vswitch_ids=ids, **inputs.system_pool(settings, create)
        ),
    )
    own = {
        "cluster_id": nodes.cluster_id,
        "worker_role": cluster.worker_role,
        "vswitch_of": network.vswitch_of,
    }
    cluster_id = Addons("addons", AddonsArgs(**own, **inputs.addons(settings, create))).cluster_id
    minutes = settings.cluster.credential_minutes
    credential = alicloud.cs.get_cluster_credential_output(
        cluster_id=cluster.cluster_id, temporary_duration_minutes=minutes
    )
    k8s_opts = _k8s_opts(cluster_id, credential.kube_config)
    if create.metrics_adapter == "chart":
        MetricsAdapter(
            "metrics", MetricsAdapterArgs(**inputs.metrics_adapter(settings, create)), k8s_opts
        )
    log_project = settings.autoscaler.log_project or pulumi.Output.concat("k8s-log-", cluster_id)
    rrsa = lookups.Rrsa(cluster.oidc_issuer, cluster.oidc_provider_arn)
    return ClusterContext(cluster_id, ids, create.version, log_project, rrsa), k8s_opts


def kubernetes_provider(
    name: str, cluster_id: Input[str], kubeconfig: Input[str]
) -> kubernetes.Provider:
    """The provider for everything inside the cluster.

    Not part of the component: a provider belongs to who composes the graph. `cluster_identifier`
    makes a changed kubeconfig (rotated certificate, other address) an update; without it the
    provider and with it every object in the cluster would be replaced.
    """
    return kubernetes.Provider(
        name,
        kubeconfig=pulumi.Output.secret(kubeconfig),
        cluster_identifier=cluster_id,
        opts=with_aliases(None),
    )


def _k8s_opts(cluster_id: Input[str], kubeconfig: Input[str]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=kubernetes_provider("ack", cluster_id, kubeconfig))
