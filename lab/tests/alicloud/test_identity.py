"""Identity is enforced: trust policies, RAM policies and OIDC tokens decide, and refusals name what
is missing.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import jwt
import oss2
import pytest
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi import models as tea
from aliyunsdkcore.acs_exception.exceptions import ServerException
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble

STS, ACCOUNT = "sts.cn-shanghai.aliyuncs.com", "1234567890123456"
PROVIDER = f"acs:ram::{ACCOUNT}:oidc-provider/ack-rrsa-{CLUSTER}"
ISSUER = f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{CLUSTER}"
_numbers = itertools.count()


def _trust(**changes: str) -> str:
    wanted = {
        "oidc:aud": "sts.aliyuncs.com",
        "oidc:iss": ISSUER,
        "oidc:sub": clients.SUBJECT,
        **{f"oidc:{k}": v for k, v in changes.items()},
    }
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Federated": [PROVIDER]},
        "Condition": {"StringEquals": wanted},
    }
    return json.dumps({"Version": "1", "Statement": [statement]})


def _allow(*actions: str, resources: list[str], **condition: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources, **condition}
    return json.dumps({"Version": "1", "Statement": [statement]})


@pytest.fixture
def role(lab: CloudDouble) -> str:
    """A role the cluster's fuse pods may take; it may read models/ of bucket `m-<role>`."""
    name = f"reader-{next(_numbers)}"
    clients.ram(lab, "CreateRole", RoleName=name, AssumeRolePolicyDocument=_trust())
    document = _allow(
        "oss:GetObject",
        "oss:ListObjects",
        resources=[f"acs:oss:*:*:m-{name}", f"acs:oss:*:*:m-{name}/models/*"],
    )
    clients.ram(lab, "CreatePolicy", PolicyName=name, PolicyDocument=document)
    clients.ram(lab, "AttachPolicyToRole", RoleName=name, PolicyName=name, PolicyType="Custom")
    own = clients.bucket(lab, f"m-{name}")
    own.create_bucket()
    own.put_object("models/a", b"model")
    own.put_object("other/b", b"secret")
    return name


def assume(
    lab: CloudDouble, role: str, token: str | None = None, provider: str = PROVIDER, **more: Any
) -> dict[str, Any]:
    """AssumeRoleWithOIDC by the official SDK, unsigned; the answer's credentials."""

    client = StsClient(
        tea.Config(endpoint=STS, region_id="cn-shanghai", ca=lab.ca, protocol="https")
    )
    request = sts_models.AssumeRoleWithOIDCRequest(
        oidcprovider_arn=provider,
        role_arn=f"acs:ram::{ACCOUNT}:role/{role}",
        oidctoken=token or clients.token(lab),
        role_session_name="fuse",
        **more,
    )
    return client.assume_role_with_oidcwith_options(
        request, clients.runtime(lab)
    ).body.credentials.to_map()


def _reader(
    lab: CloudDouble, name: str, credentials: dict[str, Any], version: str = "v4"
) -> oss2.Bucket:
    auth = oss2.StsAuth(
        credentials["AccessKeyId"],
        credentials["AccessKeySecret"],
        credentials["SecurityToken"],
        auth_version=version,
    )
    return clients.bucket(lab, name, auth)


def _code(call: Any) -> tuple[int, str, str]:
    with pytest.raises(Exception) as caught:
        call()
    error: Any = caught.value
    return int(error.data["statusCode"]), error.code, error.message


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_fuse_pods_token_gives_credentials_that_read_the_model_and_nothing_more(
    lab: CloudDouble, role: str, version: str
) -> None:
    reader = _reader(lab, f"m-{role}", assume(lab, role), version)
    assert reader.get_object("models/a").read() == b"model"
    assert [o.key for o in oss2.ObjectIteratorV2(reader, prefix="models/")] == ["models/a"]
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        reader.get_object("other/b")
    assert (caught.value.status, caught.value.code) == (403, "AccessDenied")
    assert "oss:GetObject" in caught.value.message and f":m-{role}/other/b" in caught.value.message
    with pytest.raises(oss2.exceptions.ServerError, match="oss:PutObject"):
        reader.put_object("models/a", b"x")


