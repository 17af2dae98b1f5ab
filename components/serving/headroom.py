"""Over-provisioning with placeholder pods, which hold warm GPU nodes (not in the tutorial)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from components.serving import restricted
from settings.headroom import HeadroomSettings
from settings.server import ServerSettings

PRIORITY = -5
"""Below every serving pod (0), and above the node scaler's limit (-10) under which pods get no
node.
"""


@dataclass(frozen=True)
class HeadroomArgs:
    """Inputs of Headroom."""

    settings: HeadroomSettings
    """Group `headroom`."""
    server: ServerSettings
    """Group `server`: a placeholder pod requests what a serving pod requests."""
    pods_per_node: int
    """Serving pods that fit on a node."""
    namespace: Input[str]
    """Namespace of the model server."""
    node_selector: Input[Mapping[str, str]]
    """Labels of the nodes to hold."""
    tolerations: Input[Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]]
    """Tolerations for these nodes' taints."""


class Headroom(Component):
    """As many placeholder pods as fit on `headroom.nodes` nodes, each as large as a serving pod.

    The scheduler preempts a placeholder the moment a serving pod finds no room: the serving pod
    starts on a warm node at once, and the node scaler orders a new node for the placeholder. A
    placeholder preempts no pod, and ends without a grace period.
    """

    deployment_name: pulumi.Output[str]
    """Name of the Deployment; "" if there is none."""

    def __init__(self, name: str, args: HeadroomArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:serving:Headroom", name, opts)
        self.deployment_name = (
            self._deployment(args).metadata.name
            if args.settings.nodes
            else pulumi.Output.from_input("")
        )
        self.register_outputs({"deployment_name": self.deployment_name})

    def _deployment(self, args: HeadroomArgs) -> kubernetes.apps.v1.Deployment:
        priority = kubernetes.scheduling.v1.PriorityClass(
            self.child_name("priority"),
            value=PRIORITY,
            preemption_policy="Never",
            global_default=False,
            description="Holds warm GPU nodes; every serving pod may take its place",
            opts=pulumi.ResourceOptions(parent=self),
        )
        name = args.server.name
        labels = {"app": "headroom", "release": name, "elastic-inference/role": "headroom"}
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": f"{name}-headroom",
                "namespace": args.namespace,
                "labels": labels,
                # Preempted placeholders are Pending for minutes, as intended: no run waits for
                # them.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": args.settings.nodes * args.pods_per_node,
                "selector": {"match_labels": labels},
                "revision_history_limit": 1,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": _pod(args, priority.metadata.name, labels),
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _pod(
    args: HeadroomArgs, priority: Input[str], labels: Mapping[str, str]
) -> kubernetes.core.v1.PodSpecArgsDict:
    server = args.server
    return {
        "priority_class_name": priority,
        "node_selector": args.node_selector,
        "tolerations": args.tolerations,
        "termination_grace_period_seconds": 0,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": restricted.POD,
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
                "image": args.settings.image,
                "resources": {
                    "limits": {"nvidia.com/gpu": str(server.gpus), "memory": server.memory},
                    "requests": {
                        "nvidia.com/gpu": str(server.gpus),
                        "cpu": server.cpu,
                        "memory": server.memory,
                    },
                },
                "security_context": restricted.CONTAINER,
            }
        ],
    }
