"""Group `nodeScaler`: the cluster's node scaler."""

from typing import Literal

from settings.core.field import Group, Number, Text, setting
from settings.core.types import DURATION


class NodeScalerSettings(Group):
    """The cluster's node scaler: one per cluster, shared by all pools."""

    mode: Literal["cluster-autoscaler", "shared", "unmanaged"] = setting(
        "cluster-autoscaler",
        "cluster-autoscaler: this stack configures the cluster's node scaler. shared: another stack of the same cluster does. unmanaged: no stack "
        "does (the program warns).",
        expected="cluster-autoscaler, shared or unmanaged",
        consequence="the default scaler of new clusters buys pay-as-you-go nodes although preemptible ones are available: the pay-as-you-go share is not kept",
        example="cluster-autoscaler",
    )
    scan_interval: Text = setting(
        "30s",
        "Interval at which the scaler looks for pods without a node.",
        pattern=DURATION,
        expected="a duration such as 30s or 1m",
        consequence="ACK refuses the scaler's configuration",
        example="30s",
    )
    scale_down_delay: Text = setting(
        "10m",
        "Time a node must be unneeded, and time after a scale-out, before a node is removed. One value for both: the provider reads "
        "the two back swapped, and different values would show a change at every run.",
        pattern=DURATION,
        expected="a duration such as 10m",
        consequence="ACK refuses the scaler's configuration",
        example="10m",
    )
    skip_gpu_wait: bool = setting(
        True,
        "Order GPU nodes at the next scan. The cluster-autoscaler ignores GPU pods younger than 30 seconds unless an older one is waiting; "
        "a placeholder pod that fits no node, shown as Pending, is kept waiting for that purpose.",
        expected="true or false",
        consequence="each new GPU node is ordered 30 seconds later",
        example="true",
    )
    utilization_threshold: Number = setting(
        0.5,
        "Utilization (requests as a share of CPU and of memory) below which a node may be removed, 0 to 1.",
        gt=0,
        le=1,
        expected="a number above 0, at most 1",
        consequence="the scaler removes nodes that are in use, or none at all",
        example="0.5",
    )
    gpu_utilization_threshold: Number = setting(
        0.5,
        "Utilization below which a GPU node may be removed, 0 to 1; its GPUs, CPU and memory must all be below.",
        gt=0,
        le=1,
        expected="a number above 0, at most 1",
        consequence="the scaler removes GPU nodes that are in use, or none at all",
        example="0.5",
    )

    @property
    def needs_gpu_trigger(self) -> bool:
        """Whether a Pending GPU pod is kept, see GpuScaleUpTrigger: only the cluster-autoscaler has
        the wait that it ends, and one stack per cluster is enough.
        """
        return self.skip_gpu_wait and self.mode == "cluster-autoscaler"
