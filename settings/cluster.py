"""Group `cluster`: an existing ACK cluster to deploy to, or one that the stack creates."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from settings.catalog.gpu import has_gpu
from settings.core.field import REQUIRED, Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.core.types import Cidr, InstanceType

ZoneId = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]+)*(-[a-z]|-[0-9]+[a-z])$")
]
AddonName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
AddonVersion = Annotated[str, StringConstraints(pattern=r"^v?[0-9]+\.[0-9]+[0-9A-Za-z.-]*$")]
ADDON_VERSIONS = {
    "terway-eniip": "v1.16.4",
    "csi-plugin": "v1.33.1",
    "csi-provisioner": "v1.33.1",
    "loongcollector": "v3.1.1",
    "nginx-ingress-controller": "v1.11.5-aliyun.1",
    "alb-ingress-controller": "v2.15.0",
    "ack-node-problem-detector": "1.2.22",
    "ack-alibaba-cloud-metrics-adapter": "1.3.7",
}
"""Add-on versions of a created cluster. They are pinned because an upgrade by ACK shows as a
difference.
"""
MAX_VSWITCH_PREFIX = 24
"""Longest prefix of a vSwitch's addresses: with Terway, each pod takes an address."""


class CreateSettings(Group):
    """A cluster that the stack creates, with its network, system nodes and add-ons, in place of an
    existing one.
    """

    vswitches: dict[ZoneId, Cidr] = setting(
        REQUIRED,
        "Zone and address block of each vSwitch. Every node and every pod takes an address of it (Terway).",
        min_length=2,
        max_length=5,
        expected="2 to 5 entries <zone>: <addresses>, such as cn-shanghai-e: 192.168.0.0/19 (ap-southeast-1a in Singapore)",
        consequence="the nodes have no network, or the failure of one zone takes all of them",
        example="192.168.0.0/19",
    )
    vpc_cidr: Cidr = setting(
        "192.168.0.0/16",
        "Address block of the VPC. A change replaces the network and the cluster.",
        expected="addresses such as 192.168.0.0/16",
        consequence="Alibaba Cloud refuses the VPC",
        example="192.168.0.0/16",
    )
    service_cidr: Cidr = setting(
        "172.21.0.0/20",
        "Address block of Kubernetes Services. A change replaces the cluster.",
        expected="addresses outside of vpcCidr, such as 172.21.0.0/20",
        consequence="ACK refuses the cluster",
        example="172.21.0.0/20",
    )
    version: Text = setting(
        "1.34.1-aliyun.1",
        "Kubernetes version of the cluster. Raise it by one minor version to upgrade.",
        pattern=r"^1\.(3[0-9]|[4-9][0-9])\.[0-9]+-aliyun\.[0-9]+$",
        expected="a version as ACK prints it, 1.30 or newer, such as 1.34.1-aliyun.1",
        consequence="older clusters don't know the preStop sleep action, and every rollout drops requests",
        example="1.34.1-aliyun.1",
    )
    spec: Literal["ack.pro.small", "ack.pro.xlarge", "ack.pro.2xlarge", "ack.pro.4xlarge"] = (
        setting(
            "ack.pro.small",
            "Size of the managed control plane (ACK Pro).",
            expected="ack.pro.small, ack.pro.xlarge, ack.pro.2xlarge or ack.pro.4xlarge",
            consequence="ACK refuses the cluster",
            example="ack.pro.small",
        )
    )
    system_size: int = setting(
        2,
        "Number of system nodes (pay-as-you-go) for everything but the model: DNS, ingress controller, node scaler, interruption handler.",
        ge=2,
        le=20,
        expected="2 to 20",
        consequence="with a single system node, ingress and scaling stop while that node is replaced",
        example="2",
    )
    system_instance_types: list[InstanceType] = setting(
        ["ecs.g7.xlarge", "ecs.g6.xlarge"],
        "Instance types of the system nodes, without a GPU.",
        min_length=1,
        max_length=10,
        expected="1 to 10 types such as ecs.g7.xlarge",
        consequence="the provider does not check this at preview, and ACK refuses the pool in the middle of the run",
        example="ecs.g7.xlarge",
    )
    system_disk_size: int = setting(
        120,
        "System disk size of a system node, in GiB.",
        ge=40,
        le=2048,
        expected="40 to 2048 GiB",
        consequence="system nodes run out of disk space",
        example="120",
    )
    nat_gateway: bool = setting(
        True,
        "Create a NAT gateway, through which the nodes reach the Internet.",
        expected="true or false",
        consequence="images that are not in Alibaba Cloud's registries can't be pulled",
        example="true",
    )
    public_api: bool = setting(
        False,
        "Expose the API server on the Internet as well (TLS, client certificates), to every address: neither ACK's API nor the provider "
        "takes a list of allowed ones. false: only its VPC reaches it, and previews and runs must come from there (a machine in it, a VPN, "
        "a runner of your own). Read when the cluster is created; later the console binds or releases the address.",
        expected="true or false",
        consequence="the run can't reach the cluster it has created",
        example="true",
    )
    audit_log: bool = setting(
        True,
        "Keep the API server's audit log, who did what in the cluster, in the cluster's log project k8s-log-<cluster id>.",
        expected="true or false",
        consequence="after an intrusion nobody can tell what was read and changed",
        example="true",
    )
    secrets_key_id: Text | None = setting(
        None,
        "Id of a KMS key of the region, by which ACK encrypts the cluster's Secrets at rest. ACK's role AliyunCSManagedSecurityRole must "
        "exist in the account. A key that is deleted takes every Secret with it. Unset: no key of yours; removing the setting later "
        "changes nothing.",
        pattern=r"^(key-[0-9a-z]{8,40}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
        expected="the id of a KMS key, such as key-hzz62f1cb66fa42qo1111 or 9468da86-3509-4f8d-a61e-6eab1eac0000",
        consequence="ACK refuses the cluster",
        example="key-hzz62f1cb66fa42qo1111",
    )
    metrics_adapter: Literal["chart", "addon", "none"] = setting(
        "chart",
        "How the external metrics adapter of the HPA is installed. chart: by its Helm chart, as ACK documents it. addon: as ACK's add-on, "
        "where the account's add-on list has it. none: it is installed by other means.",
        expected="chart, addon or none",
        consequence="the HPA shows <unknown> and never scales",
        example="addon",
    )
    metrics_adapter_chart: Text | None = setting(
        None,
        "Chart of `metricsAdapter: chart`: the URL of an archive, or a directory or archive on this machine. "
        "Unset: the chart of ACK's catalogue, in the version of `addonVersions`.",
        min_length=1,
        expected="an https:// address of a .tgz, or the path of a chart: a directory with a Chart.yaml, or a .tgz",
        consequence="where the catalogue can't be reached the adapter can't be installed, and the HPA never scales",
        example="charts/ack-alibaba-cloud-metrics-adapter-1.3.7.tgz",
    )
    metrics_adapter_chart_sha256: Text | None = setting(
        None,
        "SHA-256 of the chart's archive, as `sha256sum` prints it. The program downloads the archive before it installs the chart, and refuses another one.",
        pattern=r"^[0-9a-f]{64}$",
        expected="64 hexadecimal digits",
        consequence="nothing notices that the catalogue serves another chart under the same name, and what is in it runs in kube-system",
        example="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    )
    addon_versions: dict[AddonName, AddonVersion] = setting(
        {},
        "Add-on versions that differ from the pinned ones: "
        + ", ".join(f"{name} {version}" for name, version in ADDON_VERSIONS.items())
        + ".",
        expected="add-on: version, in quotes",
        consequence="ACK refuses the add-on, or installs a version that was not tested",
        example="v1.33.1",
    )
    protect: bool = setting(
        False,
        "Refuse to delete or replace the network and the cluster; ACK itself then refuses to delete the cluster. For production.",
        expected="true or false",
        consequence="a destroy deletes the cluster with everything in it",
        example="true",
    )

    def addon_version(self, name: str) -> str:
        """Version of the add-on: as set in `addonVersions`, else the pinned one."""
        return self.addon_versions.get(name) or ADDON_VERSIONS[name]


class ClusterSettings(Group):
    """The ACK cluster: an existing one (`id`), or one that the stack creates (`create`)."""

    id: Text = setting(
        "",
        "Id of an existing managed ACK cluster with RRSA enabled. Not set with create.",
        pattern=r"^c[0-9a-z]{32}$",
        expected="the 33 characters ACK shows as Cluster ID, starting with c",
        consequence="there is no cluster to deploy to, and the log project k8s-log-<cluster id> can't be named",
        example="c210fbedb96674b9eaf15f2dc47d169a8",
    )
    account_id: Text | None = setting(
        None,
        "Id of the account that owns the stack's resources. When set, credentials of another account stop the run before anything changes.",
        pattern=r"^[0-9]{16}$",
        expected="a 16-digit account id",
        consequence="with credentials of another account existing node pools look deleted, and the next run orders them a second time",
        example="1234567890123456",
    )
    credential_minutes: int | None = setting(
        None,
        "Lifetime of the requested kubeconfig, in minutes. Unset: the cluster's permanent kubeconfig, the same at each preview.",
        ge=15,
        le=4320,
        expected="15 to 4320 minutes",
        consequence="ACK refuses to issue the kubeconfig",
        example="60",
    )
    api_endpoint: Literal["public", "private"] | None = setting(
        None,
        "By which address of the API server the run reaches the cluster. private: by that in the VPC; previews and runs must come from there. "
        "Unset: public, or private for a created cluster with publicApi: false. Not used with kubeconfig.",
        expected="public or private",
        consequence="a cluster without a public endpoint can't be reached",
        example="private",
    )
    create: CreateSettings | None = setting(
        None,
        "Create the cluster with its network, system nodes and add-ons. The stack owns them: removing this setting later deletes them.",
        expected="an object with at least vswitches",
        consequence="there is no cluster to deploy to",
        example="…",
    )

    @property
    def private_api(self) -> bool:
        """Whether the run reaches the API server by its address in the VPC."""
        if self.api_endpoint is None:
            return self.create is not None and not self.create.public_api
        return self.api_endpoint == "private"


@rule("cluster.apiEndpoint", "cluster.create.publicApi")
def _the_endpoint_exists(cluster: ClusterSettings) -> Iterator[Problem]:
    if cluster.api_endpoint == "public" and cluster.create and not cluster.create.public_api:
        yield Problem(
            "cluster.apiEndpoint",
            "public",
            "private with cluster.create.publicApi: false",
            "the created cluster has no public endpoint, and the run can't reach it",
            set_command("cluster.apiEndpoint", "private"),
        )


@rule("cluster.id", "cluster.create")
def _one_cluster_is_named(cluster: ClusterSettings) -> Iterator[Problem]:
    if not cluster.id and not cluster.create:
        yield Problem(
            "cluster.id",
            None,
            "the 33 characters ACK shows as Cluster ID, starting with c (or cluster.create, to have one created)",
            "there is no cluster to deploy to",
            set_command("cluster.id", "<cluster id>"),
        )
    if cluster.id and cluster.create:
        yield Problem(
            "cluster.id",
            cluster.id,
            "nothing with cluster.create",
            "it is ambiguous whether to use this cluster or to create another",
            remove_command("cluster.id"),
        )


@rule("cluster.accountId", "cluster.create")
def _the_account_is_set(cluster: ClusterSettings) -> Iterator[Problem]:
    if cluster.create and not cluster.account_id:
        yield Problem(
            "cluster.accountId",
            None,
            "the 16-digit account id, with cluster.create",
            "the names of bucket and role are derived from the cluster's id or, before the cluster exists, from the account's; and with "
            "credentials of another account everything would be created a second time",
            set_command("cluster.accountId", "1234567890123456"),
        )


@rule("cluster.create")
def _networks_fit(cluster: ClusterSettings) -> Iterator[Problem]:
    create = cluster.create
    if create is None:
        return
    blocks: dict[str, IPv4Network] = {}
    vswitches = {f"vswitches.{zone}": cidr for zone, cidr in create.vswitches.items()}
    for field, cidr in {
        "vpcCidr": create.vpc_cidr,
        "serviceCidr": create.service_cidr,
        **vswitches,
    }.items():
        try:
            blocks[field] = IPv4Network(cidr)
        except ValueError as error:
            yield _wrong_block(
                field,
                cidr,
                f"the first address of a block and its length ({error})",
                "Alibaba Cloud refuses it",
            )
    if len(blocks) == len(vswitches) + 2:
        yield from _blocks_are_apart(blocks, list(vswitches))


def _blocks_are_apart(blocks: dict[str, IPv4Network], vswitches: list[str]) -> Iterator[Problem]:
    vpc = blocks["vpcCidr"]
    if vpc.overlaps(blocks["serviceCidr"]):
        yield _wrong_block(
            "serviceCidr",
            str(blocks["serviceCidr"]),
            f"addresses outside of vpcCidr, which is {vpc}",
            "ACK refuses the cluster",
        )
    for field in vswitches:
        if not blocks[field].subnet_of(vpc):
            yield _wrong_block(
                field,
                str(blocks[field]),
                f"addresses inside vpcCidr, which is {vpc}",
                "Alibaba Cloud refuses the vSwitch",
            )
        elif blocks[field].prefixlen > MAX_VSWITCH_PREFIX:
            yield _wrong_block(
                field,
                str(blocks[field]),
                f"a block of /{MAX_VSWITCH_PREFIX} or larger",
                "pods wait for addresses indefinitely",
            )
    for first, second in combinations(vswitches, 2):
        if blocks[first].overlaps(blocks[second]):
            yield _wrong_block(
                second,
                str(blocks[second]),
                f"addresses apart from {first}, {blocks[first]}",
                "Alibaba Cloud refuses the vSwitch",
            )


def _wrong_block(field: str, value: str, expected: str, consequence: str) -> Problem:
    return Problem(
        f"cluster.create.{field}",
        value,
        expected,
        consequence,
        set_command(f"cluster.create.{field}", "<addresses>"),
    )


@rule("cluster.create", "alicloud:region")
def _zones_are_the_regions(cluster: ClusterSettings, region: str) -> Iterator[Problem]:
    for zone in cluster.create.vswitches if cluster.create else ():
        # cn-shanghai-e, but ap-southeast-1a
        if zone[:-1] != (region if region[-1].isdigit() else f"{region}-"):
            yield Problem(
                f"cluster.create.vswitches.{zone}",
                zone,
                f"a zone of alicloud:region, which is {region}",
                "Alibaba Cloud refuses the vSwitch",
                remove_command(f"cluster.create.vswitches.{zone}"),
            )


@rule("cluster.create")
def _system_nodes_have_no_gpu(cluster: ClusterSettings) -> Iterator[Problem]:
    for index, instance_type in enumerate(
        cluster.create.system_instance_types if cluster.create else ()
    ):
        if has_gpu(instance_type):
            yield Problem(
                f"cluster.create.systemInstanceTypes[{index}]",
                instance_type,
                "a type without a GPU",
                "GPUs are billed day and night and never used",
                set_command(f"cluster.create.systemInstanceTypes[{index}]", "ecs.g7.xlarge"),
            )


@rule("cluster.create")
def _addons_are_known(cluster: ClusterSettings) -> Iterator[Problem]:
    for name in cluster.create.addon_versions if cluster.create else ():
        if name not in ADDON_VERSIONS:
            yield Problem(
                f"cluster.create.addonVersions.{name}",
                name,
                f"one of {', '.join(ADDON_VERSIONS)}",
                "no add-on of that name is installed",
                remove_command(f"cluster.create.addonVersions.{name}"),
            )


@rule("cluster.create.metricsAdapterChart", "cluster.create.metricsAdapter")
def _the_chart_exists(cluster: ClusterSettings) -> Iterator[Problem]:
    create = cluster.create
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
    elif reason := _not_a_chart(chart):
        yield Problem(
            field,
            chart,
            f"an https:// address of a .tgz, or the path of a chart: a directory with a Chart.yaml, or a .tgz; {reason}",
            "the adapter can't be installed, and the HPA never scales",
            remove_command(field) + ", or correct the path",
        )


@rule(
    "cluster.create.metricsAdapterChartSha256",
    "cluster.create.metricsAdapterChart",
    "cluster.create.metricsAdapter",
)
def _a_checksum_is_of_an_archive(cluster: ClusterSettings) -> Iterator[Problem]:
    create, field = cluster.create, "cluster.create.metricsAdapterChartSha256"
    if create is None or create.metrics_adapter_chart_sha256 is None:
        return
    if create.metrics_adapter != "chart":
        expected = f"nothing with cluster.create.metricsAdapter: {create.metrics_adapter}"
    elif create.metrics_adapter_chart and Path(create.metrics_adapter_chart).is_dir():
        expected = f"nothing with the directory {create.metrics_adapter_chart}: only an archive (.tgz) has a checksum"
    else:
        return
    yield Problem(
        field,
        create.metrics_adapter_chart_sha256,
        expected,
        "nothing is compared with it",
        remove_command(field),
    )


def _not_a_chart(chart: str) -> str:
    """Why `chart` can't be a Helm chart, or "" when it may be one."""
    if "://" in chart:
        return (
            ""
            if chart.startswith("https://") and chart.endswith(".tgz")
            else "this is another kind of address"
        )
    path = Path(chart)
    if path.is_dir():
        return "" if (path / "Chart.yaml").is_file() else "the directory has no Chart.yaml"
    if not path.exists():
        return "it is not there"
    return "" if path.suffix == ".tgz" else "this is a file of another kind"
