"""Group `nodePool`: the elastic GPU node pool (tutorial step 1). Most of its rules hold what the
provider does not check at preview.
"""

from collections.abc import Iterator
from typing import Literal

from interruption_handler import pool_sizing
from settings.autoscaler import AutoscalerSettings
from settings.catalog import instance_types, node_allocatable
from settings.catalog.gpu import has_gpu
from settings.catalog.instance_types import Size
from settings.cluster import ClusterSettings
from settings.core.field import REQUIRED, Group, Number, Text, setting
from settings.core.problem import PROJECT, Problem, nearest, remove_command, set_command
from settings.core.rule import rule
from settings.core.types import (
    InstanceType,
    LabelKey,
    LabelValue,
    Price,
    SecurityGroupId,
    VSwitchId,
)
from settings.server import ServerSettings

REFUSED = (
    "the provider does not check this at preview, and ACK refuses the pool in the middle of the run"
)
SOURCE = "ECS' page on GPU-accelerated instance families (settings/catalog/instance_types.py)"
SPOT_POOLS = 2
"""Instance types that preemptible nodes are spread over when nothing is set."""
TAG_LIMIT = 12
"""Labels, taints and tags of a pool together: the node scaler reads the pool's template from the
scaling group's tags, and sees no more than these.
"""


class TaintSettings(Group):
    """The taint that keeps other pods off the GPU nodes."""

    key: LabelKey = setting(
        "nvidia.com/gpu",
        "Key of the taint.",
        expected="a label key",
        consequence=REFUSED,
        example="nvidia.com/gpu",
    )
    value: LabelValue = setting(
        "true",
        "Value of the taint.",
        expected="a label value in quotes",
        consequence=REFUSED,
        example="true",
    )
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = setting(
        "NoSchedule",
        "Effect of the taint on pods that don't tolerate it.",
        expected="NoSchedule, NoExecute or PreferNoSchedule",
        consequence=REFUSED,
        example="NoSchedule",
    )


class SizeSettings(Group):
    """What an instance of a type has."""

    cpus: int = setting(
        REQUIRED,
        "vCPUs of an instance.",
        ge=1,
        le=2048,
        expected="1 to 2048",
        consequence="pods are planned on nodes that can't hold them",
        example="8",
    )
    memory_gib: Number = setting(
        REQUIRED,
        "Memory of an instance, in GiB.",
        gt=0,
        le=65536,
        expected="a number above 0, in GiB",
        consequence="pods are planned on nodes that can't hold them",
        example="31",
    )
    gpus: int = setting(
        REQUIRED,
        "GPUs of an instance that pods can request.",
        ge=1,
        le=64,
        expected="1 to 64",
        consequence="pods are planned on nodes that can't hold them",
        example="1",
    )

    @property
    def size(self) -> Size:
        """The same as the catalogue has it."""
        return Size(self.cpus, self.memory_gib, self.gpus)


