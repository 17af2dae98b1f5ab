"""The one chain of credentials: which source gives the keys, in which order, and what is said when
none does. Only the calls to STS are answered here; the sources are the official package's.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alibabacloud_credentials.provider import oidc, ram_role_arn

from ops.cloud.client import Cloud
from ops.cloud.credentials import VARIABLES, Credentials, find_credentials
from ops.cloud.errors import CloudError, CredentialsError
from providers.ossmodel import settings as ossmodel

KEY = {"ALICLOUD_ACCESS_KEY": "k", "ALICLOUD_SECRET_KEY": "s"}
OIDC = {
    "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/deploy",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ci",
}
NO_METADATA = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with profiles of the Aliyun CLI; one is current."""
    profiles = [
        {"name": "main", "mode": "AK", "access_key_id": "k1", "access_key_secret": "s1"},
        {
            "name": "short",
            "mode": "StsToken",
            "access_key_id": "k2",
            "access_key_secret": "s2",
            "sts_token": "t2",
        },
        {
            "name": "role",
            "mode": "ChainableRamRoleArn",
            "source_profile": "main",
            "ram_role_arn": "acs:ram::1:role/from-profile",
        },
        {"name": "empty", "mode": "AK"},
    ]
    directory = tmp_path / ".aliyun"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"current": "main", "profiles": profiles}))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Answers AssumeRole and AssumeRoleWithOIDC; what was asked."""
    asked: list[dict[str, str]] = []

    def answer(request: Any, options: Any) -> SimpleNamespace:
        asked.append({**request.query, "host": request.headers["host"]})
        keys = {
            "AccessKeyId": "STS.k",
            "AccessKeySecret": "sts",
            "SecurityToken": "token",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        body = json.dumps({"Credentials": keys}).encode()
        return SimpleNamespace(status_code=200, body=body)

    for module in (oidc, ram_role_arn):
        monkeypatch.setattr(module.TeaCore, "do_action", answer)
    return asked


def keys(provider: Any) -> tuple[str, str, str]:
    given = provider.get_credentials()
    return (
        given.get_access_key_id(),
        given.get_access_key_secret(),
        given.get_security_token() or "",
    )


def test_a_key_in_the_environment_comes_before_everything_under_either_name(home: Path) -> None:
    both = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "x", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "y"}
    environ = {**both, **KEY, "ALICLOUD_SECURITY_TOKEN": "t", "ALICLOUD_PROFILE": "short"}
    assert find_credentials({}, environ) == Credentials("k", "s", "t")
    assert find_credentials({}, both) == Credentials("x", "y")


def test_half_a_key_is_an_error_that_names_the_other_half() -> None:
    with pytest.raises(CredentialsError, match=r"ALICLOUD_SECRET_KEY.* is not; no request can be"):
        find_credentials({}, {"ALICLOUD_ACCESS_KEY": "k"})


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        ({}, {"ALICLOUD_PROFILE": "short"}),
        ({}, {"ALIBABA_CLOUD_PROFILE": "short"}),
        ({"profile": "short"}, {"ALICLOUD_PROFILE": "main"}),
    ],
)
def test_a_named_profile_is_used_and_the_stacks_own_name_for_it_wins(
    home: Path, config: dict[str, str], environ: dict[str, str]
) -> None:
    found = find_credentials(config, {**environ, "HOME": str(home)})
    assert keys(found) == ("k2", "s2", "t2")


def test_the_file_of_the_profiles_can_be_elsewhere(home: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text((home / ".aliyun" / "config.json").read_text())
    (home / ".aliyun" / "config.json").unlink()
    for given in (str(tmp_path / "other.json"), "~/other.json"):
        environ = {"HOME": str(home), "ALICLOUD_SHARED_CREDENTIALS_FILE": given}
        assert keys(find_credentials({"profile": "main"}, environ)) == ("k1", "s1", "")


@pytest.mark.parametrize("name", ["nobody", "empty"])
def test_a_named_profile_without_keys_is_an_error_even_where_others_have_some(
    home: Path, name: str
) -> None:
    environ = {"HOME": str(home), "ALICLOUD_PROFILE": name}
    with pytest.raises(CredentialsError, match=rf"profile {name} in .*/\.aliyun/config\.json"):
        find_credentials({}, environ)


def test_a_profile_may_assume_a_role_with_another_profiles_key(
    home: Path, sts: list[dict[str, str]]
) -> None:
    found = find_credentials({"profile": "role"}, {"HOME": str(home)})
    assert keys(found) == ("STS.k", "sts", "token")
    assert (sts[0]["RoleArn"], sts[0]["AccessKeyId"]) == ("acs:ram::1:role/from-profile", "k1")


def test_a_token_of_a_pipeline_is_traded_for_keys(
    tmp_path: Path, sts: list[dict[str, str]]
) -> None:
    file = tmp_path / "token"
    file.write_text("jwt")
    environ = {
        **OIDC,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(file),
        "ALICLOUD_REGION": "cn-beijing",
    }
    assert keys(find_credentials({}, environ)) == ("STS.k", "sts", "token")
    (question,) = sts
    assert question["OIDCToken"] == "jwt" and question["RoleArn"] == OIDC["ALIBABA_CLOUD_ROLE_ARN"]
    assert question["host"] == "sts.cn-beijing.aliyuncs.com"


def test_a_role_in_the_stacks_configuration_is_assumed_with_what_was_found(
    sts: list[dict[str, str]],
) -> None:
    role = {"roleArn": "acs:ram::2:role/deploy", "externalId": "e", "sessionExpiration": 1800}
    found = find_credentials({"assumeRole": role, "region": "cn-beijing"}, KEY)
    assert keys(found) == ("STS.k", "sts", "token")
    (question,) = sts
    names = ("RoleArn", "ExternalId", "DurationSeconds", "AccessKeyId", "RoleSessionName")
    assert [question[name] for name in names] == [
        "acs:ram::2:role/deploy",
        "e",
        "1800",
        "k",
        "elastic-inference",
    ]


def test_without_anything_set_the_current_profile_is_used(home: Path) -> None:
    assert keys(find_credentials({}, {"HOME": str(home), **NO_METADATA})) == ("k1", "s1", "")


def test_where_nothing_gives_keys_one_message_says_what_was_looked_for_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialsError) as caught:
        find_credentials({}, {"HOME": str(tmp_path), **NO_METADATA})
    text = str(caught.value)
    for part in (
        "ALICLOUD_ACCESS_KEY",
        "ALIBABA_CLOUD_PROFILE",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        f"current profile in {tmp_path}/.aliyun/config.json",
        "~/.alibabacloud/credentials",
        "set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY",
    ):
        assert part in text
    assert "\n" not in text


def test_a_client_needs_a_region_and_says_where_one_is_looked_for() -> None:
    assert Cloud.of_provider({"region": "cn-beijing"}, KEY).region == "cn-beijing"
    assert Cloud.of_provider({}, {**KEY, "ALIBABA_CLOUD_REGION": "r"}).region == "r"
    with pytest.raises(CloudError, match=r"alicloud:region, ALICLOUD_REGION.*Set alicloud:region"):
        Cloud.of_provider({}, KEY)


def test_the_model_provider_reads_the_same_variables() -> None:
    """The stack's second provider and the commands must not sign as two identities."""
    theirs = {name: ossmodel.ENVIRONMENT[name] for name in VARIABLES}
    assert theirs == VARIABLES
