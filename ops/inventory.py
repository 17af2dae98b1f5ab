"""What a stack left behind in the lab: cloud resources and Kubernetes objects that a fresh lab does
not have.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from lab.namespace import run

PLATFORM_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease", "ack-csi-fuse"}
KINDS = "namespaces,persistentvolumes,nodes,deployments,services,ingresses,horizontalpodautoscalers,persistentvolumeclaims,pods"


def inside(*command: str) -> Any:
    """The JSON that a command prints inside the lab."""
    answer = run(command, capture_output=True, text=True, timeout=60)
    if answer.returncode != 0:
        raise subprocess.CalledProcessError(
            answer.returncode, command, answer.stdout, answer.stderr
        )
    return json.loads(answer.stdout)


def cloud_leftovers() -> list[str]:
    """Resources of the cloud double that a fresh lab does not have."""
    extra = inside(
        "curl", "-sS", "--fail", "--max-time", "20", "http://10.0.0.2:9090/_lab/resources"
    )["extra"]
    return [
        f"region: {kind} {identity}"
        for kind, identities in extra.items()
        for identity in identities
    ]


def cluster_leftovers() -> list[str]:
    """Objects in the cluster that the platform did not put there; nodes count when their instance
    is gone from the region.
    """
    items = inside("kubectl", "get", KINDS, "--all-namespaces", "-o", "json")["items"]
    return [
        f"cluster: {item['kind']} {name_of(item)}"
        for item in items
        if not belongs_to_platform(item)
    ]


def name_of(item: dict) -> str:
    """`namespace/name`, or the name of a cluster-scoped object."""
    metadata = item["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def belongs_to_platform(item: dict) -> bool:
    """Whether a fresh lab has this object too: its namespaces, what is in them, and the system
    pool's nodes.
    """
    metadata = item["metadata"]
    if item["kind"] == "Namespace":
        return metadata["name"] in PLATFORM_NAMESPACES
    if item["kind"] == "Node":
        return "inference" not in metadata.get("labels", {})
    return metadata.get("namespace") in PLATFORM_NAMESPACES
