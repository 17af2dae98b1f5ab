"""Leaves something of every kind behind in a region, as a teardown must find it: by Alibaba's own
calls, as whoever forgot it made it.

`python -m tests.remains STACK` does it where the region can be reached, and prints {kind: id}.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import oss2
from alibabacloud_sls20201230 import models as sls_models
from alibabacloud_sls20201230.client import Client as SlsClient

from lab.alicloud.seed import CLUSTER, SYSTEM_TYPE, VPC
from ops.cloud.client import Cloud, tag_filter
from ops.cloud.credentials import find_credentials
from ops.teardown.scan_compute import pools_of
from ops.teardown.waits import until_nothing
from settings.names import CLUSTER_TAG

PROJECT = "elastic-inference"
_TRUST = {
    "Version": "1",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"RAM": ["acs:ram::1234567890123456:root"]},
        }
    ],
}
_READ = {
    "Version": "1",
    "Statement": [
        {"Effect": "Allow", "Action": ["oss:GetObject"], "Resource": ["acs:oss:*:*:remains/*"]}
    ],
}


def plant(cloud: Cloud, stack: str, name: str = "left-behind") -> dict[str, str]:
    """One of each kind with the stack's tags or name; {kind as a report calls it: id}."""
    tags = {"project": PROJECT, "stack": stack, CLUSTER_TAG: CLUSTER}
    return {
        **dict(_tagged(cloud, tags, name)),
        **_named(cloud, tags, stack, name),
        **_stored(cloud, tags, name),
    }


def _tagged(cloud: Cloud, tags: dict[str, str], name: str) -> Iterator[tuple[str, str]]:
    given = tag_filter(tags)
    for product, kind in (
        ("slb", "load balancer"),
        ("alb", "application load balancer"),
        ("nlb", "network load balancer"),
    ):
        yield kind, make_balancer(cloud, product, LoadBalancerName=name, **given)
    yield "public address", write(cloud, "vpc", "AllocateEipAddress", **given)["AllocationId"]
    yield (
        "disk",
        write(cloud, "ecs", "CreateDisk", Size=40, ZoneId="cn-shanghai-e", **given)["DiskId"],
    )
    yield (
        "security group",
        write(cloud, "ecs", "CreateSecurityGroup", SecurityGroupName=name, VpcId=VPC, **given)[
            "SecurityGroupId"
        ],
    )
    wanted = {"InstanceType": SYSTEM_TYPE, "VSwitchId": "vsw-labe", "InstanceName": name, **given}
    yield (
        "instance",
        write(cloud, "ecs", "RunInstances", **wanted)["InstanceIdSets"]["InstanceIdSet"][0],
    )
    yield (
        "scaling group",
        write(
            cloud, "ess", "CreateScalingGroup", ScalingGroupName=name, MinSize=0, MaxSize=0, **given
        )["ScalingGroupId"],
    )
    network = write(cloud, "vpc", "CreateVpc", VpcName=name, CidrBlock="172.30.0.0/16", **given)[
        "VpcId"
    ]
    yield "VPC", network
    wanted = {"VpcId": network, "ZoneId": "cn-shanghai-e", "CidrBlock": "172.30.0.0/24", **given}
    yield "vSwitch", write(cloud, "vpc", "CreateVSwitch", **wanted)["VSwitchId"]
    yield (
        "NAT gateway",
        write(cloud, "vpc", "CreateNatGateway", VpcId=network, **given)["NatGatewayId"],
    )


def write(cloud: Cloud, product: str, action: str, **parameters: Any) -> dict[str, Any]:
    """One writing call; every one of them names the region."""
    return cloud.rpc(product, action, RegionId=cloud.region, **parameters)


def make_balancer(cloud: Cloud, product: str, **parameters: Any) -> str:
    """A load balancer of a family (slb, alb or nlb) with what the family requires; its id."""
    if product != "slb":
        parameters |= {"AddressType": "Intranet", "VpcId": VPC}
        for number, (zone, switch) in enumerate(
            (("cn-shanghai-e", "vsw-labe"), ("cn-shanghai-g", "vsw-labg")), 1
        ):
            parameters |= {
                f"ZoneMappings.{number}.ZoneId": zone,
                f"ZoneMappings.{number}.VSwitchId": switch,
            }
    if product == "alb":
        parameters |= {
            "LoadBalancerEdition": "Basic",
            "LoadBalancerBillingConfig.PayType": "PostPay",
        }
    answer = write(cloud, product, "CreateLoadBalancer", **parameters)
    return answer["LoadbalancerId" if product == "nlb" else "LoadBalancerId"]


