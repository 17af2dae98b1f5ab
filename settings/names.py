"""Names and labels on which components, other stacks and operators have to agree, each computed in
one place.
"""

import hashlib
import json
import re
from typing import Any

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
POOL_LABEL = "inference-pool"
"""Node label with the pool's name; no other node carries it."""
STACK_LABEL = "inference-stack"
"""Node label with the stack's name, on the nodes of all its pools: what tells them from those of
another stack in the same cluster.
"""
CLUSTER_TAG = "elastic-inference/cluster"
"""Tag with the cluster that the stack deploys to: what tells its resources from those of a stack of
the same name that deploys to another cluster of the account.
"""
OBJECT_LABELS = (
    "elastic-inference/project",
    "elastic-inference/stack",
    "elastic-inference/cluster",
)
"""Labels of every object that the stack creates in the cluster: see `object_labels`."""
GPU_SCHEDULE_LABEL = "ack.node.gpu.schedule"
"""Node label with ACK's GPU scheduling mode."""
DRIVER_VERSION_LABEL = "ack.aliyun.com/nvidia-driver-version"
"""Node label by which ACK installs a version of the NVIDIA driver."""
REST_PORT = 8501
GRPC_PORT = 8500
TENSORFLOW_ANNOTATION = "elastic-inference/tensorflow"
"""On the pods: TensorFlow in an image whose tag doesn't say it."""


def digest(value: Any, length: int = 8) -> str:
    """The first `length` hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def deployment(name: str, version: str) -> str:
    """Name of Deployment and Service, as Arena would give it:
    `<name>-<version>-tensorflow-serving`, at most 63 characters.
    """
    return f"{name}-{version}-tensorflow-serving"[:63].rstrip("-")


def handler_namespace(namespace: str) -> str:
    """Namespace of the interruption handler of the stack whose pods are in `namespace`. It fits:
    the ingress route leaves `namespace` less than 45 characters.
    """
    return f"{namespace}-interruption"


def serving_labels(name: str, version: str) -> dict[str, str]:
    """Labels by which Deployment, Service, disruption budget and network policy know the pods;
    Arena's.
    """
    return {"app": "tensorflow-serving", "release": f"{name}-{version}"}


def handler_labels(server_name: str) -> dict[str, str]:
    """Labels of the interruption handler's pods, by which network policies know them."""
    return {"app": "interruption-handler", "release": server_name}


def object_labels(project: str, stack: str, cluster: str) -> dict[str, str]:
    """Labels that say whose an object in the cluster is. A name that can't be the value of a label
    is there as its digest.
    """
    values = (
        text if is_label_value(text) else digest(text, 16) for text in (project, stack, cluster)
    )
    return dict(zip(OBJECT_LABELS, values, strict=True))


def route(namespace: str, service: str, port: int = REST_PORT) -> str:
    """The ingress route as the access log and the metric know it. A label value: see
    `is_label_value`.
    """
    return f"{namespace}-{service}-{port}"


def is_label_value(text: str) -> bool:
    """Whether `text` may stand as the value of a Kubernetes label: at most 63 characters,
    alphanumeric at both ends.
    """
    return LABEL_VALUE.fullmatch(text) is not None


def bucket(project: str, stack: str, cluster_id: str, storage_class: str, redundancy: str) -> str:
    """Name of the model's bucket. Bucket names are global, and the provider does not auto-name
    buckets: the digest keeps them apart, and gives a replaced bucket (another storage class)
    another name.
    """
    suffix = digest([project, stack, cluster_id, storage_class, redundancy])
    return f"{_lower(project)[:30]}-{_lower(stack)[:20]}-{suffix}".replace("--", "-")


def log_bucket(bucket_name: str) -> str:
    """Name of the bucket that holds the access log of another, at most 63 characters."""
    suffix = "-log" if len(bucket_name) <= 59 else f"-{digest(bucket_name)}-log"
    return bucket_name[: 63 - len(suffix)].rstrip("-") + suffix


def node_pool(name: str, stack: str, fixed: Any) -> str:
    """Name of the node pool, `<name>-<stack>-<digest>`: another one for another value of `fixed`. A
    label value: the pool's nodes carry it.
    """
    return f"{name}-{stack}-{digest(fixed, 6)}"


def ram(project: str, stack: str, cluster_id: str, what: str) -> str:
    """Name of a RAM role or policy: at most 64 characters, one per stack and cluster."""
    return (
        f"{_lower(project)[:20]}-{_lower(stack)[:16]}-{what}-{digest([project, stack, cluster_id])}"
    )


def _lower(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
