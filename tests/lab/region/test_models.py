"""The double against the official SDK packages' models: every action, names and types of what it reads and answers, and what is required.

What the double answers is judged while it runs: `conftest.lab` fails the session on any departure of any test.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.region import judge, sdk_models
from lab.region.protocol import ApiError, Request
from lab.region.registry import ROUTES, RPC, RPC_SERVICES, load_services
from tests.lab.region import clients
from tests.lab.region.running import CLUSTER, Lab

load_services()
REQUIRED = [
    (service, action, name.removesuffix("!"))
    for (service, action) in sorted(RPC)
    for name in (judge.models().get(f"{service}:{action}") or {"request": ()})["request"]
    if name.endswith("!")
]


def test_every_action_of_the_double_is_in_the_packages_or_said_to_be_in_none() -> None:
    served = {f"{service}:{call}" for service, call in RPC} | {f"{route.service}:{route.call}" for _, route in ROUTES}
    without = {key for key in served if judge.models().get(key) is None}
    assert without == set(judge.UNJUDGED) & served
    assert len(served) >= 160


@pytest.mark.parametrize("service", ["cs", "ram", "sls", "sts"])
def test_the_data_file_is_what_the_installed_packages_say(service: str) -> None:
    """Of the packages that are development dependencies; `python -m lab.region.sdk_models --packages` names the others."""
    name, version = sdk_models.PACKAGES[service]
    assert importlib.metadata.version(name) == version
    spec = importlib.util.find_spec(name.replace("-", "_"))
    assert spec is not None and spec.origin is not None
    package = sdk_models.Package(Path(spec.origin).parent)
    found = 0
    for owner, action in sdk_models.actions():
        if owner == service:
            key = f"{owner}:{action}"
            assert sdk_models.action_models(package, sdk_models.OTHER_NAMES.get(key, action)) == judge.models()[key], key
            found += 1
    assert found


@pytest.mark.parametrize(("service", "action", "name"), REQUIRED)
def test_a_call_without_a_required_parameter_is_refused(service: str, action: str, name: str) -> None:
    model = judge.models()[f"{service}:{action}"]["request"]
    given = "&".join(f"{one[:-1]}=x" for one in model if one.endswith("!") and one[:-1] != name)

    def call(query: str) -> None:
        judge.require(Request("POST", "https", f"{service}.aliyuncs.com", "/", "/", query, {}, service=service, call=action))

    with pytest.raises(ApiError) as refused:
        call(given)
    assert refused.value.code.startswith("MissingParameter") and name in refused.value.message
    call(f"{given}&{name}=x")


def test_the_double_asks_for_required_parameters_before_it_does_anything(lab: Lab) -> None:
    with pytest.raises(ServerException) as refused:
        clients.rpc(lab, "vpc.cn-shanghai.aliyuncs.com", RPC_SERVICES["vpc"], "CreateVSwitch", VpcId="vpc-lab")
    assert (refused.value.http_status, refused.value.error_code) == (400, "MissingParameter")
    with pytest.raises(ServerException, match="componentIds is mandatory") as refused:
        clients.roa(lab, "GET", f"/clusters/{CLUSTER}/components/upgradestatus")
    assert refused.value.http_status == 400


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"VpcId": "v", "RequestId": "r", "Extra": 1}, "answers Extra, which the API does not have"),
        ({"VpcId": 7}, "answers VpcId as int, which is s in the API"),
        ({"RouteTableId": ["a"]}, "answers RouteTableId as list, which is s in the API"),
        ([], "answers list instead of an object"),
    ],
)
def test_a_departure_is_found(answer: Any, said: str) -> None:
    assert list(judge.differences(answer, judge.models()["vpc:CreateVpc"]["answer"], "answers")) == [said]


def test_a_parameter_that_the_api_does_not_have_is_found() -> None:
    request = judge.models()["ecs:RunInstances"]["request"]
    assert judge.known("Tag.1.Key", request) and judge.known("InstanceType", request)
    assert not judge.known("Tag.1.Name", request) and not judge.known("Kind", request)
