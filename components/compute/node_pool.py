"""The elastic GPU node pool (tutorial step 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.adoption import adoption
from components.component import Component
from settings import names
from settings.adopt import Adoption
from settings.node_pool import NodePoolSettings

IGNORE_CHANGES = [
    "desiredSize",
    "scalingConfig.eipBandwidth",
    "scalingConfig.eipInternetChargeType",
]
"""The node scaler moves the desired size, the service fills in the EIP fields. Measured: without
these the provider shows a difference, and sends an empty PUT, at every run.
"""
IGNORE_WHEN_ADOPTED = ["nodePoolName", "tags", "resourceGroupId", "updateNodes"]
"""An adopted pool keeps its name, tags and group; the service does not return `updateNodes`."""


@dataclass(frozen=True)
class NodePoolArgs:
    """Inputs of NodePool."""

    settings: NodePoolSettings
    """Group `nodePool`."""
    cluster_id: Input[str]
    """Cluster of the pool; taken from the component that configured the node scaler."""
    vswitch_ids: Input[Sequence[str]]
    """vSwitches of the nodes, one per zone."""
    stack: str
    """Name of the stack: part of the pool's name and a label of its nodes, so that stacks can share
    a cluster.
    """
    tags: Mapping[str, str]
    """ECS tags. Labels, taints and tags are at most 12 together."""
    resource_group_id: str | None = None
    """Resource group; None: the account's default one."""
    adopt: Adoption | None = None
    """Existing pool to take over; its import id is `<cluster id>:<pool id>`."""