def test_one_wrong_character_in_the_policy_takes_the_permission_away(
    lab: CloudDouble, role: str
) -> None:
    wrong = _allow(
        "oss:GetObject",
        "oss:ListObjects",
        resources=[f"acs:oss:*:*:m-{role}", f"acs:oss:*:*:m-{role}/model/*"],
    )
    clients.ram(
        lab, "CreatePolicyVersion", PolicyName=role, PolicyDocument=wrong, SetAsDefault="true"
    )
    with pytest.raises(oss2.exceptions.ServerError, match="lacks the permission oss:GetObject"):
        _reader(lab, f"m-{role}", assume(lab, role)).get_object("models/a")


def test_credentials_lose_what_their_role_loses(lab: CloudDouble, role: str) -> None:
    reader = _reader(lab, f"m-{role}", assume(lab, role))
    assert reader.get_object("models/a").read() == b"model"
    clients.ram(lab, "DetachPolicyFromRole", RoleName=role, PolicyName=role, PolicyType="Custom")
    with pytest.raises(oss2.exceptions.ServerError, match="AccessDenied"):
        reader.get_object("models/a")


@pytest.mark.parametrize(
    "claim, wrong",
    [
        ("sub", "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfz"),
        ("aud", "sts.aliyuncs.con"),
        ("iss", ISSUER + "x"),
    ],
)
def test_one_wrong_character_in_the_trust_policy_refuses_the_token_and_says_why(
    lab: CloudDouble, role: str, claim: str, wrong: str
) -> None:
    clients.ram(
        lab, "UpdateRole", RoleName=role, NewAssumeRolePolicyDocument=_trust(**{claim: wrong})
    )
    status, code, message = _code(lambda: assume(lab, role))
    assert (status, code) == (403, "AuthenticationFail.NoPermission")
    assert f"oidc:{claim}" in message and wrong in message


def test_tokens_that_are_old_foreign_or_meant_for_others_are_refused(
    lab: CloudDouble, role: str
) -> None:
    past = int(time.time()) - 10
    assert _code(lambda: assume(lab, role, clients.token(lab, exp=past)))[:2] == (
        400,
        "AuthenticationFail.OIDCToken.Expired",
    )
    assert _code(lambda: assume(lab, role, clients.token(lab, iss="https://else.where")))[:2] == (
        400,
        "AuthenticationFail.OIDCToken.IssuerMismatch",
    )
    assert _code(lambda: assume(lab, role, clients.token(lab, aud="kubernetes")))[:2] == (
        400,
        "AuthenticationFail.OIDCToken.AudienceMismatch",
    )
    claims = {"iss": ISSUER, "sub": clients.SUBJECT, "aud": "sts.aliyuncs.com", "exp": past + 600}
    forged = jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256")
    assert _code(lambda: assume(lab, role, forged))[:2] == (
        400,
        "AuthenticationFail.OIDCToken.Invalid",
    )
    assert _code(lambda: assume(lab, role, provider=PROVIDER + "x"))[:2] == (
        404,
        "EntityNotExist.OIDCProvider",
    )
    assert _code(lambda: assume(lab, role + "x"))[:2] == (404, "EntityNotExist.Role")


def test_the_issuer_publishes_the_keys_its_tokens_are_signed_with(lab: CloudDouble) -> None:
    host = "oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com"
    configuration = json.loads(
        clients.https(lab, "GET", host, f"/{CLUSTER}/.well-known/openid-configuration")[2]
    )
    assert configuration["issuer"] == ISSUER and configuration["jwks_uri"] == f"{ISSUER}/keys.json"
    keys = json.loads(clients.https(lab, "GET", host, f"/{CLUSTER}/keys.json")[2])
    claims = jwt.decode(
        clients.token(lab),
        jwt.PyJWKSet.from_dict(keys).keys[0],
        algorithms=["RS256"],
        audience="sts.aliyuncs.com",
    )
    assert claims["sub"] == clients.SUBJECT


def test_temporary_keys_need_their_token_and_a_session_policy_narrows_them(
    lab: CloudDouble, role: str
) -> None:
    credentials = assume(lab, role, policy=_allow("oss:ListObjects", resources=["*"]))
    with pytest.raises(oss2.exceptions.ServerError, match="AccessDenied"):
        _reader(lab, f"m-{role}", credentials).get_object("models/a")
    bare = clients.bucket(
        lab, f"m-{role}", oss2.AuthV4(credentials["AccessKeyId"], credentials["AccessKeySecret"])
    )
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidSecurityToken"):
        bare.get_object("models/a")


