"""The system nodes of a cluster the stack makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component

# The service fills these in where the program says nothing.
IGNORE_CHANGES = ["scalingConfig"]


@dataclass(frozen=True)
class SystemPoolArgs:
    """Inputs of SystemPool."""

    cluster_id: Input[str]
    """Cluster of the pool."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches, one per zone."""
    name: Input[str] = "system"
    """Name of the pool."""
    size: Input[int] = 2
    """Nodes; 2 at least."""
    instance_types: Input[Sequence[str]] = ("ecs.g7.xlarge", "ecs.g6.xlarge")
    """Types without a GPU."""
    disk_size: Input[int] = 120
    """System disk, GiB."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """ECS tags."""


class SystemPool(Component):
    """Nodes that are never reclaimed and that no scaler touches, spread over the zones.

    The scaler, the DNS, the ingress controller and the interruption handler must outlive every
    preemptible node; none of them tolerates the GPU nodes' taint, so without these nodes they would
    not run at all.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once it has nodes: what needs a place to run takes it from here."""

    def __init__(self, name: str, args: SystemPoolArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:SystemPool", name, opts)
        pool = alicloud.cs.NodePool(
            self.child_name("pool"),
            cluster_id=args.cluster_id,
            node_pool_name=args.name,
            vswitch_ids=args.vswitch_ids,
            instance_types=args.instance_types,
            instance_charge_type="PostPaid",
            spot_strategy="NoSpot",
            multi_az_policy="BALANCE",
            desired_size=pulumi.Output.from_input(args.size).apply(str),
            image_type="AliyunLinux3",
            system_disk_category="cloud_essd",
            system_disk_performance_level="PL1",
            system_disk_size=args.disk_size,
            install_cloud_monitor=True,
            management={
                "enable": True,
                "auto_repair": True,
                "auto_upgrade": False,
                "auto_vul_fix": False,
                "max_unavailable": 1,
            },
            tags=args.tags,
            opts=self.child(
                ignore_changes=IGNORE_CHANGES,
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m", delete="30m"),
            ),
        )
        self.cluster_id = pulumi.Output.all(pool.cluster_id, pool.node_pool_id).apply(
            lambda known: known[0]
        )
        self.finish({"cluster_id": self.cluster_id, "node_pool_id": pool.node_pool_id})
