"""The double's rules by themselves: the pay-as-you-go share, policy evaluation, hosts."""

from __future__ import annotations

from typing import Any

import pytest

from lab.alicloud.auth import policy
from lab.alicloud.clock import Clock
from lab.alicloud.elastic import on_demand_share
from lab.alicloud.families import recognise
from lab.alicloud.protocol import Request, element
from lab.alicloud.resources import compare


@pytest.mark.parametrize(
    "total, base, percentage, rounding, expected",
    [
        (0, 0, 30, "ceil", 0),
        (1, 0, 30, "ceil", 1),
        (1, 0, 30, "floor", 0),
        (1, 0, 30, "round", 0),
        (2, 0, 30, "round", 1),
        (10, 0, 30, "ceil", 3),
        (3, 2, 30, "ceil", 3),
        (12, 2, 30, "ceil", 5),
        (5, 10, 30, "ceil", 5),
        (7, 0, 0, "ceil", 0),
        (7, 0, 100, "ceil", 7),
    ],
)
def test_the_base_comes_first_and_the_rest_is_rounded(
    total: int, base: int, percentage: int, rounding: str, expected: int
) -> None:
    assert on_demand_share(total, base, percentage, rounding) == expected


def _allow(**more: Any) -> dict[str, Any]:
    return {
        "Statement": [
            {"Effect": "Allow", "Action": "oss:Get*", "Resource": "acs:oss:*:*:b/*", **more}
        ]
    }


_DENY = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}


@pytest.mark.parametrize(
    "documents, action, resource, expected",
    [
        ([_allow()], "oss:GetObject", "acs:oss:oss-cn-shanghai:1:b/k/x", True),
        ([_allow()], "OSS:getobject", "acs:oss:oss-cn-shanghai:1:b/k", True),
        ([_allow()], "oss:PutObject", "acs:oss:oss-cn-shanghai:1:b/k", False),
        ([_allow()], "oss:GetObject", "acs:oss:oss-cn-shanghai:1:B/k", False),
        ([_allow()], "oss:GetObject", "acs:oss:oss-cn-shanghai:1:bb/k", False),
        ([_allow(), _DENY], "oss:GetObject", "acs:oss:oss-cn-shanghai:1:b/k", False),
        ([], "oss:GetObject", "acs:oss:oss-cn-shanghai:1:b/k", False),
        (
            [_allow(Condition={"Bool": {"acs:SecureTransport": "true"}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            True,
        ),
        (
            [_allow(Condition={"StringLike": {"oss:Prefix": ["models/*", ""]}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            True,
        ),
        (
            [_allow(Condition={"StringEquals": {"acs:missing": "x"}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            False,
        ),
        (
            [_allow(Condition={"StringNotEquals": {"acs:missing": "x"}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            True,
        ),
        (
            [_allow(Condition={"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            True,
        ),
        (
            [_allow(Condition={"Unknown": {"acs:SourceIp": "10.0.0.0/8"}})],
            "oss:GetObject",
            "acs:oss:x:1:b/k",
            False,
        ),
    ],
)
def test_policies_decide_by_action_resource_and_condition(
    documents: list[dict[str, Any]], action: str, resource: str, expected: bool
) -> None:
    context = {"acs:SecureTransport": "true", "oss:Prefix": "models/a", "acs:SourceIp": "10.1.2.3"}
    assert policy.allowed(documents, action, resource, context) is expected


@pytest.mark.parametrize(
    "host, service, variables",
    [
        ("oss-cn-shanghai.aliyuncs.com", "oss", {"bucket": "", "key": "k"}),
        ("b-1.oss-cn-shanghai-internal.aliyuncs.com", "oss", {"bucket": "b-1", "key": "k"}),
        ("cn-shanghai.log.aliyuncs.com", "sls", {"project": ""}),
        ("p-1.cn-shanghai-intranet.log.aliyuncs.com", "sls", {"project": "p-1"}),
        ("cs.cn-shanghai.aliyuncs.com", "cs", {}),
        ("cs.aliyuncs.com", "cs", {}),
        ("sts-vpc.cn-shanghai.aliyuncs.com", "sts", {}),
        ("location-readonly.aliyuncs.com", "location", {}),
        ("ecs-cn-shanghai.aliyuncs.com", "unknown", {}),
        ("example.com", "unknown", {}),
    ],
)
def test_hosts_name_the_service(host: str, service: str, variables: dict[str, str]) -> None:
    request = Request("GET", "https", host, "/k", "/k", "", {})
    recognise(request)
    assert (request.service, request.vars) == (service, variables)


def test_text_is_escaped_once_in_nested_xml() -> None:
    assert element("A", element("B", "<&>"), True, 3) == "<A><B>&lt;&amp;&gt;</B>true3</A>"


def test_what_is_left_is_told_by_kind() -> None:
    assert compare({"bucket": ["a"], "vpc": ["v"]}, {"bucket": ["b"], "vpc": ["v"]}) == (
        {"bucket": ["b"]},
        {"bucket": ["a"]},
    )


@pytest.mark.parametrize("text", ["fast", "0", "-1"])
def test_a_clock_that_can_not_run_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("LAB_CLOCK", text)
    with pytest.raises(ValueError, match="LAB_CLOCK"):
        Clock()