class NodePoolSettings(Group):
    """The elastic GPU node pool. Defaults are the tutorial's."""

    name: Text = setting(
        "inference",
        "First part of the pool's name; the stack's name and a digest of the properties that can't change in place follow.",
        pattern=r"^[a-z][a-z0-9-]{0,29}$",
        expected="at most 30 lower-case letters, digits and hyphens",
        consequence="the pool's name doesn't fit into a label value",
        example="inference",
    )
    generation: int = setting(
        1,
        "Raise it to replace the pool: the new pool is created, the pods move to it, the old pool is deleted.",
        ge=1,
        le=9999,
        expected="1 to 9999",
        consequence="the pool can't be replaced on request",
        example="2",
    )
    vswitch_ids: list[VSwitchId] = setting(
        [],
        "vSwitches of the nodes, one per zone. Required, except with cluster.create, which creates them.",
        max_length=8,
        expected="1 to 8 ids such as vsw-uf6abc",
        consequence="the provider does not check this at preview, and ACK has no zone to place a node in",
        example="vsw-uf6abc",
    )
    instance_types: list[InstanceType] = setting(
        ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge"],
        "GPU instance types; the cheapest available one is ordered.",
        min_length=1,
        max_length=10,
        expected="1 to 10 types such as ecs.gn6i-c4g1.xlarge",
        consequence=REFUSED,
        example="ecs.gn6i-c4g1.xlarge",
    )
    instance_sizes: dict[InstanceType, SizeSettings] = setting(
        {},
        "cpus, memoryGib and gpus of instance types that are newer than this program "
        "(settings/catalog/instance_types.py has those it knows), by type.",
        expected="instance type: cpus, memoryGib and gpus",
        consequence="it is unknown which pods a node of the type can hold",
        example="…",
    )
    min_size: int = setting(
        1,
        "Minimum number of nodes.",
        ge=0,
        le=999,
        expected="0 to 999, below maxSize",
        consequence=REFUSED,
        example="1",
    )
    max_size: int = setting(
        10,
        "Maximum number of nodes.",
        ge=1,
        le=1000,
        expected="1 to 1000, above minSize",
        consequence=REFUSED,
        example="10",
    )
    spot_strategy: Literal["SpotAsPriceGo", "SpotWithPriceLimit", "NoSpot"] = setting(
        "SpotAsPriceGo",
        "SpotAsPriceGo: preemptible instances at market price. SpotWithPriceLimit: up to spotPriceLimits. NoSpot: pay-as-you-go only.",
        expected="SpotAsPriceGo, SpotWithPriceLimit or NoSpot",
        consequence=REFUSED,
        example="SpotAsPriceGo",
    )
    spot_price_limits: dict[InstanceType, Price] = setting(
        {},
        "Price limit per hour and instance by instance type, in CNY, for SpotWithPriceLimit.",
        expected="instance type: price above 0",
        consequence="the pool bids nothing and never gets a preemptible node",
        example="0.9",
    )
    on_demand_base: int = setting(
        0,
        "Number of pay-as-you-go nodes that the pool orders before any preemptible one.",
        ge=0,
        le=1000,
        expected="0 to 1000",
        consequence=REFUSED,
        example="0",
    )
    on_demand_percent: int = setting(
        30,
        "Share of pay-as-you-go nodes among the nodes above onDemandBase, in per cent.",
        ge=0,
        le=100,
        expected="0 to 100, a whole number without quotes",
        consequence=REFUSED,
        example="30",
    )
    compensate_with_on_demand: bool = setting(
        True,
        "Order pay-as-you-go instances when no preemptible one is available.",
        expected="true or false",
        consequence="pods wait indefinitely while preemptible instances are out of stock",
        example="true",
    )
    spot_instance_remedy: bool = setting(
        True,
        "Order a replacement when ECS announces that it reclaims a preemptible instance.",
        expected="true or false",
        consequence="the capacity of a reclaimed node is missing for minutes",
        example="true",
    )
    spot_instance_pools: int | None = setting(
        None,
        "Number of instance types, cheapest first, that preemptible nodes are spread over. Unset: 2, or 1 with a single instance type.",
        ge=1,
        le=10,
        expected="1 to 10, at most the number of instanceTypes",
        consequence=REFUSED,
        example="2",
    )
    multi_az_policy: Literal["COST_OPTIMIZED", "BALANCE", "PRIORITY"] = setting(
        "COST_OPTIMIZED",
        "How the zone of a new node is chosen.",
        expected="COST_OPTIMIZED, BALANCE or PRIORITY",
        consequence=REFUSED,
        example="COST_OPTIMIZED",
    )
    labels: dict[LabelKey, LabelValue] = setting(
        {"inference": "tensorflow"},
        "Labels of the nodes; the serving pods select nodes by them.",
        min_length=1,
        expected="label key: value, values in quotes",
        consequence="the pods find no node, or run on nodes of another pool",
        example="tensorflow",
    )
    # Of ACK's modes only the exclusive one offers whole GPUs: each mode sets the resources of the
    # others to 0 (https://www.alibabacloud.com/help/doc-detail/191140.html, seen 2026-11-30).
    gpu_schedule: Literal["none", "default"] = setting(
        "none",
        "Value of the node label ack.node.gpu.schedule (ACK's GPU scheduling mode). none: the label is not set. default: pods get whole GPUs.",
        expected="none or default: the serving pods request whole GPUs (nvidia.com/gpu)",
        consequence="nodes in ACK's other modes (share, cgpu, core_mem, mps, topology) offer no nvidia.com/gpu, and the pods wait indefinitely beside billed nodes",
        example="default",
    )
    driver_version: Text | None = setting(
        None,
        "Version of the NVIDIA driver. It takes effect when a node is created, so a change replaces the pool.",
        pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$",
        expected="a version such as 550.144.03, in quotes",
        consequence="ACK installs a driver that the serving image may not run on",
        example="550.144.03",
    )
    taint: TaintSettings = setting(
        TaintSettings(),
        "Taint of the nodes, which keeps pods that need no GPU off them.",
        expected="key, value and effect",
        consequence="other pods take the room of the GPU nodes",
        example="x",
    )
    image_type: Literal[
        "AliyunLinux3", "AliyunLinux3ContainerOptimized", "ContainerOS", "Ubuntu"
    ] = setting(
        "AliyunLinux3",
        "Operating system image of the nodes.",
        expected="AliyunLinux3, AliyunLinux3ContainerOptimized, ContainerOS or Ubuntu",
        consequence=REFUSED,
        example="AliyunLinux3",
    )
    system_disk_category: Literal["cloud_essd", "cloud_auto", "cloud_ssd", "cloud_efficiency"] = (
        setting(
            "cloud_essd",
            "Category of the nodes' system disk.",
            expected="cloud_essd, cloud_auto, cloud_ssd or cloud_efficiency",
            consequence=REFUSED,
            example="cloud_essd",
        )
    )
    system_disk_size: int = setting(
        120,
        "System disk size of a node, in GiB. The serving image alone takes several.",
        ge=40,
        le=2048,
        expected="40 to 2048 GiB",
        consequence="the provider does not check this at preview, and nodes run out of disk space while they pull the image",
        example="120",
    )
    security_group_ids: list[SecurityGroupId] = setting(
        [],
        "Security groups of the nodes. Empty: the cluster's.",
        max_length=5,
        expected="at most 5 ids such as sg-uf6abc",
        consequence=REFUSED,
        example="sg-uf6abc",
    )
    key_name: Text | None = setting(
        None,
        "SSH key pair of the nodes. Unset: no SSH login.",
        min_length=2,
        max_length=128,
        expected="the name of a key pair",
        consequence=REFUSED,
        example="ops",
    )
    auto_repair: bool = setting(
        True,
        "Let ACK repair nodes that are not healthy.",
        expected="true or false",
        consequence="a broken GPU node stays and is billed",
        example="true",
    )

    def size_of(self, instance_type: str) -> Size | None:
        """What an instance of the type has: as set, else as published; None when it is unknown."""
        given = self.instance_sizes.get(instance_type)
        return given.size if given else instance_types.SIZES.get(instance_type)

    @property
    def sizes(self) -> dict[str, Size]:
        """The sizes of the pool's instance types, without those that are unknown."""
        return {name: size for name in self.instance_types if (size := self.size_of(name))}

    @property
    def spot_pools(self) -> int:
        """`spotInstancePools` as set, else 2, or 1 with a single instance type."""
        return self.spot_instance_pools or min(SPOT_POOLS, len(self.instance_types))