class NodePool(Component):
    """Preemptible GPU nodes with a pay-as-you-go share, scaled by the cluster's node scaler.

    The pool's name ends in a digest of the properties that can't be changed in place, and a change
    of the name replaces the pool. Old and new pool therefore never share a name (the provider does
    not auto-name pools). The pods select nodes by a label with the pool's name, so the order is:
    the new pool is created, the pods move to it, the old pool is deleted.
    """

    node_pool_id: pulumi.Output[str]
    """Id of the pool; fails when the creation of the pool did not complete."""
    name: pulumi.Output[str]
    """Name of the pool."""
    own_labels: dict[str, str]
    """Label that no other node has; known before the pool is created."""
    stack_labels: dict[str, str]
    """Labels that the nodes of all pools of this stack share, the pool's predecessors included."""
    selector: pulumi.Output[dict[str, str]]
    """Labels that only this pool's nodes have, as the provider reports them."""
    tolerations: pulumi.Output[Sequence[Input[kubernetes.core.v1.TolerationArgsDict]]]
    """Tolerations for the pool's taints."""

    def __init__(self, name: str, args: NodePoolArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:NodePool", name, opts)
        own_name = pool_name(args.settings, args.stack)
        self.own_labels = own_labels(own_name, args.adopt)
        self.stack_labels = args.settings.labels | (
            {} if args.adopt else {names.STACK_LABEL: args.stack}
        )
        pool = self._pool(args, own_name)
        self.name = pool.node_pool_name if args.adopt else pulumi.Output.from_input(own_name)
        self.node_pool_id = pulumi.Output.all(
            pool.node_pool_id, pool.scaling_group_id, pool.node_pool_name
        ).apply(_must_be_ordered)
        self.selector = pool.labels.apply(
            lambda labels: {
                **{label.key: label.value or "" for label in labels or ()},
                **self.own_labels,
            }
        )
        self.tolerations = pool.taints.apply(_tolerations)
        self.register_outputs(
            {
                "node_pool_id": self.node_pool_id,
                "name": self.name,
                "scaling_group_id": pool.scaling_group_id,
            }
        )

    def _pool(self, args: NodePoolArgs, own_name: str) -> alicloud.cs.NodePool:
        settings = args.settings
        labels = node_labels(settings, {} if args.adopt else self.own_labels | self.stack_labels)
        options = pulumi.ResourceOptions(
            parent=self,
            ignore_changes=IGNORE_CHANGES + (IGNORE_WHEN_ADOPTED if args.adopt else []),
            replace_on_changes=["nodePoolName"],
            # The provider polls a creation task for 90 minutes; a task that takes longer than this
            # is stuck.
            custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m", delete="30m"),
        )
        return alicloud.cs.NodePool(
            self.child_name("pool"),
            cluster_id=args.cluster_id,
            node_pool_name=own_name,
            vswitch_ids=args.vswitch_ids,
            instance_types=settings.instance_types,
            scaling_policy="release",
            scaling_config={
                "enable": True,
                "min_size": settings.min_size,
                "max_size": settings.max_size,
                "type": "gpu",
            },
            instance_charge_type="PostPaid",
            spot_strategy=settings.spot_strategy,
            spot_price_limits=[
                {"instance_type": name, "price_limit": f"{price:g}"}
                for name, price in sorted(settings.spot_price_limits.items())
            ]
            or None,
            # As text: the provider drops a zero that is a number.
            on_demand_base_capacity=str(settings.on_demand_base),
            on_demand_percentage_above_base_capacity=str(settings.on_demand_percent),
            compensate_with_on_demand=settings.compensate_with_on_demand,
            spot_instance_remedy=settings.spot_instance_remedy,
            spot_instance_pools=settings.spot_pools,
            multi_az_policy=settings.multi_az_policy,
            image_type=settings.image_type,
            system_disk_category=settings.system_disk_category,
            system_disk_size=settings.system_disk_size,
            system_disk_performance_level="PL1"
            if settings.system_disk_category == "cloud_essd"
            else None,
            security_group_ids=settings.security_group_ids or None,
            key_name=settings.key_name,
            # In one order: the provider compares lists.
            labels=[{"key": key, "value": labels[key]} for key in sorted(labels)],
            taints=[
                {
                    "key": settings.taint.key,
                    "value": settings.taint.value,
                    "effect": settings.taint.effect,
                }
            ],
            tags=args.tags,
            resource_group_id=args.resource_group_id,
            update_nodes=True,
            install_cloud_monitor=True,
            management={
                "enable": True,
                "auto_repair": settings.auto_repair,
                "auto_upgrade": False,
                "auto_vul_fix": False,
                "max_unavailable": 1,
            },
            opts=pulumi.ResourceOptions.merge(options, adoption(args.adopt, "nodePool")),
        )


def pool_name(settings: NodePoolSettings, stack: str) -> str:
    """`<name>-<stack>-<digest>`. The digest covers the properties that ACK can't change on an
    existing pool, or applies to new nodes only.
    """
    fixed = [
        settings.generation,
        settings.spot_strategy,
        settings.multi_az_policy,
        settings.driver_version,
        settings.gpu_schedule,
        settings.security_group_ids,
    ]
    return names.node_pool(settings.name, stack, fixed)


def own_labels(name: str, adopt: Adoption | None) -> dict[str, str]:
    """The label that only this pool's nodes have: the pool's name or, on an adopted pool, its id,
    with which ACK labels every node.
    """
    if adopt:
        return {"alibabacloud.com/nodepool-id": adopt.resource_id.split(":")[1]}
    return {names.POOL_LABEL: name}


def node_labels(settings: NodePoolSettings, added: Mapping[str, str]) -> dict[str, str]:
    """Labels of the pool's nodes: those of the settings and `added`."""
    labels = {**settings.labels, **added}
    if settings.gpu_schedule != "none":
        labels[names.GPU_SCHEDULE_LABEL] = settings.gpu_schedule
    if settings.driver_version:
        labels[names.DRIVER_VERSION_LABEL] = settings.driver_version
    return labels


def _must_be_ordered(known: Sequence[Any]) -> str:
    """The pool's id. After a failed creation task the next run reads the pool, finds no difference
    and calls it updated, although no node was ordered: such a pool has no scaling group. A pool
    without an id was left out of this run (`--target`): "" then.
    """
    pool_id, scaling_group_id, name = known
    if pool_id and not scaling_group_id:
        raise pulumi.RunError(
            f"node pool {name} ({pool_id}) has no scaling group: its creation did not complete, and no run will "
            f"order nodes for it.\n"
            "  expected: a pool whose creation task ended with success\n  otherwise: the pods wait for nodes indefinitely\n"
            "  remedy: see the pool's events in the ACK console (stock, quota, permissions), fix the cause, then raise "
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
