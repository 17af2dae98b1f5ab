"""One wrong character in who may read the model, and the pod does not start; the reason is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.harness import Lab

RAM = (
    "import os,sys,json;from alibabacloud_ram20150501.client import Client;from alibabacloud_tea_openapi.models import Config;"
    "from alibabacloud_ram20150501 import models as m;"
    "c=Client(Config(access_key_id=os.environ['ALICLOUD_ACCESS_KEY'],access_key_secret=os.environ['ALICLOUD_SECRET_KEY'],endpoint='ram.aliyuncs.com'));"
)
SET_POLICY = RAM + (
    "c.create_policy_version(m.CreatePolicyVersionRequest(policy_name=sys.argv[1],policy_document=sys.argv[2],"
    "set_as_default=True,rotate_strategy='DeleteOldestNonDefaultVersionWhenLimitExceeded'))"
)
SET_TRUST = (
    RAM
    + "c.update_role(m.UpdateRoleRequest(role_name=sys.argv[1],new_assume_role_policy_document=sys.argv[2]))"
)


def inputs(lab: Lab, type_: str) -> dict:
    """The inputs of the only resource of a type."""
    (resource,) = [resource for resource in lab.state() if resource["type"] == type_]
    return resource["inputs"]


@contextmanager
def altered(lab: Lab, code: str, name: str, document: str, wrong: str) -> Iterator[None]:
    """Puts the wrong document in place, and the right one back."""
    assert wrong != document and len(wrong) == len(document)
    lab.run("python", "-c", code, name, wrong)
    try:
        yield
    finally:
        lab.run("python", "-c", code, name, document)


def next_pod_fails_with(lab: Lab, reason: str, cause: str, cpu: str) -> None:
    """A changed pod template must not become ready; the reason is in the pod's events, reason,
    cause and remedy are what `up` ends with.

    `cpu` makes the template one that no test had before: a pod that is left of an earlier template
    would be taken for the new one.
    """
    lab.config("server.readySeconds", "30")
    lab.config("server.cpu", cpu)
    try:
        failed = lab.python("ops.up", timeout=1500)
        assert failed.returncode != 0, failed.stdout + failed.stderr
        last = (failed.stdout + failed.stderr).split("What the cluster says:")[-1]
        assert reason in last and cause in last and "    do: " in last, (
            failed.stdout + failed.stderr
        )
        events = json.dumps(lab.kubectl("get", "events", "-n", "inference"))
        assert "FailedMount" in events and reason in events
    finally:
        lab.config("server.readySeconds", "600")
        lab.pulumi("config", "rm", "--stack", "local", "--path", "server.cpu")


@pytest.fixture(scope="module")
def repaired(lab: Lab) -> Iterator[Lab]:
    """The stack, up; whatever the tests broke is mended by the next up."""
    yield lab.stands()
    lab.up("--refresh")


def test_a_policy_for_another_bucket_by_one_character_keeps_the_pod_from_starting(
    repaired: Lab,
) -> None:
    policy = inputs(repaired, "alicloud:ram/policy:Policy")
    bucket = repaired.outputs()["bucket"]
    wrong = policy["policyDocument"].replace(
        bucket, bucket[:-1] + ("x" if bucket[-1] != "x" else "y")
    )
    with altered(repaired, SET_POLICY, policy["policyName"], policy["policyDocument"], wrong):
        next_pod_fails_with(repaired, "AccessDenied", "may not read the model", "1900m")


def test_a_trust_for_another_service_account_by_one_character_keeps_the_pod_from_starting(
    repaired: Lab,
) -> None:
    role = inputs(repaired, "alicloud:ram/role:Role")
    wrong = role["assumeRolePolicyDocument"].replace("csi-fuse-ossfs", "csi-fuse-ossfz")
    with altered(repaired, SET_TRUST, role["roleName"], role["assumeRolePolicyDocument"], wrong):
        next_pod_fails_with(repaired, "NoPermission", "trust policy", "1800m")
