"""Warm nodes: pods that hold GPUs for the model server and give way to it (what the tutorial
lacks).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component

PRIORITY = -5
"""Below every pod that serves (0), above the node scaler's limit (-10) under which pods get no
node.
"""


@dataclass(frozen=True)
class HeadroomArgs:
    """Inputs of Headroom."""

    namespace: Input[str]
    """Namespace of the model server."""
    node_selector: Input[Mapping[str, str]]
    """Labels of the nodes to hold."""
    tolerations: Input[Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]]
    """Tolerations for these nodes' taints."""
    nodes: int = 0
    """Nodes to hold. Known before the run."""
    pods_per_node: int = 1
    """Pods of the model server that a node takes."""
    name: str = "bert-tfserving"
    """Start of the Deployment's name."""
    image: Input[str] = "registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9"
    """Image that does nothing."""
    gpus: Input[int] = 1
    """GPUs of a pod of the model server."""
    cpu: Input[str] = "2"
    """Its CPU request."""
    memory: Input[str] = "8Gi"
    """Its memory request."""


class Headroom(Component):
    """As many do-nothing pods as `nodes` nodes take, each as large as a pod of the model server.

    Such a pod is preempted the moment a serving pod finds no room: the serving pod starts on a warm
    node at once, and the node scaler orders a new node for the preempted one. Never preempts
    others, and needs no time to go.
    """

    deployment_name: pulumi.Output[str]
    """Name of the Deployment; empty without one."""

    def __init__(self, name: str, args: HeadroomArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:serving:Headroom", name, opts)
        self.deployment_name = (
            self._deployment(args).metadata.name if args.nodes else pulumi.Output.from_input("")
        )
        self.finish({"deployment_name": self.deployment_name})

    def _deployment(self, args: HeadroomArgs) -> kubernetes.apps.v1.Deployment:
        priority = kubernetes.scheduling.v1.PriorityClass(
            self.child_name("priority"),
            value=PRIORITY,
            preemption_policy="Never",
            global_default=False,
            description="Holds warm GPU nodes; every serving pod may take its place",
            opts=self.child(),
        )
        labels = {"app": "headroom", "release": args.name, "elastic-inference/role": "headroom"}
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": f"{args.name}-headroom",
                "namespace": args.namespace,
                "labels": labels,
                # Preempted pods wait for minutes, which is what they are for: no run waits for
                # them.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": args.nodes * args.pods_per_node,
                "selector": {"match_labels": labels},
                "revision_history_limit": 1,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": _pod(args, priority.metadata.name, labels),
                },
            },
            opts=self.child(),
        )


def _pod(args: HeadroomArgs, priority: Input[str], labels: Mapping[str, str]) -> Any:
    gpus = pulumi.Output.from_input(args.gpus).apply(str)
    return {
        "priority_class_name": priority,
        "node_selector": args.node_selector,
        "tolerations": args.tolerations,
        "termination_grace_period_seconds": 0,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": 65534,
            "run_as_group": 65534,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "topology_spread_constraints": [
            {
                "topology_key": "topology.kubernetes.io/zone",
                "max_skew": 1,
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": labels},
            }
        ],
        "containers": [
            {
                "name": "hold",
                "image": args.image,
                "resources": {
                    "limits": {"nvidia.com/gpu": gpus, "memory": args.memory},
                    "requests": {"nvidia.com/gpu": gpus, "cpu": args.cpu, "memory": args.memory},
                },
                "security_context": {
                    "allow_privilege_escalation": False,
                    "read_only_root_filesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
