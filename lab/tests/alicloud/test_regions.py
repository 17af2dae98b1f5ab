"""Every region that a stack may be in: what is in one of them is not in another, and names that are
the account's are taken everywhere.
"""

from __future__ import annotations

from typing import Any

import oss2
import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.alicloud import regions
from lab.alicloud.catalog import TYPES, sold
from lab.testing import clients
from lab.testing.cloud import CloudDouble, wait_for

BEIJING, SINGAPORE = "cn-beijing", "ap-southeast-1"


def ask(
    lab: CloudDouble, product: str, region: str, action: str, **parameters: Any
) -> dict[str, Any]:
    version = {"ecs": "2014-05-26", "vpc": "2016-04-28"}[product]
    return clients.rpc(
        lab, f"{product}.{region}.aliyuncs.com", version, action, RegionId=region, **parameters
    )


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(ServerException) as caught:
        call()
    return int(caught.value.http_status or 0), str(caught.value.error_code)


def bucket(lab: CloudDouble, region: str, name: str) -> oss2.Bucket:
    return oss2.Bucket(
        oss2.AuthV4(*clients.keys(lab)),
        f"https://oss-{region}.aliyuncs.com",
        name,
        region=region,
        connect_timeout=1500,
    )


def network(lab: CloudDouble, region: str, zone: str) -> tuple[str, str]:
    vpc = ask(lab, "vpc", region, "CreateVpc", CidrBlock="172.30.0.0/16", VpcName="far")["VpcId"]
    wait_for(
        lambda: ask(lab, "vpc", region, "DescribeVpcAttribute", VpcId=vpc)["Status"] == "Available"
    )
    return vpc, ask(
        lab, "vpc", region, "CreateVSwitch", VpcId=vpc, ZoneId=zone, CidrBlock="172.30.0.0/24"
    )["VSwitchId"]


def test_regions_zones_and_what_they_sell_agree(lab: CloudDouble) -> None:
    told = {
        row["RegionId"] for row in ask(lab, "ecs", BEIJING, "DescribeRegions")["Regions"]["Region"]
    }
    assert told == set(regions.REGIONS) and len(told) >= 30
    for region in (BEIJING, SINGAPORE, "cn-shanghai", "us-east-1"):
        zones = ask(lab, "ecs", region, "DescribeZones")["Zones"]["Zone"]
        assert {row["ZoneId"] for row in zones} == set(regions.zones(region))
        stock = ask(
            lab, "ecs", region, "DescribeAvailableResource", DestinationResource="InstanceType"
        )["AvailableZones"]["AvailableZone"]
        assert {row["ZoneId"] for row in stock} == set(regions.zones(region)) and {
            row["RegionId"] for row in stock
        } == {region}
        for row, offered in zip(zones, stock, strict=True):
            values = offered["AvailableResources"]["AvailableResource"][0]["SupportedResources"][
                "SupportedResource"
            ]
            assert (
                row["AvailableInstanceTypes"]["InstanceTypes"]
                == [one["Value"] for one in values]
                == list(sold(region))
            )


def test_every_zone_leads_back_to_its_region_and_every_region_sells_something() -> None:
    for region in regions.REGIONS:
        assert regions.zones(region) and {
            regions.region_of(zone) for zone in regions.zones(region)
        } == {region}
        assert 0 < len(sold(region)) <= len(TYPES)
    assert "ecs.gn6v-c8g1.2xlarge" not in sold(SINGAPORE) and "ecs.gn6i-c4g1.xlarge" in sold(
        SINGAPORE
    )


def test_what_is_in_one_region_is_not_in_another(lab: CloudDouble) -> None:
    vpc, switch = network(lab, SINGAPORE, f"{SINGAPORE}a")
    assert refused(lambda: ask(lab, "vpc", BEIJING, "DescribeVpcAttribute", VpcId=vpc)) == (
        404,
        "InvalidVpcId.NotFound",
    )
    listed = {
        region: ask(lab, "vpc", region, "DescribeVpcs")["Vpcs"]["Vpc"]
        for region in (BEIJING, SINGAPORE, "cn-shanghai")
    }
    assert [row["VpcId"] for row in listed[SINGAPORE]] == [vpc] and listed[SINGAPORE][0][
        "RegionId"
    ] == SINGAPORE
    assert listed[BEIJING] == [] and vpc not in {row["VpcId"] for row in listed["cn-shanghai"]}
    wanted = {"InstanceType": "ecs.g7.large", "VSwitchId": switch}
    made = ask(lab, "ecs", SINGAPORE, "RunInstances", **wanted)["InstanceIdSets"]["InstanceIdSet"][
        0
    ]
    rows = ask(lab, "ecs", SINGAPORE, "DescribeInstances")["Instances"]["Instance"]
    assert [(row["InstanceId"], row["RegionId"], row["ZoneId"]) for row in rows] == [
        (made, SINGAPORE, f"{SINGAPORE}a")
    ]
    assert ask(lab, "ecs", BEIJING, "DescribeInstances")["Instances"]["Instance"] == []
    assert lab.ask(f"place/instance/{made}") == {"region": SINGAPORE}
    ask(lab, "ecs", SINGAPORE, "DeleteInstance", InstanceId=made)
    wait_for(lambda: ask(lab, "ecs", SINGAPORE, "DescribeInstances")["TotalCount"] == 0)
    ask(lab, "vpc", SINGAPORE, "DeleteVSwitch", VSwitchId=switch)
    ask(lab, "vpc", SINGAPORE, "DeleteVpc", VpcId=vpc)


