"""Settings of the elastic GPU node pool (tutorial step 1)."""

from typing import Literal

from settings.cloud import InstanceType, LabelKey, LabelValue, Price, SecurityGroupId, VSwitchId
from settings.core.field import Group, setting

REFUSED = (
    "the provider does not check this at preview, and ACK refuses the pool in the middle of the run"
)


class Taint(Group):
    """The taint that keeps other pods off the GPU nodes."""

    key: LabelKey = setting(
        "nvidia.com/gpu",
        "Taint key.",
        expected="a label key",
        otherwise=REFUSED,
        example="nvidia.com/gpu",
    )
    value: LabelValue = setting(
        "true",
        "Taint value.",
        expected="a label value in quotes",
        otherwise=REFUSED,
        example="'\"true\"'",
    )
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = setting(
        "NoSchedule",
        "Taint effect.",
        expected="NoSchedule, NoExecute or PreferNoSchedule",
        otherwise=REFUSED,
        example="NoSchedule",
    )


class NodePool(Group):
    """The elastic GPU node pool. Defaults are the tutorial's."""

    name: str = setting(
        "inference",
        "Start of the pool's name; stack and a digest of what can't change in place follow.",
        pattern=r"^[a-z][a-z0-9-]{0,29}$",
        expected="at most 30 lower-case letters, digits and hyphens",
        otherwise="the pool's name doesn't fit into a label value",
        example="inference",
    )
    generation: int = setting(
        1,
        "Raise it to have the pool replaced: new pool, pods move over, old pool goes.",
        ge=1,
        le=9999,
        expected="1 to 9999",
        otherwise="there is no way to ask for new nodes",
        example="2",
    )
    vswitch_ids: list[VSwitchId] = setting(
        [],
        "vSwitches for the nodes, one per zone. Required, except with cluster.create, which makes them.",
        max_length=8,
        expected="1 to 8 ids such as vsw-uf6abc",
        otherwise="the provider does not check this at preview, and ACK has no zone to place a node in",
        example="vsw-uf6abc",
    )
    instance_types: list[InstanceType] = setting(
        ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge"],
        "GPU instance types, cheapest first wins.",
        min_length=1,
        max_length=10,
        expected="1 to 10 types such as ecs.gn6i-c4g1.xlarge",
        otherwise=REFUSED,
        example="ecs.gn6i-c4g1.xlarge",
    )
    min_size: int = setting(
        1,
        "Fewest nodes.",
        ge=0,
        le=999,
        expected="0 to 999, below maxSize",
        otherwise=REFUSED,
        example="1",
    )
    max_size: int = setting(
        10,
        "Most nodes.",
        ge=1,
        le=1000,
        expected="1 to 1000, above minSize",
        otherwise=REFUSED,
        example="10",
    )
    spot_strategy: Literal["SpotAsPriceGo", "SpotWithPriceLimit", "NoSpot"] = setting(
        "SpotAsPriceGo",
        "Preemptible at market price, up to spotPriceLimits, or not at all.",
        expected="SpotAsPriceGo, SpotWithPriceLimit or NoSpot",
        otherwise=REFUSED,
        example="SpotAsPriceGo",
    )
    spot_price_limits: dict[InstanceType, Price] = setting(
        {},
        "Highest hourly price per instance type, for SpotWithPriceLimit.",
        expected="instance type: price above 0",
        otherwise="the pool bids nothing and never gets a preemptible node",
        example="0.9",
    )
    on_demand_base: int = setting(
        0,
        "Pay-as-you-go nodes that must exist before any preemptible one.",
        ge=0,
        le=1000,
        expected="0 to 1000",
        otherwise=REFUSED,
        example="0",
    )
    on_demand_percent: int = setting(
        30,
        "Share of pay-as-you-go nodes above the base.",
        ge=0,
        le=100,
        expected="0 to 100, a whole number without quotes",
        otherwise=REFUSED,
        example="30",
    )
    compensate_with_on_demand: bool = setting(
        True,
        "Buy pay-as-you-go when no preemptible instance can be had.",
        expected="true or false",
        otherwise="pods wait without end when spot is out of stock",
        example="true",
    )
    spot_instance_remedy: bool = setting(
        True,
        "Order a replacement when a reclaim notice arrives.",
        expected="true or false",
        otherwise="a reclaimed node leaves a gap for minutes",
        example="true",
    )
    spot_instance_pools: int = setting(
        2,
        "Number of cheapest types to spread over.",
        ge=1,
        le=10,
        expected="1 to 10, at most the number of instanceTypes",
        otherwise=REFUSED,
        example="2",
    )
    multi_az_policy: Literal["COST_OPTIMIZED", "BALANCE", "PRIORITY"] = setting(
        "COST_OPTIMIZED",
        "How zones are chosen.",
        expected="COST_OPTIMIZED, BALANCE or PRIORITY",
        otherwise=REFUSED,
        example="COST_OPTIMIZED",
    )
    labels: dict[LabelKey, LabelValue] = setting(
        {"inference": "tensorflow"},
        "Node labels; the pods select on them.",
        min_length=1,
        expected="label key: value, values in quotes",
        otherwise="the pods find no node, or other nodes",
        example="tensorflow",
    )
    gpu_schedule: Literal["none", "default", "share", "topology"] = setting(
        "none",
        "Value of the label ack.node.gpu.schedule; none: not set.",
        expected="none, default, share or topology",
        otherwise="ACK schedules the GPUs in another way than meant",
        example="default",
    )
    driver_version: str | None = setting(
        None,
        "NVIDIA driver to pin; takes effect when a node is created.",
        pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$",
        expected="a version such as 550.144.03, in quotes",
        otherwise="ACK installs another driver than the image needs",
        example="'\"550.144.03\"'",
    )
    taint: Taint = setting(
        Taint(),
        "Taint of the nodes.",
        expected="key, value and effect",
        otherwise="other pods land on the GPU nodes",
        example="x",
    )
    image_type: Literal[
        "AliyunLinux3", "AliyunLinux3ContainerOptimized", "ContainerOS", "Ubuntu"
    ] = setting(
        "AliyunLinux3",
        "Operating system.",
        expected="AliyunLinux3, AliyunLinux3ContainerOptimized, ContainerOS or Ubuntu",
        otherwise=REFUSED,
        example="AliyunLinux3",
    )
    system_disk_category: Literal["cloud_essd", "cloud_auto", "cloud_ssd", "cloud_efficiency"] = (
        setting(
            "cloud_essd",
            "System disk.",
            expected="cloud_essd, cloud_auto, cloud_ssd or cloud_efficiency",
            otherwise=REFUSED,
            example="cloud_essd",
        )
    )
    system_disk_size: int = setting(
        120,
        "System disk, GiB; the serving image alone takes several.",
        ge=40,
        le=2048,
        expected="40 to 2048 GiB",
        otherwise="the provider does not check this at preview; nodes run out of disk while pulling the image",
        example="120",
    )
    security_group_ids: list[SecurityGroupId] = setting(
        [],
        "Security groups; empty: the cluster's.",
        max_length=5,
        expected="at most 5 ids such as sg-uf6abc",
        otherwise=REFUSED,
        example="sg-uf6abc",
    )
    key_name: str | None = setting(
        None,
        "SSH key pair for the nodes; unset: no login.",
        min_length=2,
        max_length=128,
        expected="the name of a key pair",
        otherwise=REFUSED,
        example="ops",
    )
    auto_repair: bool = setting(
        True,
        "Let ACK repair broken nodes.",
        expected="true or false",
        otherwise="a broken GPU node stays and is paid for",
        example="true",
    )
