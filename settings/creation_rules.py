"""Rules on a cluster that the stack makes itself, and on naming it or an existing one."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

from settings.catalog.gpu import has_gpu
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.creation import ADDON_VERSIONS
from settings.root import Settings

SMALLEST = 24
"""Longest prefix of a vSwitch: every pod takes an address."""


@rule("cluster.id", "cluster.create")
def _one_cluster_is_named(settings: Settings) -> Iterator[Problem]:
    cluster = settings.cluster
    if not cluster.id and not cluster.create:
        yield Problem(
            "cluster.id",
            None,
            "the 33 characters ACK shows as Cluster ID, starting with c (or cluster.create, to have one made)",
            "there is no cluster to deploy to",
            set_command("cluster.id", "<cluster id>"),
        )
    if cluster.id and cluster.create:
        yield Problem(
            "cluster.id",
            cluster.id,
            "nothing with cluster.create",
            "nobody can tell whether to use this cluster or to make another",
            remove_command("cluster.id"),
        )


@rule("nodePool.vswitchIds", "cluster.create")
def _nodes_have_a_place(settings: Settings) -> Iterator[Problem]:
    given = settings.node_pool.vswitch_ids
    if not given and not settings.cluster.create:
        yield Problem(
            "nodePool.vswitchIds",
            None,
            "1 to 8 ids such as vsw-uf6abc",
            "the provider does not check this at preview, and ACK has no zone to place a node in",
            set_command("nodePool.vswitchIds[0]", "vsw-uf6abc"),
        )
    if given and settings.cluster.create:
        yield Problem(
            "nodePool.vswitchIds",
            given,
            "nothing with cluster.create: the nodes come into the vSwitches it makes",
            "the pool can't reach the cluster from another network",
            remove_command("nodePool.vswitchIds"),
        )


@rule("cluster.accountId", "cluster.create")
def _the_account_is_said(settings: Settings) -> Iterator[Problem]:
    if settings.cluster.create and not settings.cluster.account_id:
        yield Problem(
            "cluster.accountId",
            None,
            "the 16-digit account id, with cluster.create",
            "bucket and role get names from the cluster's id or, where there is none yet, from the account's; and a key of another "
            "account would make everything a second time",
            set_command("cluster.accountId", "1234567890123456"),
        )


@rule("adopt.nodePoolId", "cluster.create")
def _a_new_cluster_has_no_pool_to_adopt(settings: Settings) -> Iterator[Problem]:
    for field, value in (
        ("nodePoolId", settings.adopt.node_pool_id),
        ("namespace", settings.adopt.namespace),
    ):
        if value and settings.cluster.create:
            yield Problem(
                f"adopt.{field}",
                value,
                "nothing with cluster.create",
                "a cluster that is made anew has no pool and no namespace yet",
                remove_command(f"adopt.{field}"),
            )


@rule("cluster.create")
def _networks_fit(settings: Settings) -> Iterator[Problem]:
    create = settings.cluster.create
    if create is None:
        return
    blocks: dict[str, IPv4Network] = {}
    named = {f"vswitches.{zone}": cidr for zone, cidr in create.vswitches.items()}
    for field, cidr in {
        "vpcCidr": create.vpc_cidr,
        "serviceCidr": create.service_cidr,
        **named,
    }.items():
        try:
            blocks[field] = IPv4Network(cidr)
        except ValueError as error:
            yield _wrong(
                field,
                cidr,
                f"the first address of a block and its length ({error})",
                "Alibaba Cloud refuses it",
            )
    if len(blocks) < len(named) + 2:
        return
    yield from _each_in_its_place(blocks, named)


def _each_in_its_place(blocks: dict[str, IPv4Network], named: dict[str, str]) -> Iterator[Problem]:
    vpc = blocks["vpcCidr"]
    if vpc.overlaps(blocks["serviceCidr"]):
        yield _wrong(
            "serviceCidr",
            str(blocks["serviceCidr"]),
            f"addresses outside of vpcCidr, which is {vpc}",
            "ACK refuses the cluster",
        )
    for field in named:
        if not blocks[field].subnet_of(vpc):
            yield _wrong(
                field,
                str(blocks[field]),
                f"addresses inside vpcCidr, which is {vpc}",
                "Alibaba Cloud refuses the vSwitch",
            )
        elif blocks[field].prefixlen > SMALLEST:
            yield _wrong(
                field,
                str(blocks[field]),
                f"a block of /{SMALLEST} or larger",
                "pods wait for addresses without end",
            )
    for one, other in combinations(named, 2):
        if blocks[one].overlaps(blocks[other]):
            yield _wrong(
                other,
                str(blocks[other]),
                f"addresses apart from {one}, {blocks[one]}",
                "Alibaba Cloud refuses the vSwitch",
            )


def _wrong(field: str, value: str, expected: str, otherwise: str) -> Problem:
    return Problem(
        f"cluster.create.{field}",
        value,
        expected,
        otherwise,
        set_command(f"cluster.create.{field}", "<addresses>"),
    )


@rule("cluster.create", "alicloud:region")
def _zones_are_the_regions(settings: Settings) -> Iterator[Problem]:
    for zone in settings.cluster.create.vswitches if settings.cluster.create else ():
        if zone[:-1].removesuffix("-") != settings.region:  # cn-shanghai-e, but ap-southeast-1a
            yield Problem(
                f"cluster.create.vswitches.{zone}",
                zone,
                f"a zone of alicloud:region, which is {settings.region}",
                "Alibaba Cloud refuses the vSwitch",
                remove_command(f"cluster.create.vswitches.{zone}"),
            )


@rule("cluster.create")
def _system_nodes_and_addons(settings: Settings) -> Iterator[Problem]:
    create = settings.cluster.create
    if create is None:
        return
    for index, kind in enumerate(create.system_instance_types):
        if has_gpu(kind):
            yield Problem(
                f"cluster.create.systemInstanceTypes[{index}]",
                kind,
                "a type without a GPU",
                "GPUs are paid for day and night and never used",
                set_command(f"cluster.create.systemInstanceTypes[{index}]", "ecs.g7.xlarge"),
            )
    for name in create.addon_versions:
        if name not in ADDON_VERSIONS:
            yield Problem(
                f"cluster.create.addonVersions.{name}",
                name,
                f"one of {', '.join(ADDON_VERSIONS)}",
                "nothing of that name is installed",
                remove_command(f"cluster.create.addonVersions.{name}"),
            )


@rule("cluster.create.metricsAdapterChart", "cluster.create.metricsAdapter")
def _the_chart_is_there(settings: Settings) -> Iterator[Problem]:
    create = settings.cluster.create
    if create is None or create.metrics_adapter_chart is None:
        return
    chart, field = create.metrics_adapter_chart, "cluster.create.metricsAdapterChart"
    if create.metrics_adapter != "chart":
        yield Problem(
            field,
            chart,
            f"nothing with cluster.create.metricsAdapter: {create.metrics_adapter}",
            "the chart is not installed, whatever it holds",
            remove_command(field),
        )
    elif wrong := _not_a_chart(chart):
        yield Problem(
            field,
            chart,
            f"an https:// address of a .tgz, or the path of a chart: a directory with a Chart.yaml, or a .tgz; {wrong}",
            "the adapter can't be installed, and the HPA never scales",
            remove_command(field) + ", or correct the path",
        )


def _not_a_chart(chart: str) -> str:
    """Why this is no place of a chart, "" when it may be one."""
    path = Path(chart)
    if "://" in chart:
        return (
            ""
            if chart.startswith("https://") and chart.endswith(".tgz")
            else "this is another kind of address"
        )
    if path.is_dir():
        return "" if (path / "Chart.yaml").is_file() else "the directory has no Chart.yaml"
    if not path.exists():
        return "it is not there"
    return "" if path.suffix == ".tgz" else "this is a file of another kind"
