"""The double against the official SDK packages' models: every action, names and types of what it
reads and answers, and what is required.

What the double answers is judged while it runs: `conftest.lab` fails the session on any departure
of any test.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.alicloud import api_models, sdk_models
from lab.alicloud.families import family_of
from lab.alicloud.protocol import ApiError, Request, xml_response
from lab.alicloud.registry import REST, RPC, RPC_SERVICES
from lab.alicloud.services import load_services
from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble

load_services()
REQUIRED = [
    (service, action, name.removesuffix("!"))
    for (service, action) in sorted(RPC)
    for name in (api_models.models().get(f"{service}:{action}") or {"request": ()})["request"]
    if name.endswith("!")
]


def test_every_action_of_the_double_is_in_the_packages_or_said_to_be_in_none() -> None:
    served = {f"{service}:{call}" for service, call in RPC} | {
        f"{route.service}:{route.call}" for _, route in REST
    }
    without = {key for key in served if api_models.models().get(key) is None}
    assert without == set(api_models.UNJUDGED) & served
    assert len(served) >= 160


def test_the_data_file_is_what_the_installed_packages_say() -> None:
    """Of the packages that are development dependencies; `make prove ITEM=R4` reads all of them
    (tests/prove/test_r4_sdk_models.py).
    """
    spec = importlib.util.find_spec("alibabacloud_cs20151215")
    assert spec is not None and spec.origin is not None
    found = sdk_models.extract(Path(spec.origin).parents[1])
    written = json.loads(api_models.FILE.read_text())
    assert {key.partition(":")[0] for key in found} == {"cs", "ram", "sls", "sts"}
    for service in ("cs", "ram", "sls", "sts"):
        name, version = sdk_models.PACKAGES[service]
        assert importlib.metadata.version(name) == version
    assert {key: model for key, model in found.items() if model != written[key]} == {}


@pytest.mark.parametrize(("service", "action", "name"), REQUIRED)
def test_a_call_without_a_required_parameter_is_refused(
    service: str, action: str, name: str
) -> None:
    model = api_models.models()[f"{service}:{action}"]["request"]
    given = "&".join(f"{one[:-1]}=x" for one in model if one.endswith("!") and one[:-1] != name)

    def call(query: str) -> None:
        family_of(service).validate(
            Request(
                "POST",
                "https",
                f"{service}.aliyuncs.com",
                "/",
                "/",
                query,
                {},
                service=service,
                call=action,
            )
        )

    with pytest.raises(ApiError) as refused:
        call(given)
    assert refused.value.code.startswith("MissingParameter") and name in refused.value.message
    call(f"{given}&{name}=x")


_VALUES = {"s": "x", "i": 1, "f": 1.0, "b": True, "any": "x"}


def whole(model: Any) -> Any:
    """A value that has every field of its model."""
    if isinstance(model, list):
        return [whole(model[0])]
    if isinstance(model, dict):
        return {
            name.removesuffix("!") if name != "*" else "key": whole(kind)
            for name, kind in model.items()
        }
    return _VALUES[model]


def required_in(model: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the required fields of a model are in what `whole` makes of it: 1 for a list's
    element.
    """
    if isinstance(model, list):
        yield from required_in(model[0], (*above, "1"))
    elif isinstance(model, dict):
        for name, kind in model.items():
            place = (*above, name.removesuffix("!") if name != "*" else "key")
            if name.endswith("!"):
                yield place
            yield from required_in(kind, place)


def less(value: Any, place: tuple[str, ...]) -> Any:
    """The value without the field at the place."""
    if isinstance(value, list):
        return [less(value[0], place[1:])]
    return {
        name: less(one, place[1:]) if len(place) > 1 and name == place[0] else one
        for name, one in value.items()
        if (name,) != place
    }


def flat(value: Any, above: str = "") -> dict[str, str]:
    """RPC's way to send objects and lists."""
    if isinstance(value, dict):
        return {
            key: text
            for name, one in value.items()
            for key, text in flat(one, f"{above}{name}.").items()
        }
    if isinstance(value, list):
        return flat(value[0], f"{above}1.")
    return {above.rstrip("."): str(value)}


def lacking(key: str, value: Any) -> list[str]:
    """What the judge misses in a request that brings this."""
    service, call = key.split(":")
    rpc = service in RPC_SERVICES or service == "oss"
    query, body = (urlencode(flat(value)), b"") if rpc else ("", json.dumps(value).encode())
    request = Request(
        "POST",
        "https",
        "x.aliyuncs.com",
        "/",
        "/",
        query,
        {},
        body=body,
        service=service,
        call=call,
    )
    request.vars = {"project": "p"} if service == "sls" and call != "ListProject" else {}
    return list(family_of(service).lacking(request))


