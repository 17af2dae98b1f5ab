"""TensorFlow Serving: namespace, model config, Deployment with its pod, Service, disruption budget,
network policy (tutorial step 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input
from pulumi_kubernetes.core import v1

from components.adoption import adoption
from components.component import Component, with_aliases
from components.serving import restricted
from settings import names
from settings.adopt import Adoption
from settings.catalog import gpu
from settings.entry import EntrySettings
from settings.model import ModelSettings
from settings.names import GRPC_PORT, REST_PORT
from settings.server import ServerSettings

CONFIG_FILE = "models.config"
MONITORING_FILE = "monitoring.config"
MONITORING = 'prometheus_config {\n  enable: true\n  path: "/monitoring/prometheus/metrics"\n}\n'
"""TensorFlow Serving's monitoring_config_file: its metrics page, on the REST port. The ingress
leads to /v1/models only.
"""
CONFIG_DIRECTORY = "/etc/tensorflow-serving"
PROBE_SECONDS = 5
"""Period of the startup and the readiness probe."""
ARENA_FIELDS = {
    "ARENA_NODE_NAME": "spec.nodeName",
    "ARENA_POD_NAMESPACE": "metadata.namespace",
    "ARENA_POD_NAME": "metadata.name",
    "ARENA_POD_IP": "status.podIP",
}
"""Environment variables that Arena sets, and the pod fields that they hold."""


@dataclass(frozen=True)
class ModelServerArgs:
    """Inputs of ModelServer."""

    settings: ServerSettings
    """Group `server`."""
    model: ModelSettings
    """Group `model`: name and version of the model, and where its volume is mounted."""
    base_path: Input[str]
    """Directory in the container in which TensorFlow Serving finds the version's directory: the
    setting `model.path`, or one below it for content that replaces another of the same version.
    """
    entry: EntrySettings
    """Group `entry`: who may call the REST port, and the time limit of a call."""
    counts_requests: bool
    """Whether the pods have a metrics page, from which the interruption handler reads what they
    serve.
    """
    instance_types: Sequence[str]
    """Instance types of the nodes, for a warning when the image doesn't run well on them."""
    namespace: Input[str]
    """Namespace of all resources of the component."""
    claim_name: Input[str]
    """Claim of the model's volume."""
    node_pool_id: Input[str]
    """Node pool of the pods, noted on the Deployment."""
    node_selector: Input[Mapping[str, str]]
    """Labels of the nodes to run on."""
    tolerations: Input[Sequence[Input[v1.TolerationArgsDict]]]
    """Tolerations for these nodes' taints."""


