"""TensorFlow Serving: namespace, model config, Deployment, Service, disruption budget, network
policy (tutorial step 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.adoption import adoption
from components.component import Component, with_aliases
from components.serving import serving_pod
from settings import names
from settings.catalog import gpu


@dataclass(frozen=True)
class ModelServerArgs:
    """Inputs of ModelServer. Defaults are the tutorial's."""

    namespace: Input[str]
    """Namespace of everything here."""
    claim_name: Input[str]
    """Claim of the model's volume."""
    model_version: Input[str]
    """Version directory to serve, and no other."""
    node_selector: Input[Mapping[str, str]]
    """Labels of the nodes to run on."""
    tolerations: Input[Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]]
    """Tolerations for these nodes' taints."""
    node_pool_id: Input[str] = ""
    """Pool of these nodes, noted on the Deployment."""
    model_name: Input[str] = "chnsenticorp"
    """Name of the model in the URL."""
    model_path: Input[str] = "/models/tensorflow"
    """Directory of the version directories."""
    mount_path: Input[str] = "/models"
    """Where the volume is mounted."""
    name: str = "bert-tfserving"
    """Arena's name."""
    version: str = "v1"
    """Arena's version; not the model's."""
    image: str = "tensorflow/serving:1.15.0-gpu"
    """Serving image."""
    tensorflow: str | None = None
    """TensorFlow in the image where its tag doesn't say it, such as 2.15.1-gpu: noted on the
    pods.
    """
    image_pull_secret: Input[str] | None = None
    """Pull secret."""
    gpus: Input[int] = 1
    """GPUs per pod."""
    cpu: Input[str] = "2"
    """CPU request."""
    memory: Input[str] = "8Gi"
    """Memory request and limit."""
    rollout: Input[str] = "surge"
    """surge: new pod first. in-place: old pod goes first."""
    pre_stop_seconds: Input[int] = 15
    """Sleep before the server is killed."""
    grace_seconds: Input[int] = 30
    """Time until SIGKILL."""
    startup_seconds: Input[int] = 1200
    """Time for the model to load."""
    unreachable_seconds: Input[int] = 30
    """Time a node may be out of touch before its pods are replaced."""
    timeout_seconds: Input[int] = 60
    """Time that the server gives one REST call, in seconds: the route's read timeout."""
    ready_seconds: Input[int] = 1800
    """Time the run waits for the pods."""
    instance_types: Sequence[str] = ()
    """Types the pods will run on, to warn when the image doesn't fit them."""
    ingress_peers: Sequence[kubernetes.networking.v1.NetworkPolicyPeerArgsDict] = field(
        default_factory=list
    )
    """Who may call the REST port, as peers of a NetworkPolicy."""


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
        warning = gpu.image_warning(args.image, args.instance_types)
        if warning:
            pulumi.log.warn(warning, self)
        self._physical_name = names.deployment(args.name, args.version)
        self._selector = names.serving_labels(args.name, args.version)
        deployment = self._deployment(args, self._model_config(args))
        self.deployment_name = deployment.metadata.name
        service = self._service(args, deployment)
        self.service_name = service.metadata.name
        self._disruption_budget(args)
        self._network_policy(args)
        self.finish({"deployment_name": self.deployment_name, "service_name": self.service_name})

    def _model_config(self, args: ModelServerArgs) -> kubernetes.core.v1.ConfigMap:
        """Named after its content: a changed config is a new object, and the pods roll to it."""
        text = pulumi.Output.all(args.model_name, args.model_path, args.model_version).apply(
            lambda known: serving_pod.model_config(*known)
        )
        return kubernetes.core.v1.ConfigMap(
            self.child_name("config"),
            metadata={
                "name": text.apply(
                    lambda known: f"{self._physical_name[:50]}-{names.digest(known)}"
                ),
                "namespace": args.namespace,
                "labels": self._labels(args),
            },
            data={serving_pod.CONFIG_FILE: text},
            immutable=True,
            opts=self.child(),
        )

    def _deployment(
        self, args: ModelServerArgs, config: kubernetes.core.v1.ConfigMap
    ) -> kubernetes.apps.v1.Deployment:
        labels = self._labels(args)
        pod_labels = {**labels, "modelName": args.model_name, "modelVersion": args.model_version}
        surge = pulumi.Output.from_input(args.rollout).apply(lambda rollout: rollout == "surge")
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": self._physical_name,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": {**_wait(args), "alibabacloud.com/nodepool-id": args.node_pool_id},
            },
            spec={
                "selector": {"match_labels": self._selector},
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {
                        "max_surge": surge.apply(int),
                        "max_unavailable": surge.apply(lambda known: int(not known)),
                    },
                },
                "revision_history_limit": 3,
                "progress_deadline_seconds": args.ready_seconds,
                "template": {
                    "metadata": _pod_metadata(args, pod_labels),
                    "spec": serving_pod.pod(args, config.metadata.name, self._selector),
                },
            },
            opts=self.child(),
        )

    def _service(
        self, args: ModelServerArgs, deployment: kubernetes.apps.v1.Deployment
    ) -> kubernetes.core.v1.Service:
        """Takes its selector from the finished Deployment, so that it can only select pods that are
        ready, and nothing waits for it: the provider watches every Service's endpoints settle,
        always ten seconds long (its pkg/await/service.go). The Ingress, which comes next, waits
        until the endpoints are there.
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
                        "port": names.GRPC_PORT,
                        "target_port": names.GRPC_PORT,
                        "protocol": "TCP",
                    },
                    {
                        "name": "http-serving",
                        "port": names.REST_PORT,
                        "target_port": names.REST_PORT,
                        "protocol": "TCP",
                    },
                ],
            },
            opts=self.child(),
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
            opts=self.child(),
        )

    def _network_policy(self, args: ModelServerArgs) -> None:
        kubernetes.networking.v1.NetworkPolicy(
            self.child_name("network"),
            metadata={"namespace": args.namespace, "labels": self._labels(args)},
            spec={
                "pod_selector": {"match_labels": self._selector},
                "policy_types": ["Ingress", "Egress"],
                "egress": [],
                "ingress": [
                    {
                        "from_": args.ingress_peers,
                        "ports": [{"port": names.REST_PORT, "protocol": "TCP"}],
                    },
                    {
                        "from_": [{"pod_selector": {}}],
                        "ports": [
                            {"port": port, "protocol": "TCP"}
                            for port in (names.GRPC_PORT, names.REST_PORT)
                        ],
                    },
                ],
            },
            opts=self.child(),
        )

    def _labels(self, args: ModelServerArgs) -> dict[str, str]:
        """What `arena serve list` looks for."""
        return {
            **self._selector,
            "heritage": "pulumi",
            "servingName": args.name,
            "servingType": "tf-serving",
            "servingVersion": args.version,
            "serviceName": self._physical_name,
        }


def _pod_metadata(
    args: ModelServerArgs, labels: Mapping[str, Input[str]]
) -> kubernetes.meta.v1.ObjectMetaArgsDict:
    """The pods' labels and, where the image's name doesn't say it, an annotation for which
    TensorFlow is in it.
    """
    if not args.tensorflow:
        return {"labels": labels}
    return {"labels": labels, "annotations": {names.TENSORFLOW_ANNOTATION: args.tensorflow}}


def serving_namespace(
    name: str,
    physical_name: Input[str],
    opts: pulumi.ResourceOptions,
    after: pulumi.Resource | None = None,
    adopt: str | None = None,
    change_adopted: bool = False,
) -> pulumi.Output[str]:
    """Name of the one namespace of volume claim, server, autoscaler and entry; only locked-down
    pods may run in it.

    after: the cluster, whose node scaler the pool comes after, too. The engine then deletes
    namespace and pool side by side instead of one after the other, and each takes more than five
    seconds. adopt: the namespace of that name is there already and is taken over. The API server
    labels every namespace with its name. change_adopted: whether such a namespace may be changed.
    """
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        **({"kubernetes.io/metadata.name": adopt} if adopt else {}),
    }
    # What the API server has put into an existing one is no difference: its finalizer.
    kept = pulumi.ResourceOptions(
        **adoption(adopt, "this stack", change_adopted), ignore_changes=["spec"] if adopt else None
    )
    order = pulumi.ResourceOptions(depends_on=[after] if after else None)
    options = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions.merge(with_aliases(opts), kept), order
    )
    namespace = kubernetes.core.v1.Namespace(
        name, metadata={"name": physical_name, "labels": labels}, opts=options
    )
    return namespace.metadata.name


def _wait(args: ModelServerArgs) -> dict[str, Input[str]]:
    return {"pulumi.com/timeoutSeconds": pulumi.Output.from_input(args.ready_seconds).apply(str)}
