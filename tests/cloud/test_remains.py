"""The look for remains against the double, through Alibaba's own client: everything left behind is
found, nothing else is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from lab.alicloud.seed import CLUSTER
from lab.testing.cloud import CloudDouble, wait_for
from ops.cloud.client import PAGE, Cloud, tag_filter
from ops.cloud.credentials import Credentials
from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown import scan
from ops.teardown.leftovers import KINDS, Kept
from settings.names import CLUSTER_TAG
from tests.remains import make_balancer, plant, remove, write

STACK = "local"
IN_CLUSTER = {"Namespace", "PersistentVolume", "Node", "pods", "object"}
OF_A_MADE_CLUSTER = {"cluster", "OIDC provider"}
PLACE = StackLocation(
    STACK,
    regions=frozenset({"cn-shanghai"}),
    cluster=CLUSTER,
    cluster_tag=CLUSTER,
    pool_name=f"inference-{STACK}-",
)


@pytest.fixture
def cloud(lab: CloudDouble) -> Cloud:
    """The double as a teardown reaches it."""
    return Cloud("cn-shanghai", Credentials(lab.own["access_key"], lab.own["secret_key"]))


@pytest.fixture
def planted(cloud: Cloud) -> Iterator[dict[str, str]]:
    """One thing of every kind, gone again after the test."""
    ids = plant(cloud, STACK)
    yield ids
    remove(cloud, ids)
    wait_for(lambda: not look(cloud))


def look(
    cloud: Cloud, location: StackLocation = PLACE, kept: Kept | None = None
) -> set[tuple[str, str]]:
    """What a look finds, everything having been looked at."""
    remains = scan.scan_all(cloud, location, None, kept=kept)
    assert remains.unseen == ()
    return {(one.kind, one.id) for one in remains.leftovers}


def test_in_a_fresh_region_nothing_is_left(cloud: Cloud) -> None:
    assert look(cloud) == set()


def test_of_every_kind_what_was_left_behind_is_found_with_a_command(
    cloud: Cloud, planted: dict[str, str]
) -> None:
    assert set(planted) == set(KINDS) - IN_CLUSTER - OF_A_MADE_CLUSTER
    remains = scan.scan_all(cloud, PLACE, None)
    found = {(one.kind, one.id) for one in remains.leftovers}
    assert found >= set(planted.items()), set(planted.items()) - found
    group_of_the_pool = {one for one in found - set(planted.items()) if one[0] == "scaling group"}
    assert found == set(planted.items()) | group_of_the_pool
    for one in remains.leftovers:
        assert one.id in one.remove and one.where.startswith("https://"), one
    role = next(one for one in remains.leftovers if one.kind == "RAM role")
    assert role.remove.startswith(
        "aliyun ram DetachPolicyFromRole --RoleName left-behind --PolicyType Custom --PolicyName left-behind && "
    )


def test_what_another_stack_left_is_not_ours(cloud: Cloud, planted: dict[str, str]) -> None:
    others = StackLocation(
        "staging", cluster=CLUSTER, cluster_tag=CLUSTER, pool_name="inference-staging-"
    )
    assert look(cloud, others) == set()


def test_what_a_stack_of_the_same_name_with_another_cluster_left_is_not_ours(
    cloud: Cloud, planted: dict[str, str]
) -> None:
    other = "c" + "9" * 32
    namesake = dataclasses.replace(PLACE, cluster=other, cluster_tag=other)
    remains = scan.scan_all(cloud, namesake, None)
    assert remains.empty, remains


def test_what_names_no_cluster_is_told_and_nobody_gets_a_command_that_deletes_it(
    cloud: Cloud,
) -> None:
    identity = write(cloud, "vpc", "AllocateEipAddress", **tag_filter(PLACE.tags))["AllocationId"]
    try:
        remains = scan.scan_all(cloud, PLACE, None)
        assert [(one.kind, one.id) for one in remains.doubtful] == [("public address", identity)]
        assert remains.leftovers == () and not remains.empty
    finally:
        write(cloud, "vpc", "ReleaseEipAddress", AllocationId=identity)


def test_what_is_kept_on_purpose_is_not_left_but_its_unfinished_uploads_are(
    cloud: Cloud, planted: dict[str, str]
) -> None:
    found = look(cloud, kept=Kept(frozenset({("bucket", planted["bucket"])})))
    assert {kind for kind, identity in found if identity == planted["bucket"]} >= {
        "unfinished uploads"
    }
    assert not {("bucket", planted["bucket"]), ("object versions", planted["bucket"])} & found


def test_a_list_of_more_than_one_page_is_read_to_its_end(cloud: Cloud) -> None:
    tags = tag_filter({**PLACE.tags, CLUSTER_TAG: CLUSTER})
    made = [
        write(cloud, "vpc", "AllocateEipAddress", **tags)["AllocationId"] for _ in range(PAGE + 3)
    ]
    made_alb = [make_balancer(cloud, "alb", **tags) for _ in range(PAGE + 1)]
    try:
        found = look(cloud)
        assert {("public address", one) for one in made} <= found
        assert {("application load balancer", one) for one in made_alb} <= found
    finally:
        for one in made:
            write(cloud, "vpc", "ReleaseEipAddress", AllocationId=one)
        for one in made_alb:
            cloud.rpc("alb", "DeleteLoadBalancer", LoadBalancerId=one)


def test_a_made_cluster_counts_with_everything_ack_made_for_it(
    cloud: Cloud, lab: CloudDouble
) -> None:
    body = {
        "name": "left",
        "region_id": "cn-shanghai",
        "vswitch_ids": ["vsw-labe"],
        "enable_rrsa": True,
    }
    body["addons"] = [{"name": "loongcollector", "config": "{}"}]
    made = cloud.write_cs("POST", "/clusters", body)["cluster_id"]
    try:
        found = look(cloud, StackLocation(STACK, cluster=made, cluster_made=True, pool_name="x-"))
        kinds = {kind for kind, _ in found}
        assert kinds >= {
            "cluster",
            "OIDC provider",
            "load balancer",
            "security group",
            "RAM role",
            "log project",
        }
        assert look(cloud, StackLocation(STACK, cluster=made, pool_name="x-")) == set(), (
            "a cluster that was given is not the stack's to delete"
        )
    finally:
        cloud.write_cs("DELETE", f"/clusters/{made}")


def test_what_can_t_be_looked_at_is_no_proof_of_absence(cloud: Cloud, lab: CloudDouble) -> None:
    lab.ask(
        "faults",
        {
            "match": {"service": "ecs", "action": "DescribeDisks"},
            "times": 9,
            "status": 403,
            "code": "Forbidden.RAM",
        },
    )
    remains = scan.scan_all(cloud, PLACE, None)
    assert not remains.empty and [gap.what for gap in remains.unseen] == ["disks"]
    assert "Forbidden.RAM" in remains.unseen[0].why


@pytest.mark.parametrize("kind", ["error", "reset", "answered-but-lost"])
def test_a_fault_that_passes_is_asked_again(cloud: Cloud, lab: CloudDouble, kind: str) -> None:
    lab.ask(
        "faults",
        {
            "match": {"service": "slb"},
            "times": 1,
            "kind": kind,
            "status": 503,
            "code": "ServiceUnavailable",
        },
    )
    assert look(cloud) == set()


def test_a_product_the_account_never_used_has_nothing_left(cloud: Cloud, lab: CloudDouble) -> None:
    lab.ask(
        "faults",
        {
            "match": {"service": "alb"},
            "times": 9,
            "status": 400,
            "code": "OperationDenied.ServiceNotOpen",
        },
    )
    assert look(cloud) == set()


def test_the_account_is_that_of_the_credentials_and_a_wrong_secret_is_one_clear_error(
    cloud: Cloud, lab: CloudDouble
) -> None:
    assert cloud.account == lab.own["account_id"]
    with pytest.raises(CloudError, match=r"sts GetCallerIdentity: .*Signature"):
        _ = Cloud("cn-shanghai", Credentials(lab.own["access_key"], "wrong")).account
