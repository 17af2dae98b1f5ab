"""Faults that change an answer: slow consistency, a state that does not move on, small pages. And
the region put aside and brought back.
"""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.testing import clients
from lab.testing.cloud import CloudDouble
from lab.testing.node_pools import BASE, create, finished, wanted

TRUST = json.dumps(
    {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"RAM": ["acs:ram::1234567890123456:root"]},
            }
        ],
    }
)


def fault(lab: CloudDouble, kind: str, service: str, call: str, **more: Any) -> None:
    """Adds one fault."""
    lab.ask("faults", {"match": {"service": service, "call": call}, "kind": kind, **more})


def hits(lab: CloudDouble) -> list[int]:
    """How often each fault has struck."""
    return [one["hits"] for one in lab.ask("faults")["faults"]]


def test_what_was_just_made_is_missing_for_so_many_reads(lab: CloudDouble) -> None:
    fault(lab, "stale", "ram", "GetRole", times=2)
    clients.ram(lab, "CreateRole", RoleName="slow", AssumeRolePolicyDocument=TRUST)
    for _ in range(2):
        with pytest.raises(ServerException, match=r"EntityNotExist\.Role"):
            clients.ram(lab, "GetRole", RoleName="slow")
    assert clients.ram(lab, "GetRole", RoleName="slow")["Role"]["RoleName"] == "slow" and hits(
        lab
    ) == [2]
    clients.ram(lab, "DeleteRole", RoleName="slow")


def test_what_was_just_deleted_or_changed_is_as_before(lab: CloudDouble) -> None:
    fault(lab, "stale", "oss", "GetBucketAcl")
    fault(lab, "stale", "oss", "GetBucketInfo")
    own = clients.bucket(lab, "slow-bucket")
    own.create_bucket()
    lab.ask("faults", method="DELETE")
    fault(lab, "stale", "oss", "GetBucketAcl", seconds=600)
    own.put_bucket_acl("public-read")
    with pytest.raises(
        Exception, match="NoSuchBucket"
    ):  # ten minutes ago there was no bucket either
        own.get_bucket_acl()
    assert own.get_bucket_acl().acl == "public-read"
    own.delete_bucket()
    fault(lab, "stale", "oss", "GetBucketInfo", seconds=0.0001)
    with pytest.raises(Exception, match="NoSuchBucket"):
        own.get_bucket_info()
    assert hits(lab) == [1, 0], (
        "what is older than the delay is known everywhere: no difference, so the fault is kept"
    )


def test_what_is_to_be_done_to_something_too_new_is_refused_once(lab: CloudDouble) -> None:
    fault(lab, "stale", "ram", "UpdateRole")
    clients.ram(lab, "CreateRole", RoleName="newer", AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ServerException, match=r"EntityNotExist\.Role"):
        clients.ram(lab, "UpdateRole", RoleName="newer", NewDescription="x")
    clients.ram(lab, "UpdateRole", RoleName="newer", NewDescription="x")
    assert clients.ram(lab, "GetRole", RoleName="newer")["Role"]["Description"] == "x"
    clients.ram(lab, "DeleteRole", RoleName="newer")


def test_objects_are_known_at_once(lab: CloudDouble) -> None:
    own = clients.bucket(lab, "prompt")
    own.create_bucket()
    fault(lab, "stale", "oss", "GetObject")
    own.put_object("k", b"here")
    assert own.get_object("k").read() == b"here" and hits(lab) == [0]
    own.delete_object("k")
    own.delete_bucket()


def test_a_task_or_pool_stays_at_work_for_so_many_polls_after_its_end(lab: CloudDouble) -> None:
    answer = clients.roa(lab, "POST", BASE, wanted("stuck"))
    finished(lab, answer["task_id"])
    fault(lab, "stuck", "cs", "DescribeTaskInfo", times=2)
    fault(lab, "stuck", "cs", "DescribeClusterNodePoolDetail")
    states = [clients.roa(lab, "GET", f"/tasks/{answer['task_id']}")["state"] for _ in range(3)]
    assert states == ["running", "running", "success"]
    pools = [
        clients.roa(lab, "GET", f"{BASE}/{answer['nodepool_id']}")["status"]["state"]
        for _ in range(2)
    ]
    assert pools == ["updating", "active"] and hits(lab) == [2, 1]
    clients.roa(lab, "DELETE", f"{BASE}/{answer['nodepool_id']}")


def test_a_listing_comes_in_pages_of_the_size_wanted(lab: CloudDouble) -> None:
    own = clients.bucket(lab, "paged")
    own.create_bucket()
    for key in ("a", "b", "c"):
        own.put_object(key, b"x")
    fault(lab, "page", "oss", "ListObjects", size=2)
    first = own.list_objects_v2(max_keys=1000)
    assert [one.key for one in first.object_list] == ["a", "b"] and first.is_truncated
    rest = own.list_objects_v2(max_keys=1000, continuation_token=first.next_continuation_token)
    assert [one.key for one in rest.object_list] == ["c"]
    own.batch_delete_objects(["a", "b", "c"])
    own.delete_bucket()


def test_tags_and_identity_providers_come_in_pages_too(lab: CloudDouble) -> None:
    tags = json.dumps([{"Key": str(number), "Value": "v"} for number in range(3)])
    clients.ram(lab, "CreateRole", RoleName="tagged", AssumeRolePolicyDocument=TRUST, Tag=tags)
    fault(lab, "page", "ram", "ListTagResources", times=2)
    names, token = [], {}
    while True:
        page = clients.ram(
            lab, "ListTagResources", ResourceType="role", ResourceNames='["tagged"]', **token
        )
        names.append([row["TagKey"] for row in page["TagResources"]])
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert names == [["0"], ["1"], ["2"]]
    clients.ram(lab, "DeleteRole", RoleName="tagged")


def test_the_region_put_aside_comes_back_with_its_objects(lab: CloudDouble) -> None:
    own = clients.bucket(lab, "kept-aside")
    own.create_bucket()
    own.put_object("k", b"content")
    pool = create(lab, wanted("aside"))
    lab.ask("snapshots/one", {})
    before = lab.ask("resources")["resources"]
    own.delete_object("k")
    own.delete_bucket()
    clients.roa(lab, "DELETE", f"{BASE}/{pool}")
    lab.ask("snapshots/one", method="PUT")
    assert lab.ask("resources")["resources"] == before
    assert own.get_object("k").read() == b"content"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        lab.ask("snapshots/two", method="PUT")
    own.delete_object("k")
    own.delete_bucket()
    clients.roa(lab, "DELETE", f"{BASE}/{pool}")
