"""The ACK cluster to deploy to: its node scaler and the Kubernetes provider (before tutorial step
1).
"""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component

UNMANAGED = (
    "the cluster's node scaler is left as it is (nodeScaler.mode unmanaged). New clusters use node instant "
    "scaling, which can't see the stock of "
    "preemptible instances and buys pay-as-you-go nodes although preemptible ones are to be had: the configured mix is then not kept."
)


@dataclass(frozen=True)
class ClusterAutoscalerArgs:
    """Inputs of ClusterAutoscaler."""

    cluster_id: Input[str]
    """Id of the existing cluster."""
    mode: Input[str] = "cluster-autoscaler"
    """`cluster-autoscaler` sets the node scaler; `shared` (another stack does) and `unmanaged`
    leave it alone. Known before the run.
    """
    scan_interval: Input[str] = "30s"
    """How often the scaler looks for pods without a node."""
    scale_down_delay: Input[str] = "10m"
    """How long a node must be unneeded, and how long after a scale-out, before it goes."""
    utilization_threshold: Input[float] = 0.5
    """Share of requested CPU and memory below which a node may go."""
    gpu_utilization_threshold: Input[float] = 0.5
    """The same for GPU nodes."""


class ClusterAutoscaler(Component):
    """An existing ACK cluster whose nodes are scaled by the cluster-autoscaler.

    The default scaler of new clusters does not keep a preemptible/pay-as-you-go mix, so the scaler
    is set before any pool is made: what needs the cluster takes `cluster_id` from here.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once its scaler is set."""

    def __init__(
        self, name: str, args: ClusterAutoscalerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:compute:ClusterAutoscaler", name, opts)
        if args.mode != "cluster-autoscaler":
            if args.mode == "unmanaged":
                pulumi.log.warn(UNMANAGED, self)
            self.cluster_id = pulumi.Output.from_input(args.cluster_id)
        else:
            self.cluster_id = self._scaler(args).cluster_id.apply(lambda id: id or "")
        self.finish({"cluster_id": self.cluster_id})

    def _scaler(self, args: ClusterAutoscalerArgs) -> alicloud.cs.AutoscalingConfig:
        # The provider reads cool_down_duration and unneeded_duration back swapped: only equal
        # values stay without a diff.
        return alicloud.cs.AutoscalingConfig(
            self.child_name("scaler"),
            cluster_id=args.cluster_id,
            scaler_type=args.mode,
            expander="least-waste",
            scan_interval=args.scan_interval,
            cool_down_duration=args.scale_down_delay,
            unneeded_duration=args.scale_down_delay,
            utilization_threshold=_text(args.utilization_threshold),
            gpu_utilization_threshold=_text(args.gpu_utilization_threshold),
            scale_down_enabled=True,
            scale_up_from_zero=True,
            skip_nodes_with_system_pods=True,
            opts=self.child(),
        )


def _text(number: Input[float]) -> pulumi.Output[str]:
    return pulumi.Output.from_input(number).apply(lambda value: f"{value:g}")