class ModelServer(Component):
    """TensorFlow Serving as Arena would name and label it, with what Arena leaves out: probes on
    the model itself, a graceful stop, spread, a disruption budget, a network policy and a
    locked-down pod.

    `replicas` is never sent: the HPA owns it. Deployment and Service keep their names, because the
    ingress route carries them.
    """

    deployment_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    """Name of the Service, known once the Deployment is ready."""

    def __init__(
        self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:ModelServer", name, opts)
        warning = gpu.image_warning(args.settings.image, args.instance_types)
        if warning:
            pulumi.log.warn(warning, self)
        self._physical_name = names.deployment(args.settings.name, args.settings.version)
        self._selector = names.serving_labels(args.settings.name, args.settings.version)
        deployment = self._deployment(args, self._model_config(args))
        self.deployment_name = deployment.metadata.name
        service = self._service(args, deployment)
        self.service_name = service.metadata.name
        self._disruption_budget(args)
        self._network_policy(args)
        self.register_outputs(
            {"deployment_name": self.deployment_name, "service_name": self.service_name}
        )

    def _model_config(self, args: ModelServerArgs) -> kubernetes.core.v1.ConfigMap:
        """Named after its content: a changed config is a new object, and the pods roll to it."""
        more = {MONITORING_FILE: MONITORING} if args.counts_requests else {}
        text = pulumi.Output.from_input(args.base_path).apply(
            lambda path: model_config(args.model, path)
        )
        return kubernetes.core.v1.ConfigMap(
            self.child_name("config"),
            metadata={
                "name": text.apply(
                    lambda known: (
                        f"{self._physical_name[:50]}-{names.digest([known, more] if more else known)}"
                    )
                ),
                "namespace": args.namespace,
                "labels": self._labels(args),
            },
            data={CONFIG_FILE: text, **more},
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _deployment(
        self, args: ModelServerArgs, config: kubernetes.core.v1.ConfigMap
    ) -> kubernetes.apps.v1.Deployment:
        settings, labels = args.settings, self._labels(args)
        surge = settings.rollout == "surge"
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": self._physical_name,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": {
                    "pulumi.com/timeoutSeconds": str(settings.ready_seconds),
                    "alibabacloud.com/nodepool-id": args.node_pool_id,
                },
            },
            spec={
                "selector": {"match_labels": self._selector},
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {
                        "max_surge": int(surge),
                        "max_unavailable": int(not surge),
                    },
                },
                "revision_history_limit": 3,
                "progress_deadline_seconds": settings.ready_seconds,
                "template": {
                    "metadata": _pod_metadata(args, labels),
                    "spec": _pod(args, config.metadata.name, self._selector),
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _service(
        self, args: ModelServerArgs, deployment: kubernetes.apps.v1.Deployment
    ) -> kubernetes.core.v1.Service:
        """Takes its selector from the finished Deployment, so that it only selects pods that are
        ready. No run waits for it: the provider would watch the endpoints of a Service for ten
        seconds (its pkg/await/service.go), and the Ingress, which comes next, waits for them
        anyway.
        """
        return kubernetes.core.v1.Service(
            self.child_name("service"),
            metadata={
                "name": self._physical_name,
                "namespace": args.namespace,
                "labels": self._labels(args),
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": deployment.spec.selector.match_labels,
                "ports": [
                    {
                        "name": "grpc-serving",
                        "port": GRPC_PORT,
                        "target_port": GRPC_PORT,
                        "protocol": "TCP",
                    },
                    {
                        "name": "http-serving",
                        "port": REST_PORT,
                        "target_port": REST_PORT,
                        "protocol": "TCP",
                    },
                ],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _disruption_budget(self, args: ModelServerArgs) -> None:
        kubernetes.policy.v1.PodDisruptionBudget(
            self.child_name("budget"),
            metadata={"namespace": args.namespace, "labels": self._labels(args)},
            spec={
                "max_unavailable": 1,
                "selector": {"match_labels": self._selector},
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _network_policy(self, args: ModelServerArgs) -> None:
        """Only pods that are named, or the load balancer's addresses, reach the server, each its
        own port.
        """
        kubernetes.networking.v1.NetworkPolicy(
            self.child_name("network"),
            metadata={"namespace": args.namespace, "labels": self._labels(args)},
            spec={
                "pod_selector": {"match_labels": self._selector},
                "policy_types": ["Ingress", "Egress"],
                "egress": [],
                "ingress": _admitted(args),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _labels(self, args: ModelServerArgs) -> dict[str, str]:
        """What `arena serve list` looks for."""
        return {
            **self._selector,
            "heritage": "pulumi",
            "servingName": args.settings.name,
            "servingType": "tf-serving",
            "servingVersion": args.settings.version,
            "serviceName": self._physical_name,
        }


def model_config(model: ModelSettings, base_path: str) -> str:
    """TensorFlow Serving's model_config_file. `specific` serves the version of the settings and no
    other, whatever else lies in the bucket.
    """
    return (
        f'model_config_list {{\n  config {{\n    name: "{model.name}"\n    base_path: "{base_path}"\n    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ specific {{ versions: {model.version} }} }}\n  }}\n}}\n"
    )


def _admitted(
    args: ModelServerArgs,
) -> list[kubernetes.networking.v1.NetworkPolicyIngressRuleArgsDict]:
    """The entry, the interruption handler where it reads what the pods serve, and the clients of
    the settings.
    """
    rest: kubernetes.networking.v1.NetworkPolicyPortArgsDict = {
        "port": REST_PORT,
        "protocol": "TCP",
    }
    rules: list[kubernetes.networking.v1.NetworkPolicyIngressRuleArgsDict] = [
        {"from_": _ingress_peers(args.entry), "ports": [rest]}
    ]
    if args.counts_requests:
        handler = names.handler_labels(args.settings.name)
        rules.append({"from_": [{"pod_selector": {"match_labels": handler}}], "ports": [rest]})
    if args.settings.clients:
        rules.append(
            {
                "from_": [_pods(one.labels, one.namespace) for one in args.settings.clients],
                "ports": [{"port": GRPC_PORT, "protocol": "TCP"}, rest],
            }
        )
    return rules


def _pods(
    labels: Mapping[str, str], namespace: str | None
) -> kubernetes.networking.v1.NetworkPolicyPeerArgsDict:
    """Pods with these labels in the namespace of that name, or in the stack's own."""
    peer: kubernetes.networking.v1.NetworkPolicyPeerArgsDict = {
        "pod_selector": {"match_labels": labels}
    }
    if namespace:
        peer["namespace_selector"] = {"match_labels": {"kubernetes.io/metadata.name": namespace}}
    return peer


def _ingress_peers(
    entry: EntrySettings,
) -> Sequence[kubernetes.networking.v1.NetworkPolicyPeerArgsDict]:
    """Who calls the REST port on behalf of clients: the pods of the ingress controller, or the
    addresses of the load balancer.
    """
    if entry.kind == "alb":
        return [{"ip_block": {"cidr": cidr}} for cidr in entry.source_cidrs]
    return [_pods(entry.controller_labels, entry.controller_namespace)]


def _pod_metadata(
    args: ModelServerArgs, labels: Mapping[str, str]
) -> kubernetes.meta.v1.ObjectMetaArgsDict:
    """Labels of the pods and, where the image's tag doesn't tell it, an annotation with the
    TensorFlow version in the image.
    """
    metadata: kubernetes.meta.v1.ObjectMetaArgsDict = {
        "labels": {**labels, "modelName": args.model.name, "modelVersion": args.model.version}
    }
    if args.settings.tensorflow:
        metadata["annotations"] = {names.TENSORFLOW_ANNOTATION: args.settings.tensorflow}
    return metadata


def _pod(
    args: ModelServerArgs, config_name: Input[str], selector: dict[str, str]
) -> v1.PodSpecArgsDict:
    """Spec of the pod. It has no emptyDir: ACK's drain skips pods with one."""
    settings = args.settings
    spec: v1.PodSpecArgsDict = {
        "containers": [_container(args)],
        "node_selector": args.node_selector,
        "tolerations": pulumi.Output.from_input(args.tolerations).apply(
            lambda tolerations: [*tolerations, *_unreachable(settings.unreachable_seconds)]
        ),
        "termination_grace_period_seconds": settings.grace_seconds,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": restricted.POD,
        "topology_spread_constraints": [
            _spread(key, selector)
            for key in ("topology.kubernetes.io/zone", "node.alibabacloud.com/spot-strategy")
        ],
        "volumes": [
            {
                "name": "model",
                "persistent_volume_claim": {"claim_name": args.claim_name, "read_only": True},
            },
            {"name": "config", "config_map": {"name": config_name}},
        ],
    }
    if settings.image_pull_secret:
        spec["image_pull_secrets"] = [{"name": settings.image_pull_secret}]
    return spec


def _container(args: ModelServerArgs) -> v1.ContainerArgsDict:
    settings = args.settings
    status = f"/v1/models/{args.model.name}/versions/{args.model.version}"
    gpus = str(settings.gpus)
    return {
        "name": "serving",
        "image": settings.image,
        "image_pull_policy": "IfNotPresent",
        # No shell in between. The server looks at the bucket once a minute, not once a second: the
        # version is pinned, and each look is a LIST request.
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": [
            f"--port={GRPC_PORT}",
            f"--rest_api_port={REST_PORT}",
            f"--model_config_file={CONFIG_DIRECTORY}/{CONFIG_FILE}",
            "--file_system_poll_wait_seconds=60",
            # TensorFlow Serving's own default ends a call after 30 s, whatever the route allows.
            f"--rest_api_timeout_in_ms={args.entry.timeout_seconds * 1000}",
            *(
                [f"--monitoring_config_file={CONFIG_DIRECTORY}/{MONITORING_FILE}"]
                if args.counts_requests
                else []
            ),
        ],
        "ports": [
            {"name": "serving", "container_port": GRPC_PORT},
            {"name": "http-serving", "container_port": REST_PORT},
        ],
        "env": [_field(name, path) for name, path in ARENA_FIELDS.items()],
        "resources": {
            "limits": {"nvidia.com/gpu": gpus, "memory": settings.memory},
            "requests": {"nvidia.com/gpu": gpus, "cpu": settings.cpu, "memory": settings.memory},
        },
        # The ports open only once the model is loaded. The status page answers 200 for an unloaded
        # version too, the metadata page does not: readiness asks for the metadata.
        "startup_probe": _probe(
            status, PROBE_SECONDS, -(-settings.startup_seconds // PROBE_SECONDS)
        ),
        "readiness_probe": _probe(f"{status}/metadata", PROBE_SECONDS, 2),
        "liveness_probe": _probe(status, 10, 6),
        # TensorFlow Serving ignores SIGTERM: it keeps serving during the sleep, and SIGKILL ends
        # it. The native sleep needs no binary in the image, and a cluster too old for it refuses
        # the pod; a missing `sleep` binary would go unnoticed and cut requests.
        "lifecycle": {"pre_stop": {"sleep": {"seconds": settings.pre_stop_seconds}}},
        "security_context": restricted.CONTAINER,
        "volume_mounts": [
            {"name": "model", "mount_path": args.model.mount_path, "read_only": True},
            {"name": "config", "mount_path": CONFIG_DIRECTORY, "read_only": True},
        ],
    }


def _probe(path: str, period: int, failures: int) -> v1.ProbeArgsDict:
    return {
        "http_get": {"path": path, "port": REST_PORT},
        "period_seconds": period,
        "timeout_seconds": 3,
        "failure_threshold": failures,
    }


def _spread(key: str, selector: dict[str, str]) -> v1.TopologySpreadConstraintArgsDict:
    """Spreads the pods of one revision without keeping any from starting. Cordoned nodes don't
    count, nor do detached pods, which have lost the label of their revision.
    """
    return {
        "topology_key": key,
        "max_skew": 1,
        "when_unsatisfiable": "ScheduleAnyway",
        "label_selector": {"match_labels": selector},
        "match_label_keys": ["pod-template-hash"],
        "node_taints_policy": "Honor",
    }


def _unreachable(seconds: int) -> list[v1.TolerationArgsDict]:
    """Tolerations of unreachable nodes. Without them Kubernetes adds its own, of 300 seconds."""
    return [
        {
            "key": f"node.kubernetes.io/{condition}",
            "operator": "Exists",
            "effect": "NoExecute",
            "toleration_seconds": seconds,
        }
        for condition in ("not-ready", "unreachable")
    ]


def _field(name: str, path: str) -> v1.EnvVarArgsDict:
    return {"name": name, "value_from": {"field_ref": {"field_path": path}}}


def serving_namespace(
    name: str,
    physical_name: str,
    opts: pulumi.ResourceOptions,
    after: pulumi.Resource,
    adopt: Adoption | None,
) -> pulumi.Output[str]:
    """Creates the namespace of volume claim, server, autoscaler and ingress, and returns its name.
    It enforces the pod security level restricted.

    after: the component that configured the node scaler, which the node pool depends on as well.
    The engine then deletes namespace and pool side by side instead of one after the other; each
    takes more than five seconds. adopt: the namespace exists already and is taken over; its import
    id is its name.
    """
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    if adopt:
        labels["kubernetes.io/metadata.name"] = physical_name  # the API server's own label
    options = pulumi.ResourceOptions(
        depends_on=[after],
        ignore_changes=["spec"] if adopt else None,  # the API server's finalizer
    )
    for more in (with_aliases(opts), adoption(adopt, "this stack")):
        options = pulumi.ResourceOptions.merge(options, more)
    namespace = kubernetes.core.v1.Namespace(
        name, metadata={"name": physical_name, "labels": labels}, opts=options
    )
    return namespace.metadata.name
