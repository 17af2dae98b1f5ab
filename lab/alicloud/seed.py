"""The fresh lab: what the tutorial takes as given. Seeding twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from lab.alicloud.catalog import ADDONS
from lab.alicloud.instances import create_instance, save
from lab.alicloud.resources import listing
from lab.alicloud.services.cs.addons import ingress_index, install
from lab.alicloud.services.cs.cluster_document import make_cluster
from lab.alicloud.services.cs.nodepools import make_pool
from lab.alicloud.services.ecs.security_groups import make_group
from lab.alicloud.services.load_balancers import make_balancer, tag_balancer
from lab.alicloud.services.sls.projects import make_project
from lab.alicloud.services.sls.stores import make_store
from lab.alicloud.services.vpc.networks import make_vpc
from lab.alicloud.services.vpc.vswitches import make_vswitch
from lab.alicloud.state import Region
from lab.alicloud.store import Document

CLUSTER = "c210fbedb96674b9eaf15f2dc47d169a8"
CLUSTER_NAME = "lab"
VPC, SECURITY_GROUP, API_BALANCER = "vpc-lab", "sg-lab", "lb-1"
SWITCHES = {
    "vsw-labe": ("cn-shanghai-e", "10.0.32.0/20"),
    "vsw-labg": ("cn-shanghai-g", "10.0.48.0/20"),
    "vsw-labl": ("cn-shanghai-l", "10.0.64.0/20"),
}
SYSTEM_POOL, SYSTEM_TYPE = "np00000000000000000000000000lab0", "ecs.g6.large"
LOGSTORES = ("nginx-ingress", "alb_ingress")
"""Of the two kinds of ingress."""


def seed(region: Region) -> None:
    """Make the fresh lab, if this region has none yet."""
    if region.store.get("seeded", "seeded"):
        return
    with region.store.transaction():
        make_vpc(region, VPC, "lab", "10.0.0.0/16")
        for name, (zone, cidr) in SWITCHES.items():
            make_vswitch(region, name, f"lab-{zone[-1]}", VPC, zone, cidr)
        make_group(region, SECURITY_GROUP, "lab", VPC)
        addons = [name for name in ADDONS if name not in region.scenario.without_addons]
        make_lab_cluster(region, CLUSTER, CLUSTER_NAME, list(SWITCHES), addons)
        make_balancer(region, API_BALANCER, f"ManagedK8SSlbIntranet-{CLUSTER}", vpc_id=VPC)
        tag_balancer(region, API_BALANCER, {"ack.aliyun.com": CLUSTER})
        _system_pool(region)
        region.store.put("seeded", "seeded", {"resources": listing(region)})


def make_lab_cluster(
    region: Region, cluster_id: str, name: str, switches: list[str], addons: Iterable[str] = ADDONS
) -> Document:
    """A running cluster with RRSA, the usual add-ons and its ingress log."""
    wanted = {
        "name": name,
        "vpcid": VPC,
        "vswitch_ids": switches,
        "security_group_id": SECURITY_GROUP,
        "service_cidr": "10.96.0.0/16",
        "container_cidr": "10.244.0.0/16",
        "enable_rrsa": True,
    }
    cluster = make_cluster(region, cluster_id, wanted, "running")
    for addon in addons:
        install(region, cluster_id, addon)
    project = f"k8s-log-{cluster_id}"
    make_project(region, project)
    for logstore in LOGSTORES:
        document = {**make_store(region, project, logstore), "index": ingress_index()}
        region.store.put("logstore", f"{project}:{logstore}", document)
    return cluster


def _system_pool(region: Region) -> None:
    wanted = {
        "nodepool_info": {"name": "default-nodepool", "is_default": True},
        "auto_scaling": {"enable": False},
        "kubernetes_config": {"runtime": "containerd"},
        "scaling_group": {
            "instance_types": [SYSTEM_TYPE],
            "vswitch_ids": ["vsw-labe"],
            "instance_charge_type": "PostPaid",
            "spot_strategy": "NoSpot",
        },
        "management": {"enable": True},
    }
    pool = make_pool(region, CLUSTER, wanted, SYSTEM_POOL)
    vswitch = region.store.get("vswitch", "vsw-labe")
    assert vswitch is not None
    instance = create_instance(region, pool, SYSTEM_TYPE, vswitch, "NoSpot")
    region.store.sql("DELETE FROM timer")  # the system node has been running for long
    instance.update(status="Running", running_since=instance["created"])
    save(region, instance)