NESTED = [
    key
    for key, model in api_models.models().items()
    if model and any(required_in(model["request"]))
]


@pytest.mark.parametrize("key", NESTED)
def test_every_required_parameter_and_field_is_missed_when_it_lacks(key: str) -> None:
    model = api_models.models()[key]["request"]
    model = (
        model.get("body", model.get("body!", model))
        if not isinstance(model.get("body"), str)
        else model
    )
    value, excused = whole(model), api_models.LEFT_OUT.get(key, {})
    assert lacking(key, value) == []
    for place in required_in(model):
        plain = ".".join(part for part in place if not part.isdecimal())
        found = lacking(key, less(value, place))
        assert found == ([] if plain in excused else [".".join(place)]), place


def test_nested_fields_that_are_required_are_many() -> None:
    places = [
        (key, place) for key in NESTED for place in required_in(api_models.models()[key]["request"])
    ]
    assert len(places) >= 200 and sum(len(place) > 1 for _, place in places) >= 50


def test_the_double_asks_for_required_parameters_before_it_does_anything(lab: CloudDouble) -> None:
    with pytest.raises(ServerException) as refused:
        clients.rpc(
            lab,
            "vpc.cn-shanghai.aliyuncs.com",
            RPC_SERVICES["vpc"].version,
            "CreateVSwitch",
            VpcId="vpc-lab",
        )
    assert (refused.value.http_status, refused.value.error_code) == (400, "MissingParameter")
    with pytest.raises(ServerException, match="componentIds is mandatory") as refused:
        clients.roa(lab, "GET", f"/clusters/{CLUSTER}/components/upgradestatus")
    assert refused.value.http_status == 400


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"VpcId": "v", "RequestId": "r", "Extra": 1},
            "answers Extra, which the API does not have",
        ),
        ({"VpcId": 7}, "answers VpcId as int, which is s in the API"),
        ({"RouteTableId": ["a"]}, "answers RouteTableId as list, which is s in the API"),
        ([], "answers list instead of an object"),
    ],
)
def test_a_departure_is_found(answer: Any, said: str) -> None:
    assert list(
        api_models.differences(answer, api_models.models()["vpc:CreateVpc"]["answer"], "answers")
    ) == [said]


def test_a_departure_of_the_object_storage_is_found() -> None:
    model = api_models.models()["oss:GetBucketStat"]
    text = "<BucketStat><Storage>many</Storage><Sum>1</Sum><ObjectCount>1</ObjectCount><ObjectCount>2</ObjectCount></BucketStat>"
    said = list(api_models.oss_differences(xml_response(text, 200, **{"x-oss-kind": "x"}), model))
    assert said == [
        "answers the header x-oss-kind, which the API does not have",
        "answers BucketStat.Storage as 'many', which is a whole number in the API",
        "answers BucketStat.Sum, which the API does not have",
        "answers BucketStat.ObjectCount 2 times, which is once in the API",
    ]
    assert list(api_models.oss_differences(xml_response("<Other/>"), model)) == [
        "answers <Other> instead of <BucketStat>"
    ]
    assert list(
        api_models.oss_differences(xml_response("<A/>"), api_models.models()["oss:PutBucket"])
    ) == ["answers <A>, where the API has no body"]
    assert api_models.known_to_oss("versionId", api_models.models()["oss:GetObject"]["request"])
    assert not api_models.known_to_oss("version", api_models.models()["oss:GetObject"]["request"])


def test_fields_inside_a_body_are_read_under_the_judges_eyes() -> None:
    request = Request(
        "POST",
        "https",
        "x",
        "/",
        "/",
        "",
        {},
        body=b'{"scaling_group": {"a": 1}, "taints": [{"b": 2}]}',
    )
    assert request.json["scaling_group"].get("a") == 1 and request.json["taints"][0]["b"] == 2
    assert request.asked == {"scaling_group", "scaling_group.a", "taints", "taints.1.b"}
    model = api_models.models()["cs:CreateClusterNodePool"]["request"]
    assert api_models.known("scaling_group.vswitch_ids", model) and api_models.known(
        "kubernetes_config.taints.1.effect", model
    )
    assert not api_models.known("scaling_group.a", model)
    assert api_models.known("1.name", api_models.models()["cs:InstallClusterAddons"]["request"])


def test_a_parameter_that_the_api_does_not_have_is_found() -> None:
    request = api_models.models()["ecs:RunInstances"]["request"]
    assert api_models.known("Tag.1.Key", request) and api_models.known("InstanceType", request)
    assert not api_models.known("Tag.1.Name", request) and not api_models.known("Kind", request)
