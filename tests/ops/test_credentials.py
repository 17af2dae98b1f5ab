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
from ops.cloud.credentials import (
    PLUGIN_MODES,
    VARIABLES,
    Credentials,
    find_credentials,
    plugin_problem,
)
from ops.cloud.errors import CloudError, CredentialsError
from providers.ossmodel import credentials as ossmodel_credentials
from providers.ossmodel import profiles as ossmodel_profiles
from providers.ossmodel import settings as ossmodel
from settings.core.loading import CREDENTIALS

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
    assert {name: variables for name, variables in CREDENTIALS.items() if variables} == {
        name: variables for name, variables in VARIABLES.items() if name != "region"
    }


def plain_keys(config: dict[str, Any], environ: dict[str, str]) -> tuple[str, str, str]:
    """What the model's provider signs with."""
    loaded = ossmodel.load({"region": "cn-shanghai", **config}, environ)
    given = ossmodel_credentials.resolve(loaded)[1].get_credentials()
    return given.access_key, given.secret_key, given.token


EVERY_MODE = [
    {"mode": "AK", "access_key_id": "k", "access_key_secret": "s"},
    {"mode": "StsToken", "access_key_id": "k", "access_key_secret": "s", "sts_token": "t"},
    {"mode": "RamRoleArn", "access_key_id": "k", "access_key_secret": "s", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "me", "expired_seconds": 900},
    {"mode": "ChainableRamRoleArn", "source_profile": "base", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "me", "expired_seconds": 900},
    {"mode": "CloudSSO", "cloud_sso_sign_in_url": "https://signin-cn-shanghai.alibabacloudsso.com/x/login", "cloud_sso_account_id": "1", "cloud_sso_access_config": "ac-1", "access_token": "token", "cloud_sso_access_token_expire": 4102444800},
    {"mode": "External", "process_command": "echo {\"mode\":\"StsToken\",\"access_key_id\":\"STS.k\",\"access_key_secret\":\"sts\",\"sts_token\":\"token\"}"},
]  # fmt: skip


@pytest.fixture
def answers(sts: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers CloudSSO and the model provider's own calls to STS, too."""
    from alibabacloud_credentials.provider import cloud_sso  # noqa: PLC0415 - 0.3 s

    keys_of_sso = {"AccessKeyId": "STS.k", "AccessKeySecret": "sts", "SecurityToken": "token", "Expiration": "2099-01-01T00:00:00Z"}  # fmt: skip
    body = json.dumps({"CloudCredential": keys_of_sso, "Credentials": keys_of_sso}).encode()
    answer = SimpleNamespace(status_code=200, body=body)
    monkeypatch.setattr(cloud_sso.TeaCore, "do_action", lambda request, options: answer)
    monkeypatch.setattr(ossmodel_credentials.sts, "assume", lambda *_: ("STS.k", "sts", "token", 4e9))  # fmt: skip
    assert sts == []


@pytest.mark.parametrize("row", EVERY_MODE, ids=[row["mode"] for row in EVERY_MODE])
def test_a_profile_of_every_mode_gives_commands_and_the_models_plugin_the_same_keys(
    tmp_path: Path, answers: None, row: dict[str, Any]
) -> None:
    base = {"name": "base", "mode": "AK", "access_key_id": "k", "access_key_secret": "s"}
    if row["mode"] == "External":  # the package runs a command without a shell
        script = tmp_path / "keys"
        script.write_text(
            f"#!/bin/sh\n{row['process_command'].replace('echo ', 'echo ' + chr(39))}'\n"
        )
        script.chmod(0o755)
        row = {**row, "process_command": str(script)}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"current": "base", "profiles": [base, {"name": "p", **row}]}))
    environ = {"ALICLOUD_PROFILE": "p", "ALICLOUD_SHARED_CREDENTIALS_FILE": str(file)}
    assert plugin_problem({}, environ) == ""
    found = keys(find_credentials({}, environ))
    assert found == plain_keys({}, environ)
    static = {"AK": ("k", "s", ""), "StsToken": ("k", "s", "t")}
    assert found == static.get(row["mode"], ("STS.k", "sts", "token"))


def test_the_modes_are_those_of_the_alicloud_plugin() -> None:
    assert set(PLUGIN_MODES) == {*ossmodel_profiles.MODES, *ossmodel_profiles.OFFICIAL_MODES}


def test_a_profile_of_a_mode_that_the_plugin_does_not_know_is_refused_before_the_first_change(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"profiles": [{"name": "p", "mode": "OIDC"}]}))
    environ = {"ALICLOUD_PROFILE": "p", "ALICLOUD_SHARED_CREDENTIALS_FILE": str(file)}
    text = plugin_problem({}, environ)
    assert "mode OIDC" in text and "remedy" in text and "assumeRoleWithOidc" in text


def test_what_the_plugins_do_not_look_at_is_refused_with_what_names_it(home: Path) -> None:
    environ = {"HOME": str(home)}
    assert "ALICLOUD_PROFILE=main" in plugin_problem({}, environ)
    token = {**OIDC, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/token", **environ}
    assert "alicloud:assumeRoleWithOidc.roleArn" in plugin_problem({}, token)
    assert plugin_problem({"assumeRoleWithOidc": {"roleArn": "r"}}, environ) == ""
    assert plugin_problem({}, {**KEY, **environ}) == ""
    assert plugin_problem({"profile": "main"}, environ) == ""
    assert plugin_problem({}, {"ALICLOUD_CREDENTIALS_URI": "http://127.0.0.1/", **environ}) == ""
    assert plugin_problem({}, {"ALICLOUD_ECS_ROLE_NAME": "role", **environ}) == ""


def test_a_key_comes_before_an_oidc_token_for_all_three(
    tmp_path: Path, sts: list[dict[str, str]]
) -> None:
    config = {"assumeRoleWithOidc": {"roleArn": "acs:ram::1:role/r", "oidcProviderArn": "p", "oidcTokenFile": "/none"}}  # fmt: skip
    assert keys(find_credentials(config, KEY)) == ("k", "s", "") == plain_keys(config, KEY)
    assert sts == []


def test_a_role_in_the_configuration_takes_the_place_of_the_profiles(
    tmp_path: Path, sts: list[dict[str, str]]
) -> None:
    file = tmp_path / "config.json"
    row = {"name": "p", **EVERY_MODE[2]}
    file.write_text(json.dumps({"profiles": [row]}))
    config = {"profile": "p", "sharedCredentialsFile": str(file), "assumeRole": {"roleArn": "acs:ram::2:role/deploy"}}  # fmt: skip
    assert keys(find_credentials(config, {})) == ("STS.k", "sts", "token")
    (question,) = sts
    assert (question["RoleArn"], question["AccessKeyId"]) == ("acs:ram::2:role/deploy", "k")


def test_a_credentials_uri_gives_all_three_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import http.server  # noqa: PLC0415
    import threading  # noqa: PLC0415

    body = json.dumps({"Code": "Success", "AccessKeyId": "STS.k", "AccessKeySecret": "sts", "SecurityToken": "token", "Expiration": "2099-01-01T00:00:00Z"})  # fmt: skip

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        environ = {"ALICLOUD_CREDENTIALS_URI": f"http://127.0.0.1:{server.server_port}/"}
        assert keys(find_credentials({}, environ)) == ("STS.k", "sts", "token")
        assert plain_keys({}, environ) == ("STS.k", "sts", "token")
    finally:
        server.shutdown()
        server.server_close()
