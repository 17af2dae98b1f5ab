"""The pod that serves: container, probes, volumes, placement."""

from typing import TYPE_CHECKING

import pulumi
from pulumi import Input
from pulumi_kubernetes.core import v1

from settings.names import GRPC_PORT, REST_PORT

if TYPE_CHECKING:
    from components.serving.model_server import ModelServerArgs

CONFIG_FILE = "models.config"
CONFIG_DIRECTORY = "/etc/tensorflow-serving"
PROBE_SECONDS = 5
ARENA_FIELDS = {
    "ARENA_NODE_NAME": "spec.nodeName",
    "ARENA_POD_NAMESPACE": "metadata.namespace",
    "ARENA_POD_NAME": "metadata.name",
    "ARENA_POD_IP": "status.podIP",
}


def model_config(name: str, path: str, version: str) -> str:
    """TensorFlow Serving's model_config_file. `specific` serves this version and no other, whatever
    else lies in the bucket.
    """
    return (
        f'model_config_list {{\n  config {{\n    name: "{name}"\n    base_path: "{path}"\n    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ specific {{ versions: {version} }} }}\n  }}\n}}\n"
    )


def pod(
    args: "ModelServerArgs", config_name: Input[str], selector: dict[str, str]
) -> v1.PodSpecArgsDict:
    """Spec of the pod. No emptyDir: a pod with one is left alone by ACK's drain."""
    spec: v1.PodSpecArgsDict = {
        "containers": [_container(args)],
        "node_selector": args.node_selector,
        "tolerations": pulumi.Output.all(args.tolerations, args.unreachable_seconds).apply(
            lambda known: [*known[0], *_patience(known[1])]
        ),
        "termination_grace_period_seconds": args.grace_seconds,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": 65534,
            "run_as_group": 65534,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
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
    if args.image_pull_secret:
        spec["image_pull_secrets"] = [{"name": args.image_pull_secret}]
    return spec


def _container(args: "ModelServerArgs") -> v1.ContainerArgsDict:
    status = pulumi.Output.concat("/v1/models/", args.model_name, "/versions/", args.model_version)
    gpus = pulumi.Output.from_input(args.gpus).apply(str)
    milliseconds = pulumi.Output.from_input(args.timeout_seconds).apply(
        lambda seconds: str(seconds * 1000)
    )
    return {
        "name": "serving",
        "image": args.image,
        "image_pull_policy": "IfNotPresent",
        # No shell in between. Sixty seconds, not one, between two looks at the bucket: the version
        # is pinned, and each look is a LIST.
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": [
            f"--port={GRPC_PORT}",
            f"--rest_api_port={REST_PORT}",
            f"--model_config_file={CONFIG_DIRECTORY}/{CONFIG_FILE}",
            "--file_system_poll_wait_seconds=60",
            # TensorFlow Serving's own default ends a call after 30 s, whatever the route allows.
            pulumi.Output.concat("--rest_api_timeout_in_ms=", milliseconds),
        ],
        "ports": [
            {"name": "serving", "container_port": GRPC_PORT},
            {"name": "http-serving", "container_port": REST_PORT},
        ],
        "env": [_field(name, path) for name, path in ARENA_FIELDS.items()],
        "resources": {
            "limits": {"nvidia.com/gpu": gpus, "memory": args.memory},
            "requests": {"nvidia.com/gpu": gpus, "cpu": args.cpu, "memory": args.memory},
        },
        # The ports open only once the model is loaded. The status answers 200 for an unloaded
        # version too, its metadata don't: readiness asks for these.
        "startup_probe": _probe(
            status,
            PROBE_SECONDS,
            pulumi.Output.from_input(args.startup_seconds).apply(
                lambda total: -(-total // PROBE_SECONDS)
            ),
        ),
        "readiness_probe": _probe(pulumi.Output.concat(status, "/metadata"), PROBE_SECONDS, 2),
        "liveness_probe": _probe(status, 10, 6),
        # TensorFlow Serving ignores SIGTERM: it serves on during the sleep, and SIGKILL ends it.
        # The native sleep needs nothing in the image, and a cluster too old for it refuses the pod;
        # a missing `sleep` binary would go unnoticed and cut requests.
        "lifecycle": {"pre_stop": {"sleep": {"seconds": args.pre_stop_seconds}}},
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volume_mounts": [
            {"name": "model", "mount_path": args.mount_path, "read_only": True},
            {"name": "config", "mount_path": CONFIG_DIRECTORY, "read_only": True},
        ],
    }


def _probe(path: Input[str], period: int, failures: Input[int]) -> v1.ProbeArgsDict:
    return {
        "http_get": {"path": path, "port": REST_PORT},
        "period_seconds": period,
        "timeout_seconds": 3,
        "failure_threshold": failures,
    }


def _spread(key: str, selector: dict[str, str]) -> v1.TopologySpreadConstraintArgsDict:
    """Spread the pods of one revision; never keep one from starting. Nodes that take no pod any
    more (under notice) don't count, nor do detached pods, which have lost the label of their
    revision.
    """
    return {
        "topology_key": key,
        "max_skew": 1,
        "when_unsatisfiable": "ScheduleAnyway",
        "label_selector": {"match_labels": selector},
        "match_label_keys": ["pod-template-hash"],
        "node_taints_policy": "Honor",
    }


def _patience(seconds: int) -> list[v1.TolerationArgsDict]:
    """Where these are missing, Kubernetes puts its own with 300 seconds."""
    return [
        {
            "key": f"node.kubernetes.io/{what}",
            "operator": "Exists",
            "effect": "NoExecute",
            "toleration_seconds": seconds,
        }
        for what in ("not-ready", "unreachable")
    ]


def _field(name: str, path: str) -> v1.EnvVarArgsDict:
    return {"name": name, "value_from": {"field_ref": {"field_path": path}}}