def pods_per_node(node_pool: NodePoolSettings, server: ServerSettings) -> int:
    """Serving pods that fit on a node of any of the pool's instance types; at least 1, because a
    pool without room for one is a Problem of its own.
    """
    return max(1, min((_pods_on(size, server) for size in node_pool.sizes.values()), default=1))


def _pods_on(size: Size, server: ServerSettings) -> int:
    """Serving pods that fit on one node: by its GPUs, CPU and memory."""
    millicores, mib = _allocatable(size)
    fits = [pool_sizing.pods_per_node([size.gpus], server.gpus)]
    for room, request in (
        (millicores, node_allocatable.quantity(server.cpu) * 1000),
        (mib * 2**20, node_allocatable.quantity(server.memory)),
    ):
        if request:
            fits.append(int(room / request + 1e-9))
    return min(fits)


def _allocatable(size: Size) -> tuple[int, int]:
    """(millicores, MiB) that pods get on a node of that size."""
    return node_allocatable.allocatable(size.cpus, int(size.memory_gib * 1024))


def nodes_for(pods: int, node_pool: NodePoolSettings, server: ServerSettings) -> int:
    """Number of nodes that `pods` serving pods need."""
    return pool_sizing.nodes_for_pods(pods, pods_per_node(node_pool, server))


