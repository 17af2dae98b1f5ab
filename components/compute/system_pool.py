"""The system nodes of a cluster that the stack creates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from settings.cluster import CreateSettings

IGNORE_CHANGES = ["scalingConfig"]
"""The service fills it in."""


@dataclass(frozen=True)
class SystemPoolArgs:
    """Inputs of SystemPool."""

    settings: CreateSettings
    """Group `cluster.create`."""
    cluster_id: Input[str]
    """Cluster of the pool."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches of the nodes, one per zone."""
    tags: Mapping[str, str]
    """ECS tags."""
    resource_group_id: str | None = None
    """Resource group; None: the account's default one."""


class SystemPool(Component):
    """Pay-as-you-go nodes that no scaler touches, spread over the zones.

    The node scaler, the DNS, the ingress controller and the interruption handler must outlive every
    preemptible node. None of them tolerates the taint of the GPU nodes, so without these nodes they
    would not run at all.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once it has nodes: add-ons and pods take it from here."""

    def __init__(self, name: str, args: SystemPoolArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:SystemPool", name, opts)
        settings = args.settings
        pool = alicloud.cs.NodePool(
            self.child_name("pool"),
            cluster_id=args.cluster_id,
            node_pool_name="system",
            vswitch_ids=args.vswitch_ids,
            instance_types=settings.system_instance_types,
            instance_charge_type="PostPaid",
            spot_strategy="NoSpot",
            multi_az_policy="BALANCE",
            desired_size=str(settings.system_size),
            image_type="AliyunLinux3",
            system_disk_category="cloud_essd",
            system_disk_performance_level="PL1",
            system_disk_size=settings.system_disk_size,
            install_cloud_monitor=True,
            management={
                "enable": True,
                "auto_repair": True,
                "auto_upgrade": False,
                "auto_vul_fix": False,
                "max_unavailable": 1,
            },
            tags=args.tags,
            resource_group_id=args.resource_group_id,
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=IGNORE_CHANGES,
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m", delete="30m"),
            ),
        )
        self.cluster_id = pulumi.Output.all(pool.cluster_id, pool.node_pool_id).apply(
            lambda known: known[0]
        )
        self.register_outputs({"cluster_id": self.cluster_id, "node_pool_id": pool.node_pool_id})
