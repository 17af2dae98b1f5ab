"""Temporary keys of RAM roles, from the region's own token service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import oss2
import pytest
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Failure, Plugin
from tests.plugins.ossmodel.test_lifecycle import keys, news

ACCOUNT = "1234567890123456"


def ram(cloud: Cloud, action: str, **parameters: str) -> dict:
    """One call of the RAM API."""
    client = AcsClient(
        cloud.keys["access_key"], cloud.keys["secret_key"], cloud.REGION, verify=cloud.ca
    )
    request = CommonRequest(
        domain="ram.aliyuncs.com", version="2015-05-01", action_name=action, product="Ram"
    )
    request.set_protocol_type("https")
    request.set_method("POST")
    for name, value in parameters.items():
        request.add_query_param(name, value)
    return json.loads(client.do_action_with_exception(request) or b"{}")


@pytest.fixture
def role(cloud: Cloud, bucket: oss2.Bucket) -> str:
    """A role of this account that may do anything with the test's bucket and nothing else."""
    name = f"uploader-{bucket.bucket_name}"
    principal = {"RAM": [f"acs:ram::{ACCOUNT}:root"]}
    trust = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}],
    }
    resources = [f"acs:oss:*:*:{bucket.bucket_name}", f"acs:oss:*:*:{bucket.bucket_name}/*"]
    rights = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": resources}],
    }
    ram(cloud, "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    ram(cloud, "CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(rights))
    ram(cloud, "AttachPolicyToRole", PolicyType="Custom", PolicyName=name, RoleName=name)
    return f"acs:ram::{ACCOUNT}:role/{name}"


def test_an_assumed_role_uploads_with_temporary_keys_and_only_where_it_may(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, role: str, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    plugin = start(**cloud.environment)
    plugin.configure(assumeRole=json.dumps({"roleArn": role, "sessionName": "test"}))
    _, state = plugin.create(plugin.checked(news(bucket)))
    assert len(keys(bucket)) == 4
    callers = {
        call["caller"]
        for call in cloud.calls(bucket.bucket_name)
        if call["method"] == "PUT" and call["path"] != "/"
    }
    assert len(callers) == 1 and callers.pop().endswith(f"/{role.rsplit('/', 1)[1]}/test")
    assert "SecurityToken" not in json.dumps([state, plugin.engine.messages])
    other = cloud.new_bucket(f"{bucket.bucket_name}-other")
    with pytest.raises(Failure) as caught:
        plugin.create(plugin.checked(news(other)))
    assert (
        "AccessDenied" in caught.value.message and f"{other.bucket_name}/*" in caught.value.message
    )


def test_a_token_that_is_no_token_is_refused_with_the_services_reason(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, role: str, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    (tmp_path / "token").write_text("eyJ-not-a-token")
    plugin = start(
        TEST_CLOUD=cloud.environment["TEST_CLOUD"],
        REQUESTS_CA_BUNDLE=cloud.ca,
        ALICLOUD_REGION="cn-shanghai",
    )
    block = {
        "roleArn": role,
        "oidcProviderArn": f"acs:ram::{ACCOUNT}:oidc-provider/x",
        "oidcTokenFile": str(tmp_path / "token"),
    }
    plugin.configure(assumeRoleWithOidc=json.dumps(block))
    with pytest.raises(Failure) as caught:
        plugin.create(plugin.checked(news(bucket)))
    assert f"assumeRoleWithOidc: '{role}' gave no keys" in caught.value.message
    assert "eyJ-not-a-token" not in caught.value.message


def test_a_token_file_that_is_missing_is_named(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    plugin = start(TEST_CLOUD=cloud.environment["TEST_CLOUD"], ALICLOUD_REGION="cn-shanghai")
    plugin.configure(
        assumeRoleWithOidc=json.dumps(
            {"roleArn": "acs:ram::1:role/x", "oidcTokenFile": "/nowhere/token"}
        )
    )
    with pytest.raises(Failure) as caught:
        plugin.create(plugin.checked(news(bucket)))
    assert "/nowhere/token" in caught.value.message and "No such file" in caught.value.message
