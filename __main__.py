"""ACK elastic inference as one graph: the tutorial's steps from top to bottom (docs/tutorial.md)."""

import pulumi

from components import settings
from components.autoscaler import Autoscaler, AutoscalerArgs
from components.cluster import Cluster, ClusterArgs, kubernetes_provider
from components.console import console_links
from components.entry import Entry, EntryArgs, network_peers
from components.lookups import look_up
from components.model_access import ModelAccess, ModelAccessArgs
from components.model_server import ModelServer, ModelServerArgs, serving_namespace
from components.model_store import ModelStore, ModelStoreArgs
from components.model_volume import ModelVolume, ModelVolumeArgs
from components.node_pool import NodePool, NodePoolArgs

stack = settings.current()
model = stack.model
facts = look_up(stack)

# What the tutorial takes as given: the cluster, its node scaler, and the way into it.
cluster = Cluster("cluster", ClusterArgs(cluster_id=stack.cluster.id, **stack.node_scaler.plain()))
inside = pulumi.ResourceOptions(provider=kubernetes_provider("ack", stack.cluster.id, facts.kubeconfig))

# Step 1: the elastic GPU node pool, preemptible with a pay-as-you-go share.
pool = NodePool("pool", NodePoolArgs(cluster_id=cluster.cluster_id, stack=stack.stack, tags=stack.all_tags, **stack.node_pool.plain()))

# Step 2: the model in OSS.
store = ModelStore("models", ModelStoreArgs(
    bucket=stack.bucket_name, source=model.source, prefix=model.key_prefix, tags=stack.all_tags, **stack.model_store.plain("bucket")))

# Step 3: the volume on it, read with an identity instead of keys.
access = ModelAccess("access", ModelAccessArgs(
    role_name=stack.ram_name("reader"), policy_name=stack.ram_name("read"), oidc_issuer=facts.oidc_issuer,
    oidc_provider_arn=facts.oidc_provider_arn, bucket=store.bucket, prefix=model.volume_prefix, tags=stack.all_tags))
namespace = serving_namespace("namespace", stack.namespace, inside)
volume = ModelVolume("volume", ModelVolumeArgs(
    namespace=namespace, bucket=store.bucket, model_path=store.model.path, model_digest=store.model.digest, role_name=access.role_name,
    region=stack.region, path=model.mount_path, options=model.volume_options, size=model.volume_size), inside)

# Step 4: TensorFlow Serving on the pool's nodes.
server = ModelServer("server", ModelServerArgs(
    namespace=namespace, claim_name=volume.claim_name, model_name=model.name, model_path=model.path, mount_path=model.mount_path,
    model_version=model.version, node_selector=pool.selector, tolerations=pool.tolerations, node_pool_id=pool.node_pool_id,
    instance_types=stack.node_pool.instance_types, ingress_peers=network_peers(stack.entry), **stack.server.plain()), inside)

# Step 5: the autoscaler on ingress QPS.
autoscaler = Autoscaler("autoscaler", AutoscalerArgs(
    namespace=namespace, deployment_name=server.deployment_name, route=stack.route, name=f"{stack.server.name}-hpa", kind=stack.entry.kind,
    log_project=stack.log_project, **stack.autoscaler.plain("log_project")), inside)

# Steps 6 and 7: the Internet-facing entry and its address.
entry = Entry("entry", EntryArgs(
    namespace=namespace, service_name=server.service_name, model_name=model.name, **stack.entry_secrets,
    **stack.entry.plain("controller_namespace", "source_cidrs")), inside)

# Steps 8 and 9: what a stress test and a look at the result need.
for name, value in {
    "endpoint": entry.endpoint, "predictUrl": entry.predict_url, "nodePoolId": pool.node_pool_id, "bucket": store.bucket,
    "modelDigest": store.model.digest, "modelPath": store.model.path, "namespace": namespace, "deployment": server.deployment_name,
    "hpaName": autoscaler.hpa_name, "route": stack.route, "consoleLinks": console_links(stack, pool.node_pool_id, store.bucket),
}.items():
    pulumi.export(name, value)
