"""What the commands look up after a lost answer, asked of the double by the one client."""

from __future__ import annotations

import json
import time

import pytest

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble
from lab.testing.node_pools import create, wanted
from ops.cloud import resources
from ops.cloud.client import Cloud
from ops.cloud.credentials import Credentials
from ops.cloud.errors import CloudError


@pytest.fixture
def cloud(lab: CloudDouble) -> Cloud:
    """The double as a command reaches it."""
    return Cloud(clients.REGION, Credentials(*clients.keys(lab)))


def test_a_node_pool_is_found_by_name_and_one_that_was_ordered_twice_is_deleted(
    lab: CloudDouble, cloud: Cloud
) -> None:
    ours = create(lab, wanted("doubled", 0, 1))
    inputs = {"clusterId": CLUSTER, "nodePoolName": "doubled"}
    assert resources.find_id(cloud, resources.NODE_POOL, inputs) == f"{CLUSTER}:{ours}"
    assert resources.find_id(cloud, resources.NODE_POOL, {**inputs, "nodePoolName": "x"}) is None
    second = create(lab, wanted("doubled", 0, 1))
    with pytest.raises(CloudError, match=r"there are 2 of this name.*ambiguous which one"):
        resources.find_id(cloud, resources.NODE_POOL, inputs)

    def deleted(ours: set[str], since: float) -> list[str]:
        return resources.delete_duplicate_node_pools(cloud, CLUSTER, "doubled", ours, since)

    assert deleted({f"{CLUSTER}:other"}, 0.0) == [], "none of them is ours"
    assert deleted({f"{CLUSTER}:{ours}"}, time.time() * 2) == [], "it was there before"
    assert deleted({f"{CLUSTER}:{ours}"}, 0.0) == [second]
    cloud.write_cs("DELETE", f"/clusters/{CLUSTER}/nodepools/{ours}", force="true")


def test_what_is_unique_by_name_has_a_creation_date_or_does_not_exist(cloud: Cloud) -> None:
    name = "created-at"
    principal = {"RAM": ["acs:ram::1234567890123456:root"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    trust = {"Version": "1", "Statement": [statement]}
    cloud.rpc("ram", "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    cloud.bucket("created-at-bucket").create_bucket()
    since = time.time() - 3600
    for resource_type, inputs in (
        (resources.ROLE, {"roleName": name}),
        (resources.BUCKET, {"bucket": "created-at-bucket"}),
    ):
        created = resources.created_at(cloud, resource_type, inputs)
        assert created is not None and created > since
        missing = {key: f"{value}-missing" for key, value in inputs.items()}
        assert resources.created_at(cloud, resource_type, missing) is None
    for resource_type, inputs in (
        (resources.POLICY, {"policyName": name}),
        (resources.POLICY_ATTACHMENT, {"roleName": name, "policyName": name}),
        (resources.MANAGED_CLUSTER, {"name": name}),
    ):
        assert resources.created_at(cloud, resource_type, inputs) is None
    cloud.rpc("ram", "DeleteRole", RoleName=name)
    cloud.bucket("created-at-bucket").delete_bucket()


def test_the_network_of_the_lab_is_found_by_name_and_place(cloud: Cloud) -> None:
    (network,) = cloud.rpc("vpc", "DescribeVpcs", RegionId=cloud.region)["Vpcs"]["Vpc"]
    inputs = {"vpcName": network["VpcName"], "cidrBlock": network["CidrBlock"]}
    assert resources.find_id(cloud, resources.NETWORK, inputs) == network["VpcId"]
    assert (
        resources.find_id(cloud, resources.NETWORK, {**inputs, "cidrBlock": "10.9.0.0/16"}) is None
    )
