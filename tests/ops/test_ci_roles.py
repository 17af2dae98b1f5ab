"""docs/ci.md: the roles of CI may do what the graph does, the reading one nothing else, and none is
trusted beyond its GitHub environment.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from lab.alicloud.auth.policy import allowed
from lab.alicloud.auth.trust import oidc_trusts
from lab.alicloud.protocol import ApiError
from lab.alicloud.registry import OssRoute, Route
from tests.ops import ci_roles

PAGE = (ci_roles.ROOT / "docs" / "ci.md").read_text()
CLUSTER = "c" + "1" * 32
ROLE = "acs:ram::1234567890123456:role/deploy-prod"
CALLS = ci_roles.calls()
ROUTES = ci_roles.known_routes()


def resource(route: Route) -> str:
    """A resource of the stack that the double would name for this call."""
    if isinstance(route, OssRoute):
        own = {"service": "*", "bucket": "elastic-inference-x"}
        about = own.get(route.scope, "elastic-inference-x/models/1/saved_model.pb")
    else:
        about = ci_roles.SINGLE.sub(
            CLUSTER if route.service == "cs" else "elastic-inference-x", route.resource
        )
    return f"acs:{route.service}:cn-shanghai:1234567890123456:{about}"


def may(policy: dict[str, Any], route: Route) -> bool:
    """Whether a role with this policy may make the call on the stack's own resources."""
    return allowed([policy], route.permission, resource(route), {})


def of(path: Any) -> dict[str, Any]:
    """The policy in a file, with a cluster's id in it."""
    return json.loads(path.read_text().replace(ci_roles.CLUSTER, CLUSTER))


def test_the_list_of_calls_is_whole() -> None:
    assert len(CALLS) > 50 and set(CALLS.values()) == {True, False}
    assert [call for call in CALLS if call not in ROUTES] == []
    assert CALLS["cs", "CreateClusterNodePool"] is False
    assert CALLS["cs", "DescribeClusterNodePoolDetail"] is True


def test_the_deploying_role_may_make_every_call() -> None:
    assert [call for call in CALLS if not may(of(ci_roles.DEPLOY), ROUTES[call])] == []


def test_the_reading_role_s_policy_is_the_one_that_the_calls_ask_for() -> None:
    assert ci_roles.READ.read_text() == ci_roles.text(), (
        "python -m tests.ops.ci_roles writes docs/ram-policy-read.json"
    )


def test_the_reading_role_may_make_every_call_that_reads_and_no_other() -> None:
    reader = of(ci_roles.READ)
    reads = {ROUTES[call].permission for call, only_reads in CALLS.items() if only_reads}
    writes = {ROUTES[call].permission for call, only_reads in CALLS.items() if not only_reads}
    assert not reads & writes, "one action that both reads and changes"
    wrong = [
        route.permission
        for route in ROUTES.values()
        if may(reader, route) is not (route.permission in reads)
    ]
    assert wrong == []
    assert len({route.permission for route in ROUTES.values()} - reads) > 100


def trust() -> dict[str, Any]:
    """The page's trust policy."""
    (block,) = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
    return json.loads(block)


def claims(sub: str, **other: str) -> dict[str, Any]:
    """What GitHub's token says."""
    issuer = "https://token.actions.githubusercontent.com"
    return {"iss": issuer, "aud": "sts.aliyuncs.com", "sub": sub, **other}


PROVIDER = "acs:ram::1234567890123456:oidc-provider/github"
OWN = "repo:ORGANIZATION/REPOSITORY"


def test_the_role_trusts_its_own_environment() -> None:
    oidc_trusts(trust(), PROVIDER, claims(f"{OWN}:environment:prod"), ROLE)


@pytest.mark.parametrize(
    "token",
    [
        claims(f"{OWN}:environment:prod-read"),
        claims(f"{OWN}:environment:dev"),
        claims(f"{OWN}:ref:refs/heads/main"),
        claims(f"{OWN}:pull_request"),
        claims("repo:ORGANIZATION/OTHER:environment:prod"),
        claims("repo:SOMEBODY/REPOSITORY:environment:prod"),
        claims(f"{OWN}:environment:prod", aud="somebody-else"),
        claims(f"{OWN}:environment:prod", iss="https://elsewhere.example"),
    ],
)
def test_and_no_other_token(token: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        oidc_trusts(trust(), PROVIDER, token, ROLE)


def test_the_page_says_the_times_that_are_set() -> None:
    flow = (ci_roles.ROOT / ".github" / "workflows" / "stack.yml").read_text()
    minutes = yaml.safe_load(flow)["jobs"]["run"]["timeout-minutes"]
    (seconds,) = re.findall(r"role-session-expiration: (\d+)", flow)
    stack = (ci_roles.ROOT / "Pulumi.prod.yaml").read_text()
    (cluster,) = re.findall(r"credentialMinutes: (\d+)", stack)
    for value in (f"| {minutes} minutes |", f"| {int(seconds):,} s,", f"| {cluster} minutes |"):
        assert value in PAGE, value
