"""A Pending pod that makes the node scaler order GPU nodes without its 30-second wait (not in the
tutorial).
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from components.serving import restricted
from settings.node_scaler import NodeScalerSettings

NO_NODE = {"elastic-inference/herald": "matches-no-node"}
"""A label that no node has."""


@dataclass(frozen=True)
class GpuScaleUpTriggerArgs:
    """Inputs of GpuScaleUpTrigger."""

    settings: NodeScalerSettings
    """Group `nodeScaler`."""
    namespace: Input[str]
    """Namespace of the model server."""
    name: str
    """First part of the Deployment's name."""
    image: str
    """Image of the container, which never starts."""


class GpuScaleUpTrigger(Component):
    """A pod that requests a GPU and fits on no node, indefinitely.

    The cluster-autoscaler orders nothing while the oldest waiting GPU pod is younger than 30
    seconds, and no option shortens that. With this pod the oldest one is always older, and new GPU
    pods get their nodes at the next scan. It costs nothing: it never starts, no pool fits it, and
    no pod is preempted for it. The scaler reports it as NotTriggerScaleUp, and it shows as Pending.
    """

    deployment_name: pulumi.Output[str]
    """Name of the Deployment; "" if there is none."""

    def __init__(
        self, name: str, args: GpuScaleUpTriggerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:GpuScaleUpTrigger", name, opts)
        self.deployment_name = (
            self._deployment(args).metadata.name
            if args.settings.needs_gpu_trigger
            else pulumi.Output.from_input("")
        )
        self.register_outputs({"deployment_name": self.deployment_name})

    def _deployment(self, args: GpuScaleUpTriggerArgs) -> kubernetes.apps.v1.Deployment:
        # Names and labels in the cluster stay: another selector would replace the Deployment.
        labels = {"app": "herald", "release": args.name, "elastic-inference/role": "herald"}
        spec: kubernetes.core.v1.PodSpecArgsDict = {
            "node_selector": NO_NODE,
            "automount_service_account_token": False,
            "enable_service_links": False,
            "security_context": restricted.POD,
            "containers": [
                {
                    "name": "wait",
                    "image": args.image,
                    "resources": {
                        "limits": {"nvidia.com/gpu": "1"},
                        "requests": {"nvidia.com/gpu": "1"},
                    },
                    "security_context": restricted.CONTAINER,
                }
            ],
        }
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": f"{args.name}-herald",
                "namespace": args.namespace,
                "labels": labels,
                # Its pod is meant to stay Pending.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": 1,
                "revision_history_limit": 1,
                # The old pod stays until the new one is old enough to count.
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_surge": 1, "max_unavailable": 0},
                },
                "selector": {"match_labels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