@rule("nodePool.vswitchIds", "cluster.create")
def _nodes_have_a_network(
    node_pool: NodePoolSettings, cluster: ClusterSettings
) -> Iterator[Problem]:
    if not node_pool.vswitch_ids and not cluster.create:
        yield Problem(
            "nodePool.vswitchIds",
            None,
            "1 to 8 ids such as vsw-uf6abc",
            "the provider does not check this at preview, and ACK has no zone to place a node in",
            set_command("nodePool.vswitchIds[0]", "vsw-uf6abc"),
        )
    if node_pool.vswitch_ids and cluster.create:
        yield Problem(
            "nodePool.vswitchIds",
            node_pool.vswitch_ids,
            "nothing with cluster.create: the nodes use the vSwitches that it creates",
            "the nodes can't reach the cluster from another network",
            remove_command("nodePool.vswitchIds"),
        )


@rule("nodePool.minSize", "nodePool.maxSize")
def _pool_can_grow(node_pool: NodePoolSettings) -> Iterator[Problem]:
    if node_pool.max_size <= node_pool.min_size:
        yield Problem(
            "nodePool.maxSize",
            node_pool.max_size,
            f"more than nodePool.minSize, which is {node_pool.min_size}",
            REFUSED,
            set_command("nodePool.maxSize", str(node_pool.min_size + 1)),
        )


@rule("nodePool.onDemandBase", "nodePool.maxSize")
def _base_fits_the_pool(node_pool: NodePoolSettings) -> Iterator[Problem]:
    if node_pool.on_demand_base > node_pool.max_size:
        yield Problem(
            "nodePool.onDemandBase",
            node_pool.on_demand_base,
            f"at most nodePool.maxSize, which is {node_pool.max_size}",
            "no preemptible node is ever ordered",
            set_command("nodePool.onDemandBase", "0"),
        )


@rule("nodePool.spotStrategy", "nodePool.spotPriceLimits", "nodePool.instanceTypes")
def _price_limits_fit_the_strategy(node_pool: NodePoolSettings) -> Iterator[Problem]:
    limits, types = node_pool.spot_price_limits, node_pool.instance_types
    limited = node_pool.spot_strategy == "SpotWithPriceLimit"
    missing = [name for name in types if name not in limits]
    foreign = [name for name in limits if name not in types]
    if limited and missing:
        yield Problem(
            "nodePool.spotPriceLimits",
            limits,
            f"a price for every instance type; missing: {', '.join(missing)}",
            "the pool bids nothing for these types",
            set_command(f'nodePool.spotPriceLimits["{missing[0]}"]', "<price per hour>"),
        )
    if limits and not limited:
        yield Problem(
            "nodePool.spotPriceLimits",
            limits,
            f"nothing with spotStrategy {node_pool.spot_strategy}",
            "the limits are ignored and any price is paid",
            set_command("nodePool.spotStrategy", "SpotWithPriceLimit"),
        )
    if foreign and limited:
        yield Problem(
            "nodePool.spotPriceLimits",
            foreign,
            "only types of nodePool.instanceTypes",
            "the limit applies to no node",
            remove_command(f'nodePool.spotPriceLimits["{foreign[0]}"]'),
        )


