"""Rules on the node pool: most of this the provider does not check at preview."""

from collections.abc import Iterator

from interruption_handler.pool_sizing import nodes_for_pods, pods_per_node
from settings.catalog import node_allocatable
from settings.catalog.gpu import count, has_gpu
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.names import POOL_LABEL, STACK_LABEL
from settings.root import Settings

TAG_LIMIT = 12


@rule("nodePool.minSize", "nodePool.maxSize")
def _pool_can_grow(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    if pool.max_size <= pool.min_size:
        yield Problem(
            "nodePool.maxSize",
            pool.max_size,
            f"more than nodePool.minSize, which is {pool.min_size}",
            "the provider does not check this at preview, and ACK refuses the pool in the middle of the run",
            set_command("nodePool.maxSize", str(pool.min_size + 1)),
        )


@rule("nodePool.onDemandBase", "nodePool.maxSize")
def _base_fits_the_pool(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    if pool.on_demand_base > pool.max_size:
        yield Problem(
            "nodePool.onDemandBase",
            pool.on_demand_base,
            f"at most nodePool.maxSize, which is {pool.max_size}",
            "no preemptible node is ever bought",
            set_command("nodePool.onDemandBase", "0"),
        )


@rule("nodePool.spotStrategy", "nodePool.spotPriceLimits", "nodePool.instanceTypes")
def _price_limits_fit_the_strategy(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    limited = pool.spot_strategy == "SpotWithPriceLimit"
    missing = [kind for kind in pool.instance_types if kind not in pool.spot_price_limits]
    foreign = [kind for kind in pool.spot_price_limits if kind not in pool.instance_types]
    if limited and missing:
        yield Problem(
            "nodePool.spotPriceLimits",
            pool.spot_price_limits,
            f"a price for every instance type; missing: {', '.join(missing)}",
            "the pool bids nothing for these types",
            set_command(f'nodePool.spotPriceLimits["{missing[0]}"]', "<price per hour>"),
        )
    if pool.spot_price_limits and not limited:
        yield Problem(
            "nodePool.spotPriceLimits",
            pool.spot_price_limits,
            f"nothing with spotStrategy {pool.spot_strategy}",
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
def _remedy_needs_spot(settings: Settings) -> Iterator[Problem]:
    if settings.node_pool.spot_strategy == "NoSpot" and settings.node_pool.spot_instance_remedy:
        yield Problem(
            "nodePool.spotInstanceRemedy",
            True,
            "false with spotStrategy NoSpot",
            "ACK refuses the pool in the middle of the run",
            set_command("nodePool.spotInstanceRemedy", "false"),
        )


@rule("nodePool.multiAzPolicy", "nodePool.compensateWithOnDemand")
def _mix_needs_cost_optimization(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    if pool.multi_az_policy != "COST_OPTIMIZED" and pool.compensate_with_on_demand:
        yield Problem(
            "nodePool.multiAzPolicy",
            pool.multi_az_policy,
            "COST_OPTIMIZED, or compensateWithOnDemand false",
            "the pay-as-you-go share and the supplement have no effect",
            set_command("nodePool.multiAzPolicy", "COST_OPTIMIZED"),
        )


@rule("nodePool.spotInstancePools", "nodePool.instanceTypes")
def _spread_over_existing_types(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    if pool.spot_instance_pools > len(pool.instance_types):
        yield Problem(
            "nodePool.spotInstancePools",
            pool.spot_instance_pools,
            f"at most the number of instanceTypes, {len(pool.instance_types)}",
            "ACK refuses the pool in the middle of the run",
            set_command("nodePool.spotInstancePools", str(len(pool.instance_types))),
        )


@rule("nodePool.instanceTypes", "nodePool.vswitchIds", "nodePool.securityGroupIds")
def _lists_hold_each_value_once(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    for field, values in (
        ("instanceTypes", pool.instance_types),
        ("vswitchIds", pool.vswitch_ids),
        ("securityGroupIds", pool.security_group_ids),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            yield Problem(
                f"nodePool.{field}",
                twice[0],
                "each value once",
                "ACK refuses the pool in the middle of the run",
                remove_command(
                    f"nodePool.{field}[{len(values) - 1 - values[::-1].index(twice[0])}]"
                ),
            )


@rule("nodePool.instanceTypes")
def _nodes_have_gpus(settings: Settings) -> Iterator[Problem]:
    for index, kind in enumerate(settings.node_pool.instance_types):
        if not has_gpu(kind):
            yield Problem(
                f"nodePool.instanceTypes[{index}]",
                kind,
                "a GPU type (ecs.gn…, ecs.vgn…, ecs.sgn…)",
                "the scaler assumes the poorest type, here one without a GPU, and never adds a node for a pod that wants one",
                set_command(f"nodePool.instanceTypes[{index}]", "ecs.gn6i-c4g1.xlarge"),
            )


@rule("nodePool.instanceTypes", "nodePool.maxSize", "server.gpus", "autoscaler.maxReplicas")
def _nodes_are_enough_for_all_pods(settings: Settings) -> Iterator[Problem]:
    pool, gpus, pods = settings.node_pool, settings.server.gpus, settings.autoscaler.max_replicas
    fewest_gpus = min(count(kind) for kind in pool.instance_types)
    per_node = pods_per_node([fewest_gpus], gpus)
    if not per_node:
        yield Problem(
            "server.gpus",
            gpus,
            f"at most {fewest_gpus}, the GPUs of the poorest of nodePool.instanceTypes",
            "no node ever fits the pods and they wait without end",
            set_command("server.gpus", str(fewest_gpus)),
        )
    elif nodes_for_pods(pods, per_node) > pool.max_size:
        yield Problem(
            "autoscaler.maxReplicas",
            pods,
            f"at most {pool.max_size * per_node}, what nodePool.maxSize nodes can hold",
            "the HPA asks for pods that wait without end",
            set_command("nodePool.maxSize", str(nodes_for_pods(pods, per_node))),
        )


@rule("nodePool.instanceTypes", "server.cpu", "server.memory")
def _a_pod_fits_on_a_node(settings: Settings) -> Iterator[Problem]:
    """The scaler expects a node with the least of each resource among the types: a pod that does
    not fit there gets none.
    """
    rooms = {
        kind: room
        for kind in settings.node_pool.instance_types
        if (room := node_allocatable.of_type(kind))
    }
    if not rooms:
        return
    never = "no node ever fits the pods and they wait without end"
    kind, (millicores, _) = min(rooms.items(), key=lambda row: row[1][0])
    if node_allocatable.quantity(settings.server.cpu) * 1000 > millicores:
        yield Problem(
            "server.cpu",
            settings.server.cpu,
            f"at most {millicores}m, what ACK leaves for pods on {kind}, the smallest of nodePool.instanceTypes",
            never,
            set_command("server.cpu", f"'\"{millicores // 1000}\"'"),
        )
    kind, (_, mib) = min(rooms.items(), key=lambda row: row[1][1])
    if node_allocatable.quantity(settings.server.memory) > mib * 2**20:
        yield Problem(
            "server.memory",
            settings.server.memory,
            f"at most {mib}Mi, what ACK leaves for pods on {kind}, the smallest of nodePool.instanceTypes",
            never,
            set_command("server.memory", f"{mib // 1024}Gi"),
        )


@rule("nodePool.labels", "nodePool.gpuSchedule", "nodePool.driverVersion", "tags", "owner")
def _scaler_sees_every_label(settings: Settings) -> Iterator[Problem]:
    pool = settings.node_pool
    labels = (
        len(pool.labels) + 2 + (pool.gpu_schedule != "none") + (pool.driver_version is not None)
    )
    count = labels + 1 + len(settings.all_tags)
    if count > TAG_LIMIT:
        yield Problem(
            "nodePool.labels",
            f"{labels} labels + 1 taint + {len(settings.all_tags)} tags = {count}",
            f"at most {TAG_LIMIT} together",
            "the scaler can't see the rest, and a pool at zero nodes never grows",
            f"remove {count - TAG_LIMIT} of them: {remove_command('tags.<key>')}",
        )


@rule("nodePool.labels", "adopt.nodePoolId")
def _labels_are_the_users_own(settings: Settings) -> Iterator[Problem]:
    adopted = settings.adopt.node_pool_id  # its labels are whatever they are
    for key in () if adopted else settings.node_pool.labels:
        if key in (
            POOL_LABEL,
            STACK_LABEL,
            "ack.node.gpu.schedule",
            "ack.aliyun.com/nvidia-driver-version",
        ):
            yield Problem(
                f'nodePool.labels["{key}"]',
                settings.node_pool.labels[key],
                "a key this project does not set by itself",
                "two values fight over one label",
                remove_command(f'nodePool.labels["{key}"]'),
            )