def test_a_region_that_there_is_not_and_one_that_the_host_does_not_serve_are_refused(
    lab: CloudDouble,
) -> None:
    assert refused(lambda: ask(lab, "ecs", "cn-nowhere", "DescribeZones")) == (
        404,
        "InvalidRegionId.NotFound",
    )

    def crossed() -> Any:
        return clients.rpc(
            lab, "vpc.cn-beijing.aliyuncs.com", "2016-04-28", "DescribeVpcs", RegionId=SINGAPORE
        )

    assert refused(crossed) == (404, "InvalidOperation.NotSupportedEndpoint")
    wrong = {"VpcId": "vpc-lab", "ZoneId": "cn-beijing-c", "CidrBlock": "10.0.240.0/24"}
    assert refused(lambda: ask(lab, "vpc", "cn-shanghai", "CreateVSwitch", **wrong)) == (
        404,
        "InvalidZoneId.NotFound",
    )


def test_a_bucket_is_in_one_region_and_its_name_is_taken_in_all(lab: CloudDouble) -> None:
    there = bucket(lab, SINGAPORE, "far-bucket")
    there.create_bucket()
    assert (
        there.get_bucket_info().location == f"oss-{SINGAPORE}"
        and there.get_bucket_location().location == f"oss-{SINGAPORE}"
    )
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket(lab, BEIJING, "far-bucket").get_bucket_info()
    assert (caught.value.status, caught.value.code) == (403, "AccessDenied")
    assert caught.value.details["Endpoint"] == f"oss-{SINGAPORE}.aliyuncs.com"
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket(lab, BEIJING, "far-bucket").create_bucket()
    assert (caught.value.status, caught.value.code) == (409, "BucketAlreadyExists")
    service = oss2.Service(
        oss2.AuthV4(*clients.keys(lab)), f"https://oss-{BEIJING}.aliyuncs.com", region=BEIJING
    )
    assert [(b.name, b.location) for b in service.list_buckets(prefix="far-").buckets] == [
        ("far-bucket", f"oss-{SINGAPORE}")
    ]
    there.delete_bucket()


@pytest.mark.parametrize(
    ("region", "storage", "taken"),
    [
        ("cn-shanghai", "Standard", True), ("eu-central-1", "IA", True), ("cn-chengdu", "Standard", False), ("us-east-1", "IA", False),
        ("ap-southeast-3", "Standard", True), ("ap-southeast-3", "IA", False),
    ],
)  # fmt: skip
def test_zone_redundant_storage_is_refused_where_there_is_none(
    lab: CloudDouble, region: str, storage: str, taken: bool
) -> None:
    made = bucket(lab, region, f"zrs-{region}-{storage.lower()}")
    config = oss2.models.BucketCreateConfig(storage, oss2.BUCKET_DATA_REDUNDANCY_TYPE_ZRS)
    if not taken:
        with pytest.raises(oss2.exceptions.ServerError) as caught:
            made.create_bucket(input=config)
        assert (caught.value.status, caught.value.code) == (
            400,
            "InvalidArgument",
        ) and region in caught.value.message
        return
    made.create_bucket(input=config)
    assert made.get_bucket_info().data_redundancy_type == "ZRS"
    made.delete_bucket()


def test_an_address_that_an_instance_asks_for_is_given_or_refused_as_ecs_does(
    lab: CloudDouble,
) -> None:
    vpc, switch = network(lab, BEIJING, "cn-beijing-h")

    def run(**more: Any) -> list[str]:
        wanted = {"InstanceType": "ecs.g7.large", "VSwitchId": switch, **more}
        return ask(lab, "ecs", BEIJING, "RunInstances", **wanted)["InstanceIdSets"]["InstanceIdSet"]

    made = run(PrivateIpAddress="172.30.0.77")
    rows = ask(lab, "ecs", BEIJING, "DescribeInstances", PrivateIpAddresses='["172.30.0.77"]')[
        "Instances"
    ]["Instance"]
    assert [row["InstanceId"] for row in rows] == made
    assert rows[0]["VpcAttributes"]["PrivateIpAddress"]["IpAddress"] == ["172.30.0.77"]
    for address, code in (
        ("172.30.0.77", "InvalidPrivateIpAddress.Duplicated"),
        ("172.30.1.5", "InvalidPrivateIpAddress"),
        ("172.30.0.1", "InvalidPrivateIpAddress"),
        ("172.30.0.300", "InvalidPrivateIpAddress.Malformed"),
    ):
        assert refused(lambda address=address: run(PrivateIpAddress=address)) == (400, code)
    assert refused(lambda: run(PrivateIpAddress="172.30.0.78", Amount=2)) == (
        400,
        "InvalidParameter.Amount",
    )
    assert refused(lambda: run(PrivateIpAddress="172.30.0.78", VSwitchId="")) == (
        400,
        "MissingParameter",
    )
    made += run(Amount=2)
    for name in made:
        ask(lab, "ecs", BEIJING, "DeleteInstance", InstanceId=name)
    wait_for(lambda: ask(lab, "ecs", BEIJING, "DescribeInstances")["TotalCount"] == 0)
    assert len(run(PrivateIpAddress="172.30.0.77")) == 1, "a released address can be had again"
    left = ask(lab, "ecs", BEIJING, "DescribeInstances")["Instances"]["Instance"][0]["InstanceId"]
    ask(lab, "ecs", BEIJING, "DeleteInstance", InstanceId=left)
    wait_for(lambda: ask(lab, "ecs", BEIJING, "DescribeInstances")["TotalCount"] == 0)
    ask(lab, "vpc", BEIJING, "DeleteVSwitch", VSwitchId=switch)
    ask(lab, "vpc", BEIJING, "DeleteVpc", VpcId=vpc)
