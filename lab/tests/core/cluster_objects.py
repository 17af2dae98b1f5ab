"""Nodes, pods and pools as the node autoscaler sees them."""

from __future__ import annotations

from typing import Any

from lab.controlplane import node_rules
from lab.controlplane.node_rules import Pool

TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
ROW = {
    "id": "np1", "cluster_id": "c", "state": "active", "auto_scaling": True, "min": 0, "max": 4, "desired": 1,
    "labels": {"inference": "tensorflow"},
    "taints": [TAINT], "scaling_group_id": "asg-1", "spot_strategy": "SpotAsPriceGo", "in_progress": [{"delta": 2, "instances": []}],
    "instance_types": [
        {"instance_type": "ecs.gn6i-c8g1.2xlarge", "cpu": 8, "memory_mib": 31744, "gpu_count": 1, "gpu_model": "Tesla-T4"},
        {"instance_type": "ecs.gn6i-c4g1.xlarge", "cpu": 4, "memory_mib": 15360, "gpu_count": 1, "gpu_model": "Tesla-T4"},
    ],
}  # fmt: skip


def node(
    name: str = "n1", pool: str = "gpu", gpus: int = 1, ready: bool = True, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {
                node_rules.POOL_LABEL: pool,
                "inference": "tensorflow",
                node_rules.INSTANCE_LABEL: f"i-{name}",
            },
        },
        "spec": {"taints": [TAINT], **spec},
        "status": {
            "allocatable": {
                "cpu": "3900m",
                "memory": "13Gi",
                "pods": "110",
                "nvidia.com/gpu": str(gpus),
            },
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(
    name: str, on: str = "", waiting: bool = True, gpus: str = "1", **spec: Any
) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    full = {
        "nodeSelector": {"inference": "tensorflow"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": gpus}}}],
        **spec,
    }
    if on:
        full["nodeName"] = on
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "creationTimestamp": "2026-11-22T21:00:00Z",
        },
        "spec": full,
        "status": {
            "phase": "Running" if on else "Pending",
            "conditions": [condition] if waiting and not on else [],
        },
    }


def pool(
    alive: int = 0,
    low: int = 0,
    high: int = 3,
    name: str = "gpu",
    template: dict[str, Any] | None = None,
) -> Pool:
    return Pool(name, low, high, alive, template or node("template", name))


def grow(
    pools: list[Pool], nodes: list[Any], booting: list[Any], pods: list[Any]
) -> dict[str, int]:
    return node_rules.grow(pools, nodes, booting, pods).order
