"""The node scaler of the ACK cluster (before tutorial step 1)."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from settings.node_scaler import NodeScalerSettings

UNMANAGED = (
    "the cluster's node scaler is left as it is (nodeScaler.mode unmanaged). New clusters use node instant "
    "scaling, which can't see the stock of preemptible instances and buys pay-as-you-go nodes although preemptible ones are available: "
    "the configured share is then not kept."
)


@dataclass(frozen=True)
class ClusterAutoscalerArgs:
    """Inputs of ClusterAutoscaler."""

    settings: NodeScalerSettings
    """Group `nodeScaler`."""
    cluster_id: Input[str]
    """Id of the cluster."""


class ClusterAutoscaler(Component):
    """Configures the cluster-autoscaler of an ACK cluster.

    The default scaler of new clusters does not keep a share of preemptible and pay-as-you-go nodes,
    so the scaler is configured before any pool is created: resources that need the cluster take
    `cluster_id` from here.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once its scaler is configured."""

    def __init__(
        self, name: str, args: ClusterAutoscalerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:compute:ClusterAutoscaler", name, opts)
        if args.settings.mode == "cluster-autoscaler":
            self.cluster_id = self._scaler(args).cluster_id.apply(lambda id: id or "")
        else:
            if args.settings.mode == "unmanaged":
                pulumi.log.warn(UNMANAGED, self)
            self.cluster_id = pulumi.Output.from_input(args.cluster_id)
        self.register_outputs({"cluster_id": self.cluster_id})

    def _scaler(self, args: ClusterAutoscalerArgs) -> alicloud.cs.AutoscalingConfig:
        settings = args.settings
        return alicloud.cs.AutoscalingConfig(
            self.child_name("scaler"),
            cluster_id=args.cluster_id,
            scaler_type=settings.mode,
            expander="least-waste",
            scan_interval=settings.scan_interval,
            # The provider reads cool_down_duration and unneeded_duration back swapped: only equal
            # values show no difference.
            cool_down_duration=settings.scale_down_delay,
            unneeded_duration=settings.scale_down_delay,
            utilization_threshold=f"{settings.utilization_threshold:g}",
            gpu_utilization_threshold=f"{settings.gpu_utilization_threshold:g}",
            scale_down_enabled=True,
            scale_up_from_zero=True,
            skip_nodes_with_system_pods=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
