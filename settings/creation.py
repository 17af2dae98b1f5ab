"""Settings of a cluster that the stack makes itself."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from settings.cloud import InstanceType
from settings.core.field import REQUIRED, Group, setting
from settings.traffic import Cidr

ZoneId = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2}-[a-z]+(-[a-z]+)?(-[a-z]|-[0-9]+[a-z])$")
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
"""What a cluster made by a stack gets, pinned: an add-on that ACK raises by itself shows as a
difference.
"""


class Create(Group):
    """A cluster to make, with its network, its system nodes and its add-ons, in place of an
    existing one.
    """

    vswitches: dict[ZoneId, Cidr] = setting(
        REQUIRED,
        "One vSwitch per zone: its addresses. Nodes and pods take theirs from it, one each (Terway).",
        min_length=2,
        max_length=5,
        expected="2 to 5 entries <zone>: <addresses>, such as cn-shanghai-e: 192.168.0.0/19 (ap-southeast-1a in Singapore)",
        otherwise="there is no place for the nodes, or one zone's failure takes them all",
        example="192.168.0.0/19",
    )
    vpc_cidr: Cidr = setting(
        "192.168.0.0/16",
        "Addresses of the VPC. A change replaces everything.",
        expected="addresses such as 192.168.0.0/16",
        otherwise="Alibaba Cloud refuses the VPC",
        example="192.168.0.0/16",
    )
    service_cidr: Cidr = setting(
        "172.21.0.0/20",
        "Addresses of Kubernetes Services. A change replaces the cluster.",
        expected="addresses outside of vpcCidr, such as 172.21.0.0/20",
        otherwise="ACK refuses the cluster",
        example="172.21.0.0/20",
    )
    version: str = setting(
        "1.34.1-aliyun.1",
        "Kubernetes version. Raise it to upgrade, one minor version at a time.",
        pattern=r"^1\.(3[0-9]|[4-9][0-9])\.[0-9]+-aliyun\.[0-9]+$",
        expected="a version as ACK prints it, 1.30 or newer, such as 1.34.1-aliyun.1",
        otherwise="the sleep before stop is not known there, and every roll drops requests",
        example="1.34.1-aliyun.1",
    )
    spec: Literal["ack.pro.small", "ack.pro.xlarge", "ack.pro.2xlarge", "ack.pro.4xlarge"] = (
        setting(
            "ack.pro.small",
            "Size of the managed control plane (ACK Pro).",
            expected="ack.pro.small, ack.pro.xlarge, ack.pro.2xlarge or ack.pro.4xlarge",
            otherwise="ACK refuses the cluster",
            example="ack.pro.small",
        )
    )
    system_size: int = setting(
        2,
        "System nodes, pay-as-you-go, for everything but the model: DNS, ingress, scaler, interruption handler.",
        ge=2,
        le=20,
        expected="2 to 20",
        otherwise="with one of them the cluster stands still when that node goes",
        example="2",
    )
    system_instance_types: list[InstanceType] = setting(
        ["ecs.g7.xlarge", "ecs.g6.xlarge"],
        "Their instance types, without a GPU.",
        min_length=1,
        max_length=10,
        expected="1 to 10 types such as ecs.g7.xlarge",
        otherwise="the provider does not check this at preview, and ACK refuses the pool in the middle of the run",
        example="ecs.g7.xlarge",
    )
    system_disk_size: int = setting(
        120,
        "System disk of a system node, GiB.",
        ge=40,
        le=2048,
        expected="40 to 2048 GiB",
        otherwise="nodes run out of disk",
        example="120",
    )
    nat_gateway: bool = setting(
        True,
        "A NAT gateway, through which the nodes reach the Internet.",
        expected="true or false",
        otherwise="images that are not in Alibaba Cloud's registries can't be pulled",
        example="true",
    )
    public_api: bool = setting(
        True,
        "Let the API server answer on the Internet, with TLS and certificates. Without it, previews and runs have to come from the VPC.",
        expected="true or false",
        otherwise="the run can't reach the cluster it has made",
        example="true",
    )
    metrics_adapter: Literal["chart", "addon", "none"] = setting(
        "chart",
        "How the adapter that gives the HPA its metric is installed. chart: its Helm chart, as ACK documents it. addon: as ACK's add-on, "
        "where the account's add-on list has it. none: somebody else does.",
        expected="chart, addon or none",
        otherwise="the HPA shows <unknown> and never scales",
        example="addon",
    )
    metrics_adapter_chart: str | None = setting(
        None,
        "Where the chart of `metricsAdapter: chart` comes from: the address of an archive, or a directory or archive on this machine. "
        "Unset: ACK's own catalogue, in the version of `addonVersions`.",
        min_length=1,
        expected="an https:// address of a .tgz, or the path of a chart: a directory with a Chart.yaml, or a .tgz",
        otherwise="where the catalogue can't be reached the adapter can't be installed, and the HPA never scales",
        example="charts/ack-alibaba-cloud-metrics-adapter-1.3.7.tgz",
    )
    addon_versions: dict[AddonName, AddonVersion] = setting(
        {},
        "Other versions than the pinned ones: "
        + ", ".join(f"{name} {version}" for name, version in ADDON_VERSIONS.items())
        + ".",
        expected="add-on: version, in quotes",
        otherwise="ACK refuses the add-on, or installs another version than tested",
        example="v1.33.1",
    )
    protect: bool = setting(
        False,
        "Refuse to delete or replace network and cluster; ACK itself then refuses to delete the cluster (prod).",
        expected="true or false",
        otherwise="a destroy deletes the cluster with all that is in it",
        example="true",
    )

    def addon_version(self, name: str) -> str:
        """Version to install of an add-on."""
        return self.addon_versions.get(name) or ADDON_VERSIONS[name]
