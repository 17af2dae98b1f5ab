"""VPC, ECS, IMS and the coverage page: what providers and lookups read around the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.alicloud import coverage
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.services.sls.wire import log_group, plain_body
from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble, wait_for


def vpc(lab: CloudDouble, action: str, **parameters: Any) -> dict[str, Any]:
    """One VPC call."""
    return clients.rpc(lab, "vpc.cn-shanghai.aliyuncs.com", "2016-04-28", action, **parameters)


def ecs(lab: CloudDouble, action: str, **parameters: Any) -> dict[str, Any]:
    """One ECS call."""
    return clients.rpc(lab, "ecs.cn-shanghai.aliyuncs.com", "2014-05-26", action, **parameters)


def _code(call: Any) -> tuple[int, str]:
    with pytest.raises(ServerException) as caught:
        call()
    return int(caught.value.http_status or 0), str(caught.value.error_code)


def test_a_network_comes_up_once_per_token_and_goes_only_empty(lab: CloudDouble) -> None:
    made = vpc(lab, "CreateVpc", CidrBlock="172.20.0.0/16", VpcName="own", ClientToken="t-1")[
        "VpcId"
    ]
    assert (
        vpc(lab, "CreateVpc", CidrBlock="172.20.0.0/16", VpcName="own", ClientToken="t-1")["VpcId"]
        == made
    )
    wait_for(lambda: vpc(lab, "DescribeVpcAttribute", VpcId=made)["Status"] == "Available")
    zone = {"VpcId": made, "ZoneId": "cn-shanghai-g"}
    switch = vpc(lab, "CreateVSwitch", CidrBlock="172.20.1.0/24", VSwitchName="s", **zone)[
        "VSwitchId"
    ]
    assert vpc(lab, "DescribeVSwitchAttributes", VSwitchId=switch)["Status"] == "Available"
    assert _code(lambda: vpc(lab, "CreateVSwitch", CidrBlock="172.20.1.128/25", **zone)) == (
        400,
        "InvalidCidrBlock.Overlapped",
    )
    assert _code(lambda: vpc(lab, "CreateVSwitch", CidrBlock="10.0.0.0/24", **zone)) == (
        400,
        "InvalidCidrBlock.NotInVpc",
    )
    assert _code(lambda: vpc(lab, "DeleteVpc", VpcId=made)) == (400, "DependencyViolation.VSwitch")
    vpc(
        lab,
        "TagResources",
        **{"ResourceType": "VPC", "ResourceId.1": made, "Tag.1.Key": "owner", "Tag.1.Value": "me"},
    )
    assert vpc(lab, "DescribeVpcAttribute", VpcId=made)["Tags"]["Tag"] == [
        {"Key": "owner", "Value": "me"}
    ]
    vpc(lab, "DeleteVSwitch", VSwitchId=switch)
    vpc(lab, "DeleteVpc", VpcId=made)
    assert _code(lambda: vpc(lab, "DescribeVpcAttribute", VpcId=made)) == (
        404,
        "InvalidVpcId.NotFound",
    )
    assert _code(lambda: vpc(lab, "DescribeVSwitchAttributes", VSwitchId=switch)) == (
        404,
        "InvalidVSwitchId.NotFound",
    )


def test_the_labs_own_vswitch_can_not_be_deleted_under_its_cluster(lab: CloudDouble) -> None:
    assert _code(lambda: vpc(lab, "DeleteVSwitch", VSwitchId="vsw-labg")) == (
        400,
        "DependencyViolation",
    )


def test_security_groups_come_and_go(lab: CloudDouble) -> None:
    made = ecs(lab, "CreateSecurityGroup", VpcId="vpc-lab", SecurityGroupName="own")[
        "SecurityGroupId"
    ]
    found = ecs(lab, "DescribeSecurityGroups", SecurityGroupId=made)["SecurityGroups"][
        "SecurityGroup"
    ]
    assert [(g["SecurityGroupName"], g["VpcId"]) for g in found] == [("own", "vpc-lab")]
    assert (
        ecs(lab, "DescribeSecurityGroupAttribute", SecurityGroupId=made)["InnerAccessPolicy"]
        == "Accept"
    )
    ecs(lab, "DeleteSecurityGroup", SecurityGroupId=made)
    assert (
        ecs(lab, "DescribeSecurityGroups", SecurityGroupId=made)["SecurityGroups"]["SecurityGroup"]
        == []
    )
    assert _code(lambda: ecs(lab, "DeleteSecurityGroup", SecurityGroupId="sg-lab")) == (
        403,
        "DependencyViolation",
    )


def test_types_zones_and_stock_are_told(lab: CloudDouble) -> None:
    kinds = ecs(lab, "DescribeInstanceTypes", **{"InstanceTypes.1": "ecs.gn7i-c8g1.2xlarge"})[
        "InstanceTypes"
    ]["InstanceType"]
    assert [
        (k["CpuCoreCount"], k["GPUAmount"], k["GPUSpec"], k["InstanceTypeFamily"]) for k in kinds
    ] == [(8, 1, "NVIDIA-A10", "ecs.gn7i")]
    zones = [z["ZoneId"] for z in ecs(lab, "DescribeZones")["Zones"]["Zone"]]
    assert zones[0] == "cn-shanghai-a" and {
        "cn-shanghai-e",
        "cn-shanghai-g",
        "cn-shanghai-l",
    } <= set(zones)
    answer = ecs(
        lab,
        "DescribeAvailableResource",
        DestinationResource="InstanceType",
        ZoneId=zones[0],
        InstanceType="ecs.g6.large",
    )
    resource = answer["AvailableZones"]["AvailableZone"][0]["AvailableResources"][
        "AvailableResource"
    ][0]
    assert resource["SupportedResources"]["SupportedResource"] == [
        {"Value": "ecs.g6.large", "Status": "Available", "StatusCategory": "WithStock"}
    ]


def test_an_oidc_provider_can_be_registered_changed_and_removed(lab: CloudDouble) -> None:
    def ims(action: str, **parameters: Any) -> dict[str, Any]:
        return clients.rpc(
            lab, "ims.aliyuncs.com", "2019-08-15", action, OIDCProviderName="own-idp", **parameters
        )

    ims("CreateOIDCProvider", IssuerUrl="https://issuer.test", ClientIds="a,b", Fingerprints="x")
    ims("AddClientIdToOIDCProvider", ClientId="c")
    ims("RemoveClientIdFromOIDCProvider", ClientId="a")
    ims("AddFingerprintToOIDCProvider", Fingerprint="y")
    found = ims("GetOIDCProvider")["OIDCProvider"]
    assert (found["ClientIds"], found["Fingerprints"]) == ("b,c", "x,y")
    assert _code(lambda: ims("CreateOIDCProvider", IssuerUrl="https://issuer.test")) == (
        409,
        "EntityAlreadyExists.OIDCProvider",
    )
    ims("DeleteOIDCProvider")
    assert _code(lambda: ims("GetOIDCProvider")) == (404, "EntityNotExist.OIDCProvider")


def test_addons_are_installed_configured_and_removed(lab: CloudDouble) -> None:
    base, name = f"/clusters/{CLUSTER}", "ack-pod-identity-webhook"
    with pytest.raises(ServerException, match="AddonNotFound"):
        clients.roa(lab, "GET", f"{base}/addon_instances/{name}")
    clients.roa(
        lab,
        "POST",
        f"{base}/components/install",
        [{"name": name, "version": "", "config": '{"a":1}'}],
    )
    assert clients.roa(lab, "GET", f"{base}/addon_instances/{name}")["config"] == '{"a":1}'
    clients.roa(lab, "POST", f"{base}/components/{name}/config", {"config": '{"a":2}'})
    status = clients.roa(lab, "GET", f"{base}/components/upgradestatus", componentIds=f'["{name}"]')
    assert status[name]["tasks"] == {"status": "Success"} and status[name]["can_upgrade"] is False
    clients.roa(
        lab,
        "POST",
        f"{base}/components/upgrade",
        [{"component_name": name, "next_version": "0.4.2", "policy": "overwrite"}],
    )
    assert clients.roa(lab, "GET", f"{base}/addon_instances/{name}") == {
        "name": name, "version": "0.4.2", "config": '{"a":2}', "state": "active",
    }  # fmt: skip
    clients.roa(lab, "POST", f"{base}/components/uninstall", [{"name": name}])
    with pytest.raises(ServerException, match="AddonNotFound"):
        clients.roa(lab, "GET", f"{base}/addon_instances/{name}")


def test_the_coverage_page_is_up_to_date() -> None:
    assert coverage.PAGE.read_text() == coverage.page()


def test_every_implemented_call_says_what_it_does() -> None:
    rows = [
        line
        for line in coverage.page().splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    assert len(rows) > 200 and not [row for row in rows if row.endswith("|  |")]


def test_a_body_that_is_no_log_group_is_refused() -> None:

    with pytest.raises(ApiError, match="PostBodyInvalid"):
        log_group(b"\x0a\xff")
    request = Request(
        "POST",
        "https",
        "h",
        "/",
        "/",
        "",
        {"x-log-compresstype": "lz4", "x-log-bodyrawsize": "5"},
        b"junk",
    )
    with pytest.raises(ApiError, match="PostBodyUncompressError"):
        plain_body(request)
