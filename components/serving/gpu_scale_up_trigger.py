"""Orders without the node scaler's half-minute wait for GPU pods (what the tutorial lacks)."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component

NOWHERE = {"elastic-inference/herald": "matches-no-node"}


@dataclass(frozen=True)
class GpuScaleUpTriggerArgs:
    """Inputs of GpuScaleUpTrigger."""

    namespace: Input[str]
    """Namespace of the model server."""
    enabled: bool = True
    """Whether there is one. Known before the run."""
    name: str = "bert-tfserving"
    """Start of the Deployment's name."""
    image: Input[str] = "registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9"
    """Image that does nothing; never pulled."""


class GpuScaleUpTrigger(Component):
    """A pod that asks for a GPU and fits no node, for ever.

    The cluster-autoscaler orders nothing while the oldest waiting pod with a GPU is less than 30
    seconds old; no option shortens that. With this one, the oldest is always older, and pods that
    come get their nodes at the next scan. It costs nothing: it never starts, no pool fits it, and
    nothing is preempted for it. The scaler reports it as NotTriggerScaleUp, and it shows as
    Pending.
    """

    deployment_name: pulumi.Output[str]
    """Name of the Deployment; empty without one."""

    def __init__(
        self, name: str, args: GpuScaleUpTriggerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:GpuScaleUpTrigger", name, opts)
        self.deployment_name = (
            self._deployment(args).metadata.name if args.enabled else pulumi.Output.from_input("")
        )
        self.finish({"deployment_name": self.deployment_name})

    def _deployment(self, args: GpuScaleUpTriggerArgs) -> kubernetes.apps.v1.Deployment:
        labels = {"app": "herald", "release": args.name, "elastic-inference/role": "herald"}
        spec: kubernetes.core.v1.PodSpecArgsDict = {
            "node_selector": NOWHERE,
            "automount_service_account_token": False,
            "enable_service_links": False,
            "security_context": {
                "run_as_non_root": True,
                "run_as_user": 65534,
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "wait",
                    "image": args.image,
                    "resources": {
                        "limits": {"nvidia.com/gpu": "1"},
                        "requests": {"nvidia.com/gpu": "1"},
                    },
                    "security_context": {
                        "allow_privilege_escalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": f"{args.name}-herald",
                "namespace": args.namespace,
                "labels": labels,
                # It is meant to wait.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": 1,
                "revision_history_limit": 1,
                # The new one would be young: for half a minute there would be no herald.
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_surge": 1, "max_unavailable": 0},
                },
                "selector": {"match_labels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
            opts=self.child(),
        )