def _named(cloud: Cloud, tags: dict[str, str], stack: str, name: str) -> dict[str, str]:
    rows = json.dumps([{"Key": key, "Value": value} for key, value in tags.items()])
    cloud.rpc(
        "ram", "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST), Tag=rows
    )
    cloud.rpc("ram", "CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(_READ), Tag=rows)
    cloud.rpc("ram", "AttachPolicyToRole", RoleName=name, PolicyName=name, PolicyType="Custom")
    return {
        "RAM role": name,
        "RAM policy": name,
        "node pool": make_pool(cloud, f"inference-{stack}-1ef7be"),
    }


def make_pool(cloud: Cloud, name: str) -> str:
    """A node pool that orders nothing; its id."""
    body = {
        "nodepool_info": {"name": name},
        "auto_scaling": {"enable": True, "min_instances": 0, "max_instances": 1},
        "scaling_group": {"instance_types": [SYSTEM_TYPE], "vswitch_ids": ["vsw-labe"]},
    }
    return cloud.write_cs("POST", f"/clusters/{CLUSTER}/nodepools", body)["nodepool_id"]


def _stored(cloud: Cloud, tags: dict[str, str], name: str) -> dict[str, str]:

    stored = cloud.bucket(name)
    stored.create_bucket()
    rules = oss2.models.TaggingRule()
    for key, value in tags.items():
        rules.add(key, value)
    stored.put_bucket_tagging(oss2.models.Tagging(rules))
    stored.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    for text in ("one", "two"):
        stored.put_object("models/a", text)
    stored.delete_object("models/a")
    stored.init_multipart_upload("models/b")
    logs = SlsClient(cloud.config(f"{cloud.region}.log.aliyuncs.com"))
    logs.create_project(sls_models.CreateProjectRequest(project_name=name, description=""))
    rows = [sls_models.TagResourcesRequestTags(key=key, value=value) for key, value in tags.items()]
    logs.tag_resources(
        sls_models.TagResourcesRequest(resource_type="project", resource_id=[name], tags=rows)
    )
    return {
        "bucket": name,
        "object versions": name,
        "unfinished uploads": name,
        "log project": name,
    }


def remove(cloud: Cloud, planted: dict[str, str]) -> None:
    """Takes away again what `plant` left, in an order in which it goes; returns when the node pool,
    whose deletion takes time, is gone.
    """
    ids = dict(planted)
    role, policy = ids["RAM role"], ids["RAM policy"]
    cloud.rpc("ram", "DetachPolicyFromRole", RoleName=role, PolicyName=policy, PolicyType="Custom")
    for product, action, key, kind in _REMOVALS:
        write(cloud, product, action, **{key: ids[kind]})
    cloud.write_cs("DELETE", f"/clusters/{CLUSTER}/nodepools/{ids['node pool']}")
    _empty(cloud, ids["bucket"])

    def still_there() -> list[str]:
        return (
            [ids["node pool"]]
            if ids["node pool"]
            in {pool["nodepool_info"]["nodepool_id"] for pool in pools_of(cloud, CLUSTER)}
            else []
        )

    assert until_nothing("node pool", still_there, lambda line: print(line, file=sys.stderr)), (
        "the node pool is still there"
    )


_REMOVALS = (
    ("slb", "DeleteLoadBalancer", "LoadBalancerId", "load balancer"),
    ("alb", "DeleteLoadBalancer", "LoadBalancerId", "application load balancer"),
    ("nlb", "DeleteLoadBalancer", "LoadBalancerId", "network load balancer"),
    ("vpc", "ReleaseEipAddress", "AllocationId", "public address"),
    ("ecs", "DeleteDisk", "DiskId", "disk"),
    ("ecs", "DeleteSecurityGroup", "SecurityGroupId", "security group"),
    ("ecs", "DeleteInstance", "InstanceId", "instance"),
    ("ess", "DeleteScalingGroup", "ScalingGroupId", "scaling group"),
    ("vpc", "DeleteNatGateway", "NatGatewayId", "NAT gateway"),
    ("vpc", "DeleteVSwitch", "VSwitchId", "vSwitch"),
    ("vpc", "DeleteVpc", "VpcId", "VPC"),
    ("ram", "DeleteRole", "RoleName", "RAM role"),
    ("ram", "DeletePolicy", "PolicyName", "RAM policy"),
)


def _empty(cloud: Cloud, name: str) -> None:

    stored = cloud.bucket(name)
    page = stored.list_object_versions()
    for one in [*page.versions, *page.delete_marker]:
        stored.delete_object(one.key, {"versionId": one.versionid})
    for upload in stored.list_multipart_uploads().upload_list:
        stored.abort_multipart_upload(upload.key, upload.upload_id)
    stored.delete_bucket()
    SlsClient(cloud.config(f"{cloud.region}.log.aliyuncs.com")).delete_project(
        name, sls_models.DeleteProjectRequest()
    )


def main(arguments: list[str]) -> int:
    """`plant STACK`, or `remove` of what standard input names."""
    cloud = Cloud(os.environ["ALICLOUD_REGION"], find_credentials())
    actions: dict[str, Callable[[], Any]] = {
        "plant": lambda: print(json.dumps(plant(cloud, arguments[1]))),
        "remove": lambda: remove(cloud, json.load(sys.stdin)),
    }
    actions[arguments[0]]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
