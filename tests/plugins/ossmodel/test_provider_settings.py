"""Where configuration and keys come from, and what is said when they are wrong or missing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from providers.ossmodel import credentials, settings
from providers.ossmodel.errors import ModelError
from tests.plugins.ossmodel.process import Plugin, secret, struct


def resolved(
    config: dict[str, Any], environ: dict[str, str] | None = None
) -> tuple[str, credentials.Keys]:
    """Region and keys for a configuration and an environment."""
    region, provider = credentials.resolve(settings.load(config, environ or {}))
    return region, provider.get_credentials()


@pytest.mark.parametrize("access", settings.ENVIRONMENT["accessKey"])
@pytest.mark.parametrize("region", settings.ENVIRONMENT["region"])
def test_every_environment_variable_of_the_alicloud_provider_works(
    access: str, region: str
) -> None:
    secret_name = settings.ENVIRONMENT["secretKey"][settings.ENVIRONMENT["accessKey"].index(access)]
    assert resolved({}, {access: "AK", secret_name: "SK", region: "cn-hangzhou"}) == (
        "cn-hangzhou",
        credentials.Keys("AK", "SK"),
    )


def test_configuration_wins_over_the_environment() -> None:
    environ = {
        "ALICLOUD_ACCESS_KEY": "env",
        "ALICLOUD_SECRET_KEY": "env",
        "ALICLOUD_REGION": "env",
        "ALICLOUD_SECURITY_TOKEN": "tok",
    }
    region, keys = resolved({"accessKey": "AK", "secretKey": "SK", "region": "cn-beijing"}, environ)
    assert (region, keys) == ("cn-beijing", credentials.Keys("AK", "SK", "tok"))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"mode": "AK", "access_key_id": "A", "access_key_secret": "S"},
            credentials.Keys("A", "S"),
        ),
        (
            {"mode": "StsToken", "access_key_id": "A", "access_key_secret": "S", "sts_token": "T"},
            credentials.Keys("A", "S", "T"),
        ),
    ],
)
def test_a_named_profile_gives_keys_and_region(
    tmp_path: Path, entry: dict[str, str], expected: credentials.Keys
) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {"current": "x", "profiles": [{"name": "ops", "region_id": "cn-shenzhen", **entry}]}
        )
    )
    assert resolved({"profile": "ops", "sharedCredentialsFile": str(path)}) == (
        "cn-shenzhen",
        expected,
    )


def test_a_role_profile_asks_for_that_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def assume(
        region: str, role: dict[str, Any], keys: credentials.Keys
    ) -> tuple[str, str, str, float]:
        asked.update(role, region=region, by=keys.access_key)
        return ("STS.A", "S2", "T2", time.time() + 3600)

    monkeypatch.setattr(credentials.sts, "assume", assume)
    path = tmp_path / "config.json"
    entry = {
        "name": "p",
        "mode": "RamRoleArn",
        "access_key_id": "A",
        "access_key_secret": "S",
        "region_id": "cn-shanghai",
    }
    role = {"ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "me", "expired_seconds": 900}
    path.write_text(json.dumps({"profiles": [{**entry, **role}]}))
    _, keys = resolved({"profile": "p", "sharedCredentialsFile": str(path)})
    assert (keys.access_key, keys.token) == ("STS.A", "T2")
    assert asked["roleArn"] == "acs:ram::1:role/r" and asked["sessionName"] == "me"
    assert asked["sessionExpiration"] == "900" and asked["by"] == "A"


def test_temporary_keys_are_renewed_before_they_end() -> None:
    fetched = iter(
        [
            credentials.Keys("1", "s", "t", time.time() + 10),
            credentials.Keys("2", "s", "t", time.time() + 3600),
        ]
    )
    provider = credentials.Provider(lambda: next(fetched))
    assert [provider.get_credentials().access_key for _ in range(4)] == ["1", "2", "2", "2"]


MISSING = [
    (
        {},
        {"ALICLOUD_REGION": "r"},
        ["no credentials were found", "ALICLOUD_ACCESS_KEY", "config.json"],
    ),
    (
        {"accessKey": "A", "secretKey": "S"},
        {},
        ["region is not set", "cn-shanghai", "ALICLOUD_REGION"],
    ),
    ({"accessKey": "A", "region": "r"}, {}, ["secretKey is not set, but accessKey is"]),
    ({"secretKey": "S", "region": "r"}, {}, ["accessKey is not set, but secretKey is"]),
    (
        {"profile": "x", "sharedCredentialsFile": "/nowhere/c.json"},
        {},
        ["profile is '/nowhere/c.json'", "No such file"],
    ),
]


@pytest.mark.parametrize(("config", "environ", "parts"), MISSING)
def test_missing_configuration_says_what_was_looked_for(
    config: dict[str, str], environ: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        resolved(config, environ)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("{", ["the Aliyun CLI's JSON"]),
        ('{"profiles": {}}', ["profile is 'x'", "(none)"]),
        ('{"profiles": [{"name": "y"}]}', ["profile is 'x'", "(y)"]),
        (
            '{"profiles": [{"name": "x", "mode": "OIDC"}]}',
            ["'OIDC'", "AK, StsToken, RamRoleArn, EcsRamRole"],
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_explained(
    tmp_path: Path, body: str, parts: list[str]
) -> None:
    path = tmp_path / "c.json"
    path.write_text(body)
    with pytest.raises(ModelError) as caught:
        resolved({"profile": "x", "sharedCredentialsFile": str(path), "region": "r"})
    for part in parts:
        assert part in str(caught.value)


def test_a_role_that_no_metadata_service_knows_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(credentials, "METADATA", "http://127.0.0.1:1/")
    with pytest.raises(ModelError, match=r"ecsRoleName: http://127.0.0.1:1/role gave no keys"):
        resolved({"ecsRoleName": "role", "region": "r"})


CONFIG_FAULTS = [
    (
        {"regoin": "cn-shanghai"},
        "regoin",
        ["not a property of the ossmodel provider", "did you mean 'region'?"],
    ),
    (
        {"assumeRole": {"rolArn": "x", "roleArn": "y"}},
        "assumeRole.rolArn",
        ["did you mean 'roleArn'?"],
    ),
    (
        {"assumeRole": {"sessionName": "x"}},
        "assumeRole",
        ["assumeRole.roleArn is not set", "ALICLOUD_ASSUME_ROLE_ARN"],
    ),
    ({"assumeRole": "arn"}, "assumeRole", ["an object with roleArn"]),
    ({"endpoint": "https://oss-cn-shanghai.aliyuncs.com/path"}, "endpoint", ["without a path"]),
    ({"endpoint": "ftp://x"}, "endpoint", ["a host such as"]),
    ({"region": 5}, "region", ["region is '<int>'", "a text"]),
]


@pytest.mark.parametrize(("config", "name", "parts"), CONFIG_FAULTS)
def test_a_mistake_in_the_provider_configuration_is_told_at_preview(
    offline: Plugin, config: dict[str, Any], name: str, parts: list[str]
) -> None:

    answer = offline.call(
        "CheckConfig", provider_pb2.CheckRequest(urn="urn:p", news=struct(config))
    )
    found = {failure.property: failure.reason for failure in answer.failures}
    assert name in found
    for part in parts:
        assert part in found[name]


def test_a_role_block_may_be_json_text_as_it_is_on_the_wire() -> None:
    loaded = settings.load(
        {"assumeRole": '{"roleArn": "acs:ram::1:role/x"}'},
        {"ALICLOUD_ASSUME_ROLE_SESSION_NAME": "s"},
    )
    assert loaded.assume_role == {"roleArn": "acs:ram::1:role/x", "sessionName": "s"}


def test_keys_become_secrets_in_the_state(offline: Plugin) -> None:

    news = struct(
        {
            "accessKey": "AKPLAIN",
            "secretKey": secret("SK"),
            "securityToken": "T",
            "region": "cn-shanghai",
        }
    )
    answer = offline.call("CheckConfig", provider_pb2.CheckRequest(urn="urn:p", news=news))
    fields = answer.inputs.fields
    for name in ("accessKey", "secretKey", "securityToken"):
        assert (
            fields[name].struct_value.fields["4dabf18193072939515e22adb298388d"].string_value
            == "1b47061264138c4ac30d75fd1eb44270"
        )
    assert fields["region"].string_value == "cn-shanghai"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("", "https://oss-cn-shanghai.aliyuncs.com"),
        ("oss-cn-shanghai-internal.aliyuncs.com", "https://oss-cn-shanghai-internal.aliyuncs.com"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
    ],
)
def test_the_endpoint_is_the_regions_unless_set(endpoint: str, url: str) -> None:
    assert (
        settings.endpoint_url(
            settings.load({"endpoint": endpoint} if endpoint else {}, {}), "cn-shanghai"
        )
        == url
    )
