"""The elastic GPU node pool (tutorial step 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.adoption import adoption
from components.component import Component
from settings import names

# Written by others: the node scaler moves the desired size, the service fills in the EIP fields.
# Measured: without these the provider shows a difference for ever (and sends an empty PUT at each
# run).
IGNORE_CHANGES = [
    "desiredSize",
    "scalingConfig.eipBandwidth",
    "scalingConfig.eipInternetChargeType",
]
# An adopted pool keeps its own; the rest the service doesn't tell.
IGNORE_WHEN_ADOPTED = ["nodePoolName", "tags", "updateNodes"]


@dataclass(frozen=True)
class NodePoolArgs:
    """Inputs of NodePool. Defaults are the tutorial's."""

    cluster_id: Input[str]
    """Cluster of the pool; taken from the component that set the node scaler."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches, one per zone."""
    name: Input[str] = "inference"
    """Start of the pool's name."""
    stack: Input[str] = ""
    """Part of the pool's name and a label of its nodes, so that stacks can share a cluster."""
    generation: Input[int] = 1
    """Raise to replace the pool."""
    instance_types: Input[Sequence[str]] = ("ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge")
    """GPU instance types."""
    min_size: Input[int] = 1
    """Fewest nodes."""
    max_size: Input[int] = 10
    """Most nodes, above min_size."""
    spot_strategy: Input[str] = "SpotAsPriceGo"
    """SpotAsPriceGo, SpotWithPriceLimit or NoSpot."""
    spot_price_limits: Input[Mapping[str, float]] = field(default_factory=dict)
    """Highest hourly price per instance type."""
    on_demand_base: Input[int] = 0
    """Pay-as-you-go nodes before any preemptible one."""
    on_demand_percent: Input[int] = 30
    """Share of pay-as-you-go nodes above the base, per cent."""
    compensate_with_on_demand: Input[bool] = True
    """Buy pay-as-you-go when no preemptible instance can be had."""
    spot_instance_remedy: Input[bool] = True
    """Order a replacement at a reclaim notice."""
    spot_instance_pools: Input[int] = 2
    """Number of cheapest types to spread over."""
    multi_az_policy: Input[str] = "COST_OPTIMIZED"
    """How zones are chosen."""
    labels: Input[Mapping[str, str]] = field(default_factory=lambda: {"inference": "tensorflow"})
    """Node labels the pods select on."""
    gpu_schedule: Input[str] = "none"
    """Value of ack.node.gpu.schedule, or none."""
    driver_version: Input[str] | None = None
    """NVIDIA driver to pin."""
    taint: Input[alicloud.cs.NodePoolTaintArgsDict] = field(
        default_factory=lambda: {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    )
    """Taint that keeps other pods off: key, value, effect."""
    image_type: Input[str] = "AliyunLinux3"
    """Operating system."""
    system_disk_category: Input[str] = "cloud_essd"
    """Kind of system disk."""
    system_disk_size: Input[int] = 120
    """GiB."""
    security_group_ids: Input[Sequence[str]] = ()
    """Security groups; empty: the cluster's."""
    key_name: Input[str] | None = None
    """SSH key pair."""
    auto_repair: Input[bool] = True
    """Let ACK repair broken nodes."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """ECS tags. Labels, taints and tags are at most 12 together."""
    adopt: str | None = None
    """`<cluster id>:<pool id>` of an existing pool to take over. Known before the run."""
    change_adopted: bool = False
    """Whether such a pool may be changed. Known before the run."""


class NodePool(Component):
    """Preemptible GPU nodes with a pay-as-you-go share, scaled by the cluster's node scaler.

    The pool's name ends in a digest of what can't be changed in place, and a change of the name
    replaces the pool. Old and new therefore never share a name (the provider gives none by itself),
    and because the pods select on a label that carries the name, the order is: new pool, pods move
    over, old pool goes.
    """

    node_pool_id: pulumi.Output[str]
    """Id of the pool; fails when its creation did not complete."""
    name: pulumi.Output[str]
    """Name of the pool."""
    own_labels: pulumi.Output[dict[str, str]]
    """Label that no other node carries; known before the pool is made."""
    selector: pulumi.Output[dict[str, str]]
    """Labels that only this pool's nodes carry, as the provider reports them."""
    tolerations: pulumi.Output[Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]]
    """Tolerations for the pool's taints."""

    def __init__(self, name: str, args: NodePoolArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:NodePool", name, opts)
        self.name = pool_name(args)
        self.own_labels = self.name.apply(lambda known: own_labels(known, args.adopt))
        pool = self._pool(args)
        if args.adopt:
            self.name = pool.node_pool_name
        self.node_pool_id = pulumi.Output.all(
            pool.node_pool_id, pool.scaling_group_id, pool.node_pool_name
        ).apply(_must_be_ordered)
        labels = pool.labels.apply(
            lambda labels: {label.key: label.value or "" for label in labels or ()}
        )
        self.selector = pulumi.Output.all(labels, self.own_labels).apply(
            lambda known: known[0] | known[1]
        )
        self.tolerations = pool.taints.apply(_tolerations)
        self.finish(
            {
                "node_pool_id": self.node_pool_id,
                "name": self.name,
                "scaling_group_id": pool.scaling_group_id,
            }
        )

    def _pool(self, args: NodePoolArgs) -> alicloud.cs.NodePool:
        options = self.child(
            **adoption(args.adopt, "nodePool", args.change_adopted),
            ignore_changes=IGNORE_CHANGES + (IGNORE_WHEN_ADOPTED if args.adopt else []),
            replace_on_changes=["nodePoolName"],
            # The provider polls a creation task for 90 minutes; a task that lives longer than this
            # is stuck.
            custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m", delete="30m"),
        )
        return alicloud.cs.NodePool(
            self.child_name("pool"),
            cluster_id=args.cluster_id,
            node_pool_name=self.name,
            vswitch_ids=args.vswitch_ids,
            instance_types=args.instance_types,
            scaling_policy="release",
            scaling_config={
                "enable": True,
                "min_size": args.min_size,
                "max_size": args.max_size,
                "type": "gpu",
            },
            **_charging(args),
            **_nodes(args),
            labels=self._labels(args),
            taints=[args.taint],
            tags=args.tags,
            update_nodes=True,
            install_cloud_monitor=True,
            opts=options,
            management={
                "enable": True,
                "auto_repair": args.auto_repair,
                "auto_upgrade": False,
                "auto_vul_fix": False,
                "max_unavailable": 1,
            },
        )

    def _labels(
        self, args: NodePoolArgs
    ) -> pulumi.Output[Sequence[Input[alicloud.cs.NodePoolLabelArgsDict]] | None]:
        def sorted_list(
            known: Mapping[str, Any],
        ) -> Sequence[Input[alicloud.cs.NodePoolLabelArgsDict]] | None:
            labels = dict(known["labels"])
            if not args.adopt:
                labels |= own_labels(known["name"]) | (
                    {names.STACK_LABEL: known["stack"]} if known["stack"] else {}
                )
            if known["gpu_schedule"] != "none":
                labels["ack.node.gpu.schedule"] = known["gpu_schedule"]
            if known["driver"]:
                labels["ack.aliyun.com/nvidia-driver-version"] = known["driver"]
            return [{"key": key, "value": labels[key]} for key in sorted(labels)]

        return pulumi.Output.all(
            labels=args.labels,
            name=self.name,
            stack=args.stack,
            gpu_schedule=args.gpu_schedule,
            driver=args.driver_version,
        ).apply(sorted_list)


def own_labels(name: str, adopted: str | None = None) -> dict[str, str]:
    """The label that only this pool's nodes carry: one with the pool's name, or the pool's id,
    which ACK puts on every node.
    """
    return (
        {"alibabacloud.com/nodepool-id": adopted.split(":")[1]}
        if adopted
        else {names.POOL_LABEL: name}
    )


def pool_name(args: NodePoolArgs) -> pulumi.Output[str]:
    """`<name>-<stack>-<digest>`; the digest covers what ACK can't change on an existing pool, or
    applies to new nodes only.
    """
    fixed = [
        args.generation,
        args.spot_strategy,
        args.multi_az_policy,
        args.driver_version,
        args.gpu_schedule,
        args.security_group_ids,
    ]
    return pulumi.Output.all(args.name, args.stack, *fixed).apply(
        lambda all: "-".join([part for part in all[:2] if part] + [names.digest(all[2:], 6)])
    )


def _charging(args: NodePoolArgs) -> dict[str, Any]:
    """Preemptible and pay-as-you-go. The two numbers travel as text: the provider drops a zero that
    is a number.
    """
    return {
        "instance_charge_type": "PostPaid",
        "spot_strategy": args.spot_strategy,
        "multi_az_policy": args.multi_az_policy,
        "spot_price_limits": pulumi.Output.from_input(args.spot_price_limits).apply(
            lambda limits: (
                [
                    {"instance_type": kind, "price_limit": f"{limits[kind]:g}"}
                    for kind in sorted(limits)
                ]
                or None
            )
        ),
        "on_demand_base_capacity": pulumi.Output.from_input(args.on_demand_base).apply(str),
        "on_demand_percentage_above_base_capacity": pulumi.Output.from_input(
            args.on_demand_percent
        ).apply(str),
        "compensate_with_on_demand": args.compensate_with_on_demand,
        "spot_instance_remedy": args.spot_instance_remedy,
        "spot_instance_pools": args.spot_instance_pools,
    }


def _nodes(args: NodePoolArgs) -> dict[str, Any]:
    disk = pulumi.Output.from_input(args.system_disk_category)
    return {
        "image_type": args.image_type,
        "system_disk_category": disk,
        "system_disk_size": args.system_disk_size,
        "system_disk_performance_level": disk.apply(
            lambda kind: "PL1" if kind == "cloud_essd" else None
        ),
        "security_group_ids": pulumi.Output.from_input(args.security_group_ids).apply(
            lambda ids: list(ids) or None
        ),
        "key_name": args.key_name,
    }


def _must_be_ordered(known: Sequence[Any]) -> str:
    """The pool's id. After a failed creation task the next run reads the pool, finds no difference
    and calls it updated, although nothing was ordered: such a pool has no scaling group. One
    without an id was left out of this run (`--target`): "" then.
    """
    pool_id, scaling_group_id, name = known
    if pool_id and not scaling_group_id:
        raise pulumi.RunError(
            f"node pool {name} ({pool_id}) has no scaling group: its creation did not complete, and no run will "
            f"order nodes for it.\n"
            "  expected: a pool whose creation task ended with success\n  otherwise: the pods wait for nodes without end\n"
            "  remedy: see the pool's events in the ACK console (stock, quota, permissions), mend the cause, then raise "
            "nodePool.generation and run again"
        )
    return pool_id or ""


def _tolerations(
    taints: Sequence[Any] | None,
) -> Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]:
    return [
        {
            "key": taint.key,
            "operator": "Equal",
            "value": taint.value or "",
            "effect": taint.effect or "NoSchedule",
        }
        for taint in taints or ()
    ]