def test_a_users_own_key_may_do_what_its_policies_say(lab: CloudDouble) -> None:
    clients.ram(lab, "CreateUser", UserName="reader")
    clients.ram(
        lab,
        "AttachPolicyToUser",
        UserName="reader",
        PolicyName="AliyunCSReadOnlyAccess",
        PolicyType="System",
    )
    key = clients.ram(lab, "CreateAccessKey", UserName="reader")["AccessKey"]
    pair = key["AccessKeyId"], key["AccessKeySecret"]
    assert clients.roa(lab, "GET", f"/clusters/{CLUSTER}", pair=pair)["name"] == "lab"
    with pytest.raises(ServerException, match="cs:CreateClusterNodePool") as caught:
        clients.roa(lab, "POST", f"/clusters/{CLUSTER}/nodepools", {}, pair)
    assert caught.value.http_status == 403
    with pytest.raises(ServerException) as caught:
        clients.rpc(lab, "ram.aliyuncs.com", "2015-05-01", "ListRoles", pair)
    assert (caught.value.http_status, caught.value.error_code) == (
        403,
        "NoPermission",
    ) and "ram:ListRoles" in caught.value.message
    clients.ram(
        lab, "UpdateAccessKey", UserName="reader", UserAccessKeyId=pair[0], Status="Inactive"
    )
    with pytest.raises(ServerException, match="not found"):
        clients.roa(lab, "GET", "/clusters", pair=pair)


def test_assume_role_works_for_whom_the_role_trusts(lab: CloudDouble) -> None:
    trust = {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"RAM": [f"acs:ram::{ACCOUNT}:root"]},
            }
        ],
    }
    clients.ram(lab, "CreateRole", RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
    arn = f"acs:ram::{ACCOUNT}:role/deployer"
    answer = clients.rpc(lab, STS, "2015-04-01", "AssumeRole", RoleArn=arn, RoleSessionName="ci")
    assert answer["AssumedRoleUser"]["Arn"] == arn + "/ci" and answer["Credentials"][
        "AccessKeyId"
    ].startswith("STS.")
    trust["Statement"][0]["Principal"] = {"RAM": ["acs:ram::9999999999999999:root"]}
    clients.ram(
        lab, "UpdateRole", RoleName="deployer", NewAssumeRolePolicyDocument=json.dumps(trust)
    )
    with pytest.raises(ServerException, match="sts:AssumeRole"):
        clients.rpc(lab, STS, "2015-04-01", "AssumeRole", RoleArn=arn, RoleSessionName="ci")


def test_policies_are_versioned_and_guarded_against_deletion(lab: CloudDouble, role: str) -> None:
    for number in range(4):
        document = _allow("oss:GetObject", resources=[f"acs:oss:*:*:b{number}/*"])
        clients.ram(
            lab,
            "CreatePolicyVersion",
            PolicyName=role,
            PolicyDocument=document,
            SetAsDefault="true",
        )
    with pytest.raises(ServerException, match="LimitExceeded"):
        clients.ram(
            lab,
            "CreatePolicyVersion",
            PolicyName=role,
            PolicyDocument=_allow("oss:*", resources=["*"]),
        )
    rotate = "DeleteOldestNonDefaultVersionWhenLimitExceeded"
    document = _allow("oss:*", resources=["*"])
    answer = clients.ram(
        lab,
        "CreatePolicyVersion",
        PolicyName=role,
        PolicyDocument=document,
        SetAsDefault="true",
        RotateStrategy=rotate,
    )
    assert answer["PolicyVersion"]["VersionId"] == "v6"
    with pytest.raises(ServerException, match=r"DeleteConflict\.Policy\.Role"):
        clients.ram(lab, "DeletePolicy", PolicyName=role, CascadingDelete="true")
    with pytest.raises(ServerException, match=r"DeleteConflict\.Role\.Policy"):
        clients.ram(lab, "DeleteRole", RoleName=role)
    clients.ram(lab, "DetachPolicyFromRole", RoleName=role, PolicyName=role, PolicyType="Custom")
    clients.ram(lab, "DeletePolicy", PolicyName=role, CascadingDelete="true")
    clients.ram(lab, "DeleteRole", RoleName=role)
    with pytest.raises(ServerException, match=r"EntityNotExist\.Role"):
        clients.ram(lab, "GetRole", RoleName=role)


@pytest.mark.parametrize(
    "document",
    ["not json", "{}", '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*"}]}'],
)
def test_a_malformed_policy_document_is_refused(lab: CloudDouble, document: str) -> None:
    with pytest.raises(ServerException) as caught:
        clients.ram(lab, "CreatePolicy", PolicyName="malformed", PolicyDocument=document)
    assert (caught.value.http_status, caught.value.error_code) == (400, "MalformedPolicyDocument")
