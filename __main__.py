"""ACK elastic inference as one graph: the tutorial's steps from top to bottom
(docs/tutorial.md).
"""

from components import plugins

plugins.start_early()  # while the imports below load

import pulumi

from components.compute.cluster_autoscaler import ClusterAutoscaler, ClusterAutoscalerArgs
from components.compute.node_pool import NodePool, NodePoolArgs
from components.compute.prerequisites import cluster_prerequisites
from components.console import console_links
from components.serving.gpu_scale_up_trigger import GpuScaleUpTrigger, GpuScaleUpTriggerArgs
from components.serving.headroom import Headroom, HeadroomArgs
from components.serving.horizontal_pod_autoscaler import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerArgs,
)
from components.serving.ingress_endpoint import IngressEndpoint, IngressEndpointArgs, network_peers
from components.serving.interruption_handler import InterruptionHandler, InterruptionHandlerArgs
from components.serving.model_server import ModelServer, ModelServerArgs, serving_namespace
from components.storage.model_access import ModelAccess, ModelAccessArgs
from components.storage.model_store import ModelStore, ModelStoreArgs
from components.storage.model_volume import ModelVolume, ModelVolumeArgs
from settings import inputs
from settings.current import current

stack = current()

# What the tutorial takes as given: the cluster (an existing one, or one made here), the way into
# it, its node scaler.
cluster, k8s_opts = cluster_prerequisites(stack)
node_scaler = ClusterAutoscaler(
    "cluster",
    ClusterAutoscalerArgs(
        cluster_id=cluster.cluster_id, **stack.node_scaler.plain("skip_gpu_wait")
    ),
)

# Step 1: the elastic GPU node pool, preemptible with a pay-as-you-go share.
pool = NodePool(
    "pool",
    NodePoolArgs(
        cluster_id=node_scaler.cluster_id, vswitch_ids=cluster.vswitch_ids, **inputs.pool(stack)
    ),
)

# Step 2: the model in OSS.
store = ModelStore("models", ModelStoreArgs(**inputs.store(stack)))

# Step 3: the volume on it, read with an identity instead of keys.
access = ModelAccess(
    "access",
    ModelAccessArgs(
        oidc_issuer=cluster.rrsa.issuer,
        oidc_provider_arn=cluster.rrsa.provider_arn,
        bucket=store.bucket,
        **inputs.access(stack),
    ),
)
namespace = serving_namespace(
    "namespace", stack.namespace, k8s_opts, node_scaler, **inputs.namespace(stack)
)
volume = ModelVolume(
    "volume",
    ModelVolumeArgs(
        namespace=namespace,
        bucket=store.bucket,
        model_path=store.model.path,
        model_digest=store.model.digest,
        role_name=access.role_name,
        **inputs.volume(stack),
    ),
    k8s_opts,
)

# Step 4: TensorFlow Serving on the pool's nodes.
server = ModelServer(
    "server",
    ModelServerArgs(
        namespace=namespace,
        claim_name=volume.claim_name,
        node_selector=pool.selector,
        tolerations=pool.tolerations,
        node_pool_id=pool.node_pool_id,
        ingress_peers=network_peers(stack.entry),
        **inputs.server(stack),
    ),
    k8s_opts,
)

# Step 5: the autoscaler on ingress QPS.
autoscaler = HorizontalPodAutoscaler(
    "autoscaler",
    HorizontalPodAutoscalerArgs(
        namespace=namespace,
        deployment_name=server.deployment_name,
        kubernetes_version=cluster.kubernetes_version,
        log_project=cluster.log_project,
        **inputs.hpa(stack),
    ),
    k8s_opts,
)

# Beyond the tutorial: pods that leave nodes about to go, warm nodes, nodes ordered without a wait.
InterruptionHandler(
    "interruption",
    InterruptionHandlerArgs(
        namespace=namespace, pool_labels=pool.own_labels, **inputs.handler(stack)
    ),
    k8s_opts,
)
Headroom(
    "headroom",
    HeadroomArgs(namespace, pool.selector, pool.tolerations, **inputs.headroom(stack)),
    k8s_opts,
)
GpuScaleUpTrigger("herald", GpuScaleUpTriggerArgs(namespace, **inputs.herald(stack)), k8s_opts)

# Steps 6 and 7: the Internet-facing entry and its address.
entry = IngressEndpoint(
    "entry",
    IngressEndpointArgs(
        namespace=namespace, service_name=server.service_name, **inputs.entry(stack)
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