@rule("nodePool.spotStrategy", "nodePool.spotInstanceRemedy")
def _remedy_needs_spot(node_pool: NodePoolSettings) -> Iterator[Problem]:
    if node_pool.spot_strategy == "NoSpot" and node_pool.spot_instance_remedy:
        yield Problem(
            "nodePool.spotInstanceRemedy",
            True,
            "false with spotStrategy NoSpot",
            "ACK refuses the pool in the middle of the run",
            set_command("nodePool.spotInstanceRemedy", "false"),
        )


@rule("nodePool.multiAzPolicy", "nodePool.compensateWithOnDemand")
def _mix_needs_cost_optimization(node_pool: NodePoolSettings) -> Iterator[Problem]:
    if node_pool.multi_az_policy != "COST_OPTIMIZED" and node_pool.compensate_with_on_demand:
        yield Problem(
            "nodePool.multiAzPolicy",
            node_pool.multi_az_policy,
            "COST_OPTIMIZED, or compensateWithOnDemand false",
            "the pay-as-you-go share and the supplement have no effect",
            set_command("nodePool.multiAzPolicy", "COST_OPTIMIZED"),
        )


@rule("nodePool.spotInstancePools", "nodePool.instanceTypes")
def _spread_over_existing_types(node_pool: NodePoolSettings) -> Iterator[Problem]:
    types = len(node_pool.instance_types)
    if node_pool.spot_instance_pools and node_pool.spot_instance_pools > types:
        yield Problem(
            "nodePool.spotInstancePools",
            node_pool.spot_instance_pools,
            f"at most the number of instanceTypes, {types}",
            "ACK refuses the pool in the middle of the run",
            remove_command("nodePool.spotInstancePools"),
        )


@rule("nodePool.instanceTypes", "nodePool.vswitchIds", "nodePool.securityGroupIds")
def _lists_hold_each_value_once(node_pool: NodePoolSettings) -> Iterator[Problem]:
    for field, values in (
        ("instanceTypes", node_pool.instance_types),
        ("vswitchIds", node_pool.vswitch_ids),
        ("securityGroupIds", node_pool.security_group_ids),
    ):
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            last = len(values) - 1 - values[::-1].index(repeated[0])
            yield Problem(
                f"nodePool.{field}",
                repeated[0],
                "each value once",
                "ACK refuses the pool in the middle of the run",
                remove_command(f"nodePool.{field}[{last}]"),
            )


@rule("nodePool.instanceTypes", "nodePool.instanceSizes")
def _nodes_have_gpus(node_pool: NodePoolSettings) -> Iterator[Problem]:
    for index, instance_type in enumerate(node_pool.instance_types):
        field = f"nodePool.instanceTypes[{index}]"
        if node_pool.size_of(instance_type):
            continue
        if not has_gpu(instance_type):
            yield Problem(
                field,
                instance_type,
                "a GPU type (ecs.gn…, ecs.vgn…, ecs.sgn…)",
                "the scaler assumes the poorest type, here one without a GPU, and never adds a node for a pod that requests one",
                set_command(field, "ecs.gn6i-c4g1.xlarge"),
            )
        else:
            guess = nearest(instance_type, instance_types.SIZES) or "ecs.gn6i-c4g1.xlarge"
            yield Problem(
                field,
                instance_type,
                f"an instance type of {SOURCE}, such as {guess}; or a newer one, whose size nodePool.instanceSizes tells",
                "if there is no such type, ACK refuses the pool in the middle of the run; and it is unknown which pods a node of it can hold",
                f"{set_command(field, guess)}  (or, for a type that exists: write cpus, memoryGib and gpus as indented lines below "
                f"'{instance_type}:' in instanceSizes of '{PROJECT}:nodePool:' in the stack file)",
            )


@rule("nodePool.instanceSizes", "nodePool.instanceTypes")
def _sizes_are_of_the_pools_types(node_pool: NodePoolSettings) -> Iterator[Problem]:
    for name in node_pool.instance_sizes:
        if name not in node_pool.instance_types:
            yield Problem(
                f'nodePool.instanceSizes["{name}"]',
                name,
                f"one of nodePool.instanceTypes: {', '.join(node_pool.instance_types)}",
                "the size belongs to no node of the pool, and has no effect",
                remove_command(f'nodePool.instanceSizes["{name}"]'),
            )


