"""ACK elastic inference as one graph: the tutorial's steps from top to bottom
(docs/tutorial.md).
"""

from components import by_hand, plugins

plugins.start_early()  # while the imports below load
engine_state = by_hand.read_early()

import pulumi

from components.compute import lookups
from components.compute.cluster_autoscaler import ClusterAutoscaler, ClusterAutoscalerArgs
from components.compute.node_pool import NodePool, NodePoolArgs
from components.compute.prerequisites import cluster_prerequisites
from components.console import console_links
from components.serving.counted_log import counted_log
from components.serving.gpu_scale_up_trigger import GpuScaleUpTrigger, GpuScaleUpTriggerArgs
from components.serving.headroom import Headroom, HeadroomArgs
from components.serving.horizontal_pod_autoscaler import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerArgs,
)
from components.serving.ingress_endpoint import IngressEndpoint, IngressEndpointArgs
from components.serving.interruption_handler import InterruptionHandler, InterruptionHandlerArgs
from components.serving.model_server import ModelServer, ModelServerArgs, serving_namespace
from components.serving.notice_access import NoticeAccessArgs
from components.storage.model_access import ModelAccess, ModelAccessArgs
from components.storage.model_store import ModelStore, ModelStoreArgs
from components.storage.model_volume import ModelVolume, ModelVolumeArgs
from settings.current import current

stack = current()
engine_state.refuse_unsafe(stack.cluster.account_id, lambda: lookups.account(stack))

# Prerequisites: an existing cluster or a new one, and its node scaler.
cluster = cluster_prerequisites(stack)
k8s_opts = cluster.k8s_opts
node_scaler = ClusterAutoscaler(
    "cluster",
    ClusterAutoscalerArgs(settings=stack.node_scaler, cluster_id=cluster.cluster_id),
)

# Step 1: the elastic GPU node pool, preemptible with a pay-as-you-go share.
pool = NodePool(
    "pool",
    NodePoolArgs(
        settings=stack.node_pool,
        cluster_id=node_scaler.cluster_id,
        vswitch_ids=cluster.vswitch_ids,
        stack=stack.stack,
        tags=stack.pool_tags,
        resource_group_id=stack.resource_group_id,
        adopt=stack.adopted_node_pool,
    ),
)

# Step 2: the model in OSS.
store = ModelStore(
    "models",
    ModelStoreArgs(
        settings=stack.model_store,
        model=stack.model,
        tensorflow=stack.server.tensorflow_version,
        bucket=stack.bucket_name,
        region=stack.region,
        tags=stack.all_tags,
        access_log=stack.access_log_bucket,
        resource_group_id=stack.resource_group_id,
        adopt=stack.adopted_bucket,
    ),
)

# Step 3: the volume on it, read with an identity instead of keys.
access = ModelAccess(
    "access",
    ModelAccessArgs(
        role_name=stack.reader_role_name,
        policy_name=stack.ram_name("read"),
        oidc_issuer=cluster.rrsa.issuer,
        oidc_provider_arn=cluster.rrsa.provider_arn,
        bucket=store.bucket,
        prefix=stack.model.volume_prefix,
        tags=stack.all_tags,
        adopt=stack.adopted_role,
    ),
)
namespace = serving_namespace(
    "namespace", stack.namespace, k8s_opts, after=node_scaler, adopt=stack.adopted_namespace
)
volume = ModelVolume(
    "volume",
    ModelVolumeArgs(
        settings=stack.model,
        namespace=namespace,
        bucket=store.bucket,
        model_path=store.model.path,
        model_digest=store.model.digest,
        role_name=access.role_name,
        region=stack.region,
    ),
    k8s_opts,
)

# Step 4: TensorFlow Serving on the pool's nodes.
server = ModelServer(
    "server",
    ModelServerArgs(
        settings=stack.server,
        model=stack.model,
        base_path=store.model.base_path,
        entry=stack.entry,
        counts_requests=stack.autoscaler.outage_replicas is not None and stack.interruption.enabled,
        instance_types=stack.node_pool.instance_types,
        namespace=namespace,
        claim_name=volume.claim_name,
        node_pool_id=pool.node_pool_id,
        node_selector=pool.selector,
        tolerations=pool.tolerations,
    ),
    k8s_opts,
)

# Step 5: the HorizontalPodAutoscaler on ingress QPS, and the log in which they are counted.
log_store = counted_log(stack, cluster, k8s_opts)
autoscaler = HorizontalPodAutoscaler(
    "autoscaler",
    HorizontalPodAutoscalerArgs(
        settings=stack.autoscaler,
        name=stack.hpa_name,
        namespace=namespace,
        deployment_name=server.deployment_name,
        route=stack.route,
        ingress_kind=stack.entry.kind,
        log_project=cluster.log_project,
        log_store=log_store,
        kubernetes_version=cluster.kubernetes_version,
    ),
    k8s_opts,
)

# Beyond the tutorial: pods leave nodes that are reclaimed, warm nodes, GPU nodes without a wait.
InterruptionHandler(
    "interruption",
    InterruptionHandlerArgs(
        settings=stack.interruption,
        mix=stack.mix,
        node_pool=stack.node_pool,
        autoscaler=stack.autoscaler,
        server=stack.server,
        hpa=stack.hpa_name,
        namespace=namespace,
        own_namespace=stack.handler_namespace,
        after=node_scaler,
        pool_labels=pool.own_labels,
        node_labels=pool.stack_labels,
        ecs=NoticeAccessArgs(
            role_name=stack.ram_name("notice"),
            policy_name=stack.ram_name("notice"),
            oidc_issuer=cluster.rrsa.issuer,
            oidc_provider_arn=cluster.rrsa.provider_arn,
            region=stack.region,
            tags=stack.all_tags,
        ),
    ),
    k8s_opts,
)
Headroom(
    "headroom",
    HeadroomArgs(
        settings=stack.headroom,
        server=stack.server,
        pods_per_node=stack.pods_per_node,
        namespace=namespace,
        node_selector=pool.selector,
        tolerations=pool.tolerations,
    ),
    k8s_opts,
)
GpuScaleUpTrigger(
    "herald",
    GpuScaleUpTriggerArgs(
        settings=stack.node_scaler,
        namespace=namespace,
        name=stack.server.name,
        image=stack.headroom.image,
    ),
    k8s_opts,
)

# Steps 6 and 7: the Internet-facing endpoint and its address.
entry = IngressEndpoint(
    "entry",
    IngressEndpointArgs(
        settings=stack.entry,
        namespace=namespace,
        service_name=server.service_name,
        model_name=stack.model.name,
        tls_certificate=stack.tls_certificate,
        tls_private_key=stack.tls_private_key,
        htpasswd=stack.htpasswd,
    ),
    k8s_opts,
)

# Steps 8 and 9: what a stress test and a look at the result need.
for name, value in {
    "endpoint": entry.endpoint,
    "predictUrl": entry.predict_url,
    "ingressAddress": entry.address,
    "nodePoolId": pool.node_pool_id,
    "bucket": store.bucket,
    "modelDigest": store.model.digest,
    "modelPath": store.model.path,
    "namespace": namespace,
    "deployment": server.deployment_name,
    "hpaName": autoscaler.hpa_name,
    "route": stack.route,
    "clusterId": cluster.cluster_id,
    "consoleLinks": console_links(stack, cluster, pool.node_pool_id, store.bucket),
}.items():
    pulumi.export(name, value)
