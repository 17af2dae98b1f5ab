"""What a Node object says: pure functions from an ECS instance to the node's name, labels, taints,
capacity, conditions.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lab.kubelet import node_room

Object = dict[str, Any]
KUBELET_VERSION = "v1.36.3-aliyun.1"
_ANNOTATIONS = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
DEFAULT_POOL = "default-nodepool"
"""The pool that no scaler touches: its nodes lack the label that the scaler gives."""


def now() -> str:
    """Kubernetes' time format, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_now() -> str:
    """The time as Kubernetes' MicroTime, in microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def region_of(instance: Object) -> str:
    """`cn-shanghai` of zone `cn-shanghai-g`, `ap-southeast-1` of zone `ap-southeast-1a`."""
    return instance["zone_id"][:-1].removesuffix("-")


def node_name(instance: Object) -> str:
    """ACK's node name: `<region>.<private IP>`."""
    return f"{region_of(instance)}.{instance['private_ip']}"


def labels(instance: Object) -> dict[str, str]:
    """Standard labels, the pool's labels, and those ACK adds (instance, pool, charge type, spot
    strategy, GPU).
    """
    zone, kind = instance["zone_id"], instance["instance_type"]
    result = {
        "kubernetes.io/hostname": node_name(instance),
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": kind,
        "beta.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": region_of(instance),
        "failure-domain.beta.kubernetes.io/zone": zone,
        "failure-domain.beta.kubernetes.io/region": region_of(instance),
        "topology.diskplugin.csi.alibabacloud.com/zone": zone,
        "ack.aliyun.com": instance["cluster_id"],
        "alibabacloud.com/ecs-instance-id": instance["instance_id"],
        "node.alibabacloud.com/instance-charge-type": instance.get("instance_charge_type")
        or "PostPaid",
        "node.alibabacloud.com/spot-strategy": instance.get("spot_strategy") or "NoSpot",
    }
    if instance.get("nodepool_id"):
        result["alibabacloud.com/nodepool-id"] = instance["nodepool_id"]
        result["node.alibabacloud.com/nodepool-id"] = instance["nodepool_id"]
    if instance.get("scaling_group_id") and instance.get("nodepool_name") != DEFAULT_POOL:
        result["k8s.aliyun.com"] = "true"
    if instance.get("gpu_count"):
        model = instance.get("gpu_model") or "unknown"
        result["aliyun.accelerator/nvidia_name"] = model
        result["aliyun.accelerator/nvidia_count"] = str(instance["gpu_count"])
        if instance.get("gpu_memory_mib"):
            result["aliyun.accelerator/nvidia_mem"] = f"{instance['gpu_memory_mib']}MiB"
    return {**result, **own_labels(instance)}


def own_labels(instance: Object) -> dict[str, str]:
    """The pool's labels, which the kubelet is started with."""
    return _pairs(instance.get("labels"))


def _pairs(given: Any) -> dict[str, str]:
    """Labels as a mapping, whether they came as mapping or as list of {key, value}."""
    if isinstance(given, dict):
        return {key: str(value) for key, value in given.items()}
    return {entry["key"]: str(entry.get("value") or "") for entry in given or []}


def taints(instance: Object) -> list[Object]:
    """The taints that the node pool gives its nodes."""
    return [
        {"key": taint["key"], "value": taint.get("value") or "", "effect": taint["effect"]}
        for taint in instance.get("taints") or []
    ]


def resources(instance: Object) -> tuple[dict[str, str], dict[str, str]]:
    """(capacity, allocatable), by ACK's reservation policy (`node_room`)."""
    cpu, memory = int(instance["cpu"]), int(instance["memory_mib"])
    millicores, mib = node_room.allocatable(cpu, memory)
    capacity = {"cpu": str(cpu), "memory": f"{node_room.capacity_mib(memory) * 1024}Ki", "ephemeral-storage": "123722704Ki",
                "pods": str(node_room.MAX_PODS), "hugepages-1Gi": "0", "hugepages-2Mi": "0"}  # fmt: skip
    allocatable = {
        **capacity,
        "cpu": f"{millicores}m",
        "memory": f"{mib * 1024}Ki",
        "ephemeral-storage": "114022843818",
    }
    if instance.get("gpu_count"):
        capacity["nvidia.com/gpu"] = allocatable["nvidia.com/gpu"] = str(instance["gpu_count"])
    return capacity, allocatable


def condition(kind: str, status: str, reason: str, message: str, before: list[Object]) -> Object:
    """One node condition; its transition time stays while its status does."""
    stamp = now()
    old = next((item for item in before if item["type"] == kind and item["status"] == status), {})
    times = {
        "lastHeartbeatTime": stamp,
        "lastTransitionTime": old.get("lastTransitionTime") or stamp,
    }
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def conditions(instance: Object, before: list[Object] | None = None) -> list[Object]:
    """The kubelet's four conditions, and InstanceExpired (True from the reclaim notice on), which
    the add-on ack-node-problem-detector sets: without it no node shows the condition, and what it
    once set stays on the node as it was.
    """
    old = before or []
    if instance.get("lock_reason") == "Recycling":
        expired = ("True", "InstanceToBeTerminated", "instance is going to be terminated")
    else:
        expired = ("False", "InstanceNotToBeTerminated", "instance is not going to be terminated")
    own = [
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
            old,
        ),
        condition(
            "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", old
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
            old,
        ),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", old),
    ]
    return (
        [*own, condition("InstanceExpired", *expired, old)]
        if instance.get("problem_detector", True)
        else own
    )


def is_ready(node: Object) -> bool:
    """Whether a Node's Ready condition is True."""
    return any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in node.get("status", {}).get("conditions") or []
    )


def node_object(instance: Object) -> Object:
    """The Node as the kubelet of this instance registers it."""
    name, (capacity, allocatable) = node_name(instance), resources(instance)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels(instance), "annotations": _ANNOTATIONS},
        "spec": {"providerID": f"{region_of(instance)}.{instance['instance_id']}", "taints": taints(instance)},
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": conditions(instance),
            "addresses": [{"type": "InternalIP", "address": instance["private_ip"]}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": instance["instance_id"], "systemUUID": instance["instance_id"], "bootID": instance["instance_id"],
                "kernelVersion": "5.10.134-18.al8.x86_64", "osImage": "Alibaba Cloud Linux 3 (lab: a process of the node agent)",
                "containerRuntimeVersion": "containerd://2.1.5", "kubeletVersion": KUBELET_VERSION, "kubeProxyVersion": "",
                "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    }  # fmt: skip


def lease_object(name: str, uid: str) -> Object:
    """The heartbeat lease of a node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": micro_now()},
    }
