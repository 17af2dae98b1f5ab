"""What ACK does for a reclaimed node once its replacement is up: cordon, then drain; it stops at a
pod that no controller would replace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from lab.controlplane.scheduling import Object, is_daemon, is_ready, occupies
from lab.kube import MERGE, BlockingKube, KubeError

INSTANCE_LABEL = "alibabacloud.com/ecs-instance-id"
log = logging.getLogger("node-autoscaler")


def relieved(instances: Sequence[dict[str, Any]], nodes: Sequence[Object]) -> list[Object]:
    """Nodes under notice whose replacement is Ready."""
    by_instance = {
        (node["metadata"].get("labels") or {}).get(INSTANCE_LABEL, ""): node for node in nodes
    }
    found = []
    for instance in instances:
        old, new = (
            by_instance.get(instance["instance_id"]),
            by_instance.get(instance.get("remedied_by") or "-"),
        )
        if instance.get("lock_reason") and old is not None and new is not None and is_ready(new):
            found.append(old)
    return found


def to_evict(node: Object, pods: Sequence[Object]) -> list[Object]:
    """The pods a drain would evict; none as soon as one of them has no owner."""
    name = node["metadata"]["name"]
    held = [
        pod
        for pod in pods
        if occupies(pod) and pod["spec"]["nodeName"] == name and not is_daemon(pod)
    ]
    return held if all(pod["metadata"].get("ownerReferences") for pod in held) else []


def drain(
    kube: BlockingKube,
    instances: Sequence[dict[str, Any]],
    nodes: Sequence[Object],
    pods: Sequence[Object],
) -> None:
    """Cordon and drain every relieved node; what a disruption budget refuses is tried again at the
    next call.
    """
    for node in relieved(instances, nodes):
        name = node["metadata"]["name"]
        if not node["spec"].get("unschedulable"):
            kube.request(
                "PATCH",
                f"/api/v1/nodes/{name}",
                {"spec": {"unschedulable": True}},
                MERGE,
            )
        evict(kube, to_evict(node, pods))


def evict(kube: BlockingKube, pods: Sequence[Object]) -> None:
    """Ask for the eviction of pods that are not on their way out."""
    for pod in pods:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            continue
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        }
        try:
            kube.request(
                "POST",
                f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction",
                body,
            )
        except KubeError as error:
            log.info("eviction of %s: %s", metadata["name"], error)