@rule(
    "nodePool.instanceTypes",
    "nodePool.instanceSizes",
    "nodePool.maxSize",
    "server.gpus",
    "server.cpu",
    "server.memory",
    "autoscaler.maxReplicas",
)
def _nodes_are_enough_for_all_pods(
    node_pool: NodePoolSettings, server: ServerSettings, autoscaler: AutoscalerSettings
) -> Iterator[Problem]:
    gpus, pods, sizes = server.gpus, autoscaler.max_replicas, node_pool.sizes
    if len(sizes) < len(set(node_pool.instance_types)):
        return  # an unknown type is a problem of its own
    fewest_gpus = min(size.gpus for size in sizes.values())
    per_node = min(_pods_on(size, server) for size in sizes.values())
    if fewest_gpus < gpus:
        yield Problem(
            "server.gpus",
            gpus,
            f"at most {fewest_gpus}, the GPUs of the poorest of nodePool.instanceTypes",
            "the pods fit on no node and wait indefinitely",
            set_command("server.gpus", str(fewest_gpus)),
        )
    elif per_node and pool_sizing.nodes_for_pods(pods, per_node) > node_pool.max_size:
        yield Problem(
            "autoscaler.maxReplicas",
            pods,
            f"at most {node_pool.max_size * per_node}, what nodePool.maxSize nodes can hold",
            "the HPA asks for pods that wait indefinitely",
            set_command("nodePool.maxSize", str(pool_sizing.nodes_for_pods(pods, per_node))),
        )


@rule("nodePool.instanceTypes", "nodePool.instanceSizes", "server.cpu", "server.memory")
def _a_pod_fits_on_a_node(node_pool: NodePoolSettings, server: ServerSettings) -> Iterator[Problem]:
    """The scaler expects a node with the least of each resource among the types: a pod that does
    not fit there gets none.
    """
    allocatable = {name: _allocatable(size) for name, size in node_pool.sizes.items()}
    if not allocatable:
        return
    never = "the pods fit on no node and wait indefinitely"
    smallest, (millicores, _) = min(allocatable.items(), key=lambda row: row[1][0])
    if node_allocatable.quantity(server.cpu) * 1000 > millicores:
        yield Problem(
            "server.cpu",
            server.cpu,
            f"at most {millicores}m, what ACK leaves for pods on {smallest}, the smallest of nodePool.instanceTypes",
            never,
            set_command(
                "server.cpu",
                str(millicores // 1000) if millicores >= 1000 else f"{millicores}m",
            ),
        )
    smallest, (_, mib) = min(allocatable.items(), key=lambda row: row[1][1])
    if node_allocatable.quantity(server.memory) > mib * 2**20:
        yield Problem(
            "server.memory",
            server.memory,
            f"at most {mib}Mi, what ACK leaves for pods on {smallest}, the smallest of nodePool.instanceTypes",
            never,
            set_command("server.memory", f"{mib // 1024}Gi"),
        )


@rule("nodePool.labels", "nodePool.gpuSchedule", "nodePool.driverVersion", "tags", "owner")
def _scaler_sees_every_label(
    node_pool: NodePoolSettings, pool_tags: dict[str, str]
) -> Iterator[Problem]:
    labels = (
        len(node_pool.labels)
        + 2  # names.POOL_LABEL and names.STACK_LABEL
        + (node_pool.gpu_schedule != "none")
        + (node_pool.driver_version is not None)
    )
    total = labels + 1 + len(pool_tags)
    if total > TAG_LIMIT:
        yield Problem(
            "nodePool.labels",
            f"{labels} labels + 1 taint + {len(pool_tags)} tags = {total}",
            f"at most {TAG_LIMIT} together",
            "the scaler can't see the rest, and a pool at zero nodes never grows",
            f"remove {total - TAG_LIMIT} of them: {remove_command('tags.<key>')}",
        )
