"""The interruption handler's second source of notices: its own client against the cloud's double,
with its signature judged by the official client's signer.
"""

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alibabacloud_openapi_util.client import Client as OpenApiUtil
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from components.serving.notice_access import describe_policy, trust_policy
from interruption_handler import ecs_locks
from interruption_handler.ecs_locks import CloudError, EcsLocks, Role, authorization
from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble
from lab.testing.node_pools import create, delete, running, wanted

ACCOUNT = "1234567890123456"
PROVIDER = f"acs:ram::{ACCOUNT}:oidc-provider/ack-rrsa-{CLUSTER}"
ISSUER = f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{CLUSTER}"
SUBJECT = "system:serviceaccount:inference:interruption-account-0a1b2c3d"
NAME = "notice-role"
LONG = 1_000_000
"""A notice that outlasts the test, in modelled seconds."""


@pytest.fixture
def role(lab: CloudDouble, tmp_path: Path) -> Iterator[Role]:
    """The role that the stack makes for the handler, and the handler's token."""
    trust = json.dumps(trust_policy(PROVIDER, ISSUER, SUBJECT))
    clients.ram(lab, "CreateRole", RoleName=NAME, AssumeRolePolicyDocument=trust)
    document = json.dumps(describe_policy(clients.REGION))
    clients.ram(lab, "CreatePolicy", PolicyName=NAME, PolicyDocument=document)
    attached = {"RoleName": NAME, "PolicyName": NAME, "PolicyType": "Custom"}
    clients.ram(lab, "AttachPolicyToRole", **attached)
    (tmp_path / "token").write_text(clients.token(lab, sub=SUBJECT) + "\n")
    yield Role(f"acs:ram::{ACCOUNT}:role/{NAME}", PROVIDER, tmp_path / "token")
    clients.ram(lab, "DetachPolicyFromRole", **attached)
    clients.ram(lab, "DeletePolicy", PolicyName=NAME)
    clients.ram(lab, "DeleteRole", RoleName=NAME)


@pytest.fixture
def pool(lab: CloudDouble) -> Iterator[list[dict[str, Any]]]:
    """Instances of a pool, more than one request names; a third is pay-as-you-go."""
    made = create(lab, wanted("locks", 0, 150))
    lab.ask(f"nodepools/{made}/scale", {"delta": 110})
    yield running(lab, made, 110)
    delete(lab, made)


def source(role: Role) -> EcsLocks:
    """The handler's source, without its thread."""
    return EcsLocks(clients.REGION, role, "handler-0")


def test_a_locked_instance_is_seen_with_the_roles_rights_and_no_other(
    lab: CloudDouble, role: Role, pool: list[dict[str, Any]]
) -> None:
    names = [instance["instance_id"] for instance in pool]
    locks = source(role)
    assert locks.seen is None
    locks.look(names)
    assert locks.seen == {}
    chosen = {"pool": pool[0]["nodepool_id"], "count": 2, "ignore_protection": True}
    reclaimed = lab.ask("reclaim", {**chosen, "notice": LONG})["instances"]
    locks.look(names)
    seen = dict(locks.seen or {})
    assert len(seen) == 2 and set(seen) == {one["instance_id"] for one in reclaimed}
    locks.look(names)
    assert locks.seen == seen, "since when it is locked does not move"
    others = [name for name in names if name not in seen]
    locks.look(others)
    assert locks.seen == {}, "nobody asked about them"


def test_the_role_can_do_nothing_else(role: Role, lab: CloudDouble) -> None:
    given = source(role)._current_credentials()
    client = AcsClient(
        region_id=clients.REGION,
        credential=StsTokenCredential(given.key_id, given.secret, given.token),
        verify=lab.ca,
        auto_retry=False,
        timeout=120,
    )

    def ask(action: str, **parameters: str) -> None:
        request = CommonRequest(
            domain="ecs.cn-shanghai.aliyuncs.com", version="2014-05-26", action_name=action
        )
        request.set_protocol_type("https")
        for name, value in {"RegionId": clients.REGION, **parameters}.items():
            request.add_query_param(name, value)
        client.do_action_with_exception(request)

    ask("DescribeInstances")
    for action, more in (("DeleteInstance", {"InstanceId": "i-1"}), ("DescribeSecurityGroups", {}), ("DescribeDisks", {})):  # fmt: skip
        with pytest.raises(ServerException) as refused:
            ask(action, **more)
        assert refused.value.get_http_status() == 403, action


def test_another_service_account_does_not_get_the_role(role: Role, lab: CloudDouble) -> None:
    role.token_file.write_text(clients.token(lab, sub="system:serviceaccount:inference:default"))
    with pytest.raises(CloudError, match="AssumeRoleWithOIDC: 40"):
        source(role).look(["i-1"])


def test_a_wrong_signature_is_refused_and_what_was_seen_stays(role: Role) -> None:
    locks = source(role)
    locks._seen = {"i-1": 5.0}
    locks._credentials = replace(locks._current_credentials(), secret="wrong")
    with pytest.raises(CloudError, match="SignatureDoesNotMatch"):
        locks.look(["i-1"])
    assert locks.seen == {"i-1": 5.0}


def test_credentials_are_kept_until_shortly_before_their_end(role: Role) -> None:
    locks = source(role)
    first = locks._current_credentials()
    assert locks._current_credentials() is first
    locks._credentials = replace(first, ends=first.ends - 3600 + ecs_locks.RENEW_BEFORE - 1)
    assert locks._current_credentials().key_id != first.key_id


def test_where_the_vpcs_host_does_not_answer_the_public_one_is_asked(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, asked = socket.getaddrinfo, []

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        if "-vpc." in str(host):
            raise socket.gaierror("no such name")
        return usual(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    locks = source(role)
    locks.look(["i-0"])
    assert asked == [
        "sts-vpc.cn-shanghai.aliyuncs.com", "sts.cn-shanghai.aliyuncs.com",
        "ecs-vpc.cn-shanghai.aliyuncs.com", "ecs.cn-shanghai.aliyuncs.com",
    ]  # fmt: skip
    locks.look(["i-0"])
    assert asked[4:] == ["ecs.cn-shanghai.aliyuncs.com"], "the host that answered is kept"


@pytest.mark.parametrize("body", [b"", b"RegionId=cn-shanghai&InstanceIds=%5B%22i-1%22%5D"])
def test_the_signature_is_the_official_clients(body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "DescribeInstances",
        "x-acs-version": "2014-05-26",
        "x-acs-date": "2026-12-01T00:00:00Z",
        "x-acs-signature-nonce": "n",
        "x-acs-content-sha256": digest,
        "x-acs-security-token": "CAIS+/=",
        "content-type": "application/x-www-form-urlencoded",
    }
    request = SimpleNamespace(method="POST", pathname="/", query={}, headers=headers)
    official = OpenApiUtil.get_authorization(request, "ACS3-HMAC-SHA256", digest, "id", "secret")
    assert authorization(headers, "id", "secret") == official
    assert authorization(headers, "id", "other") != official
