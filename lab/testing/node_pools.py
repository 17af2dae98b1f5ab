"""Node pools in the double of the cloud, by Alibaba's own client."""

from __future__ import annotations

from typing import Any

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble, wait_for

BASE = f"/clusters/{CLUSTER}/nodepools"
GPU = ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge", "ecs.gn7i-c8g1.2xlarge"]


def wanted(name: str, low: int = 0, high: int = 10, **group: Any) -> dict[str, Any]:
    """The body of a creation call as the provider sends it."""
    return {
        "auto_scaling": {
            "enable": True,
            "is_bond_eip": False,
            "max_instances": high,
            "min_instances": low,
            "type": "gpu",
        },
        "kubernetes_config": {
            "cms_enabled": True,
            "labels": [{"key": "inference", "value": "tensorflow"}],
            "runtime": "containerd",
            "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
        },
        "management": {"auto_repair": True, "enable": True},
        "nodepool_info": {"name": name},
        "scaling_group": {
            "compensate_with_on_demand": True,
            "instance_charge_type": "PostPaid",
            "instance_types": GPU,
            "multi_az_policy": "COST_OPTIMIZED",
            "on_demand_base_capacity": 0,
            "on_demand_percentage_above_base_capacity": 30,
            "spot_instance_pools": 2,
            "spot_strategy": "SpotAsPriceGo",
            "tags": [{"key": "app", "value": "inference"}],
            "vswitch_ids": ["vsw-labe", "vsw-labg", "vsw-labl"],
            **group,
        },
    }


def create(lab: CloudDouble, body: dict[str, Any]) -> str:
    """A new pool whose creation task has succeeded."""
    answer = clients.roa(lab, "POST", BASE, body)
    finished(lab, answer["task_id"])
    return answer["nodepool_id"]


def finished(lab: CloudDouble, task: str) -> None:
    """Wait for a task's success."""
    wait_for(lambda: clients.roa(lab, "GET", f"/tasks/{task}")["state"] == "success")


def running(lab: CloudDouble, pool: str, count: int) -> list[dict[str, Any]]:
    """The pool's instances once exactly `count` of them run."""

    def look() -> Any:
        found = lab.instances(pool)
        return (
            found if len(found) == count and all(i["status"] == "Running" for i in found) else None
        )

    return wait_for(look) if count else []


def delete(lab: CloudDouble, pool: str) -> None:
    """Delete a pool and wait until it has gone."""
    finished(lab, clients.roa(lab, "DELETE", f"{BASE}/{pool}", force="true")["task_id"])
