"""The one chain by which every command here finds Alibaba Cloud credentials.

The order, first what is set explicitly, as the alicloud plugin reads it
(terraform-provider-alicloud, provider.go), so that a command has the identity of the deployment:

1. an access key: provider configuration, else `ALICLOUD_ACCESS_KEY` and `ALICLOUD_SECRET_KEY` (with
   `ALICLOUD_SECURITY_TOKEN`), or the same under Alibaba's names, `ALIBABA_CLOUD_ACCESS_KEY_ID` …;
2. a named profile of the Aliyun CLI (`ALICLOUD_PROFILE`, `ALIBABA_CLOUD_PROFILE`), of any mode: AK,
   StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, OIDC, CloudSSO, OAuth, External;
3. a credentials URI, then the named RAM role of an ECS instance (`ALICLOUD_ECS_ROLE_NAME`);
4. an OIDC token: `assumeRoleWithOidc`, or `ALIBABA_CLOUD_ROLE_ARN`, `…_OIDC_PROVIDER_ARN` and
   `…_OIDC_TOKEN_FILE` together.

An explicit source that gives no keys is an error. Where none is set: the CLI's current profile
(~/.aliyun/config.json), Alibaba's ~/.alibabacloud/credentials, the role of the ECS instance. A role
in the provider configuration (`assumeRole`) is assumed with what was found; it takes the place of
the role of a profile of mode RamRoleArn.

Some of these the plugins do not read (`plugin_problem`): commands that deploy refuse them before
the first change.

The sources are those of the official package alibabacloud-credentials, which also renews temporary
keys in time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ops.cloud.errors import CredentialsError

VARIABLES: dict[str, tuple[str, ...]] = {
    "accessKey": (
        "ALICLOUD_ACCESS_KEY",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABACLOUD_ACCESS_KEY_ID",
    ),
    "secretKey": (
        "ALICLOUD_SECRET_KEY",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABACLOUD_ACCESS_KEY_SECRET",
    ),
    "securityToken": (
        "ALICLOUD_SECURITY_TOKEN",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
        "ALIBABACLOUD_SECURITY_TOKEN",
    ),
    "region": ("ALICLOUD_REGION", "ALIBABA_CLOUD_REGION"),
    "profile": ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"),
    "sharedCredentialsFile": ("ALICLOUD_SHARED_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"),
    "ecsRoleName": ("ALICLOUD_ECS_ROLE_NAME", "ALIBABA_CLOUD_ECS_METADATA"),
    "credentialsUri": ("ALICLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CREDENTIALS_URI"),
}
"""Setting of the alicloud provider: environment variables that stand in for it, the first one that
is set wins.
"""
OIDC_VARIABLES = {
    "roleArn": "ALIBABA_CLOUD_ROLE_ARN",
    "oidcProviderArn": "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "oidcTokenFile": "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
}
SESSION = "elastic-inference"
"""Name of a role session where none is given; ActionTrail shows it."""
REMEDY = (
    "set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, or ALICLOUD_PROFILE to a profile that "
    "`aliyun configure list` shows"
)


class Keys(Protocol):
    """An access key, with a security token when it is a temporary one."""

    def get_access_key_id(self) -> str: ...  # noqa: D102 - the official package's interface
    def get_access_key_secret(self) -> str: ...  # noqa: D102
    def get_security_token(self) -> str: ...  # noqa: D102


class CredentialsProvider(Protocol):
    """Gives valid keys each time it is asked. All clients of Alibaba's packages take one."""

    def get_credentials(self) -> Keys: ...  # noqa: D102 - the official package's interface
    def get_provider_name(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Credentials:
    """Keys that do not change; a provider of themselves."""

    key: str
    secret: str
    token: str = ""

    def get_credentials(self) -> Credentials:
        """These keys."""
        return self

    def get_provider_name(self) -> str:
        """The official package's name for a fixed key."""
        return "static_sts" if self.token else "static_ak"

    def get_access_key_id(self) -> str:
        """The access key id."""
        return self.key

    def get_access_key_secret(self) -> str:
        """The access key secret."""
        return self.secret

    def get_security_token(self) -> str:
        """The security token, "" when there is none."""
        return self.token


def setting(name: str, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str:
    """A setting of the alicloud provider: as configured, else of the environment, else ""."""
    given = config.get(name)
    if isinstance(given, str) and given:
        return given
    return next((environ[variable] for variable in VARIABLES[name] if environ.get(variable)), "")


def find_credentials(
    config: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> CredentialsProvider:
    """The credentials of the chain above; it has been checked that they give keys.

    `config`: the stack's configuration of the alicloud provider, without the `alicloud:` before the
    names and without encrypted values. Raises CredentialsError.
    """
    config = config or {}
    key, secret = (setting(name, config, environ) for name in ("accessKey", "secretKey"))
    if bool(key) != bool(secret):
        given, missing = ("accessKey", "secretKey") if key else ("secretKey", "accessKey")
        raise CredentialsError(
            f"there is an access key's half only: {' or '.join(VARIABLES[given])} is set, "
            f"{' or '.join(VARIABLES[missing])} is not; no request can be signed. Set both"
        )
    source: CredentialsProvider
    if key:
        source = Credentials(key, secret, setting("securityToken", config, environ))
    else:
        source = _of_one_source(config, environ)
    if role := _role(config):
        source = _checked(f"assumeRole {role.get('roleArn')}", lambda: _assumed(source, role, config, environ))  # fmt: skip
    return source


PLUGIN_MODES = (
    "AK",
    "StsToken",
    "RamRoleArn",
    "EcsRamRole",
    "ChainableRamRoleArn",
    "CloudSSO",
    "External",
    "OAuth",
)
"""Modes of a profile that the alicloud plugin knows (terraform-provider-alicloud 1.285.0,
providerConfigure and getConfigFromProfile), and the model's plugin with it.
"""


def plugin_problem(
    config: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> str:
    """Why the stack's plugins would find no keys where the commands find some, with the remedy; ""
    when they find them. The plugins look at what is named to them only.

    `config`: as find_credentials takes it. Asks nobody.
    """
    config = config or {}
    if setting("accessKey", config, environ):
        return ""
    if profile := setting("profile", config, environ):
        file = _profile_file(config, environ)
        mode = _profile(file, profile).get("mode")
        if mode in (None, *PLUGIN_MODES):
            return ""  # a profile that is not there: find_credentials says so
        return (
            f"credentials: profile {profile} in {file} has mode {mode}, which the alicloud plugin does not know; "
            f"expected one of {', '.join(PLUGIN_MODES)}.\n"
            "  otherwise: the run ends at the plugin's first call\n"
            f"  remedy: use another profile{_OIDC_REMEDY if mode == 'OIDC' else ''}"
        )
    if setting("credentialsUri", config, environ) or setting("ecsRoleName", config, environ):
        return ""
    if isinstance(config.get("assumeRoleWithOidc"), Mapping):
        return ""
    if all(environ.get(variable) for variable in OIDC_VARIABLES.values()):
        return (
            f"credentials: {', '.join(OIDC_VARIABLES.values())} are set, and the alicloud plugin trades an OIDC token only where "
            "the stack's configuration says so.\n"
            "  otherwise: the run ends at the plugin's first call\n"
            f"  remedy: either trade it before (as .github/workflows/stack.yml does){_OIDC_REMEDY}"
        )
    file = _profile_file(config, environ)
    current = _profiles(file).get("current")
    named = f"ALICLOUD_PROFILE={current}" if current else "ALICLOUD_PROFILE to a profile"
    return (
        "credentials: none are named, and the plugins use neither the CLI's current profile nor ~/.alibabacloud/credentials nor the "
        "role of this ECS instance unasked.\n"
        "  otherwise: the run ends at the plugin's first call\n"
        f"  remedy: set {named}, ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, or ALICLOUD_ECS_ROLE_NAME"
    )


_OIDC_REMEDY = ", or have the plugins trade the token: pulumi config set --path alicloud:assumeRoleWithOidc.roleArn <arn>, and so oidcProviderArn and oidcTokenFile; the same for ossmodel"


def _profiles(file: str) -> Mapping[str, Any]:
    """The CLI's file of profiles; empty for one that can't be read, of which its source tells."""
    try:
        with open(file, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _profile(file: str, name: str) -> Mapping[str, Any]:
    rows = _profiles(file).get("profiles") or []
    return next((row for row in rows if isinstance(row, Mapping) and row.get("name") == name), {})


def _of_one_source(config: Mapping[str, Any], environ: Mapping[str, str]) -> CredentialsProvider:
    """The first source that is set; where none is, the first default one that gives keys."""
    for name, make in _explicit_sources(config, environ):
        return _checked(name, make)
    reasons = []
    for name, make in _default_sources(config, environ):
        try:
            return _checked(name, make)
        except CredentialsError as error:
            reasons.append(str(error).removeprefix("credentials: "))
    variables = [variable for name in ("accessKey", "profile") for variable in VARIABLES[name]]
    raise CredentialsError(
        f"none of {', '.join(variables)}, {', '.join(OIDC_VARIABLES.values())}, "
        f"{', '.join((*VARIABLES['credentialsUri'], *VARIABLES['ecsRoleName']))} is set; "
        f"{'; '.join(reasons)}. No request can be signed: {REMEDY}"
    )


def _explicit_sources(
    config: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, Callable[[], CredentialsProvider]]]:
    """(what it is called in an error, how it is made) of each source that is set, in order."""
    provider = _official_sources()
    if profile := setting("profile", config, environ):
        file = _profile_file(config, environ)
        row = _profile(file, profile)
        if row.get("mode") == "RamRoleArn" and _role(config):
            key, secret = (str(row.get(f"access_key_{part}") or "") for part in ("id", "secret"))
            yield f"profile {profile} in {file}", lambda: Credentials(key, secret)
        else:
            yield (
                f"profile {profile} in {file}",
                lambda: provider.CLIProfileCredentialsProvider(
                    profile_name=profile, profile_file=file
                ),
            )
    if uri := setting("credentialsUri", config, environ):
        yield f"credentials URI {uri}", lambda: provider.URLCredentialsProvider(uri=uri)
    if role := setting("ecsRoleName", config, environ):
        yield (
            f"RAM role {role} of this ECS instance",
            lambda: provider.EcsRamRoleCredentialsProvider(role_name=role),
        )
    if oidc := _oidc(config, environ):
        yield (
            f"OIDC token in {oidc.get('oidcTokenFile')} for role {oidc.get('roleArn')}",
            lambda: provider.OIDCRoleArnCredentialsProvider(
                role_arn=oidc.get("roleArn"),
                oidc_provider_arn=oidc.get("oidcProviderArn"),
                oidc_token_file_path=oidc.get("oidcTokenFile"),
                role_session_name=oidc.get("roleSessionName") or SESSION,
                duration_seconds=int(oidc.get("sessionExpiration") or 3600),
                policy=oidc.get("policy"),
                sts_region_id=setting("region", config, environ),
            ),
        )


def _default_sources(
    config: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, Callable[[], CredentialsProvider]]]:
    provider = _official_sources()
    file = _profile_file(config, environ)
    yield (
        f"current profile in {file}",
        lambda: provider.CLIProfileCredentialsProvider(profile_file=file),
    )
    yield "~/.alibabacloud/credentials", provider.ProfileCredentialsProvider
    if environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() != "true":
        yield "RAM role of this ECS instance", provider.EcsRamRoleCredentialsProvider


def _official_sources() -> Any:
    """The official package's sources. Untyped: its annotations deny the None that it takes."""
    from alibabacloud_credentials import provider  # noqa: PLC0415 - 0.3 s, spared with an access key, as in the lab

    return provider


def _checked(name: str, make: Callable[[], CredentialsProvider]) -> CredentialsProvider:
    """The source, asked once for its keys. Raises CredentialsError that names it."""
    try:
        source = make()
        keys = source.get_credentials()
        if not keys.get_access_key_id() or not keys.get_access_key_secret():
            raise ValueError("its access key is empty")
    except CredentialsError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise CredentialsError(f"{name} gives no keys: {reason or type(error).__name__}") from None
    return source


def _profile_file(config: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    given = setting("sharedCredentialsFile", config, environ)
    return os.path.join(home, given[2:]) if given.startswith("~/") else given or os.path.join(
        home, ".aliyun", "config.json"
    )  # fmt: skip


def _oidc(config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """What it takes to trade an OIDC token for keys; None where it is not set."""
    given = config.get("assumeRoleWithOidc")
    block = dict(given) if isinstance(given, Mapping) else {}
    filled = {
        name: block.get(name) or environ.get(variable) for name, variable in OIDC_VARIABLES.items()
    }
    session = block.get("roleSessionName") or environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME")
    return (
        {**block, **filled, "roleSessionName": session} if block or all(filled.values()) else None
    )


def _role(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = config.get("assumeRole")
    return given if isinstance(given, Mapping) else None


def _assumed(
    source: CredentialsProvider,
    role: Mapping[str, Any],
    config: Mapping[str, Any],
    environ: Mapping[str, str],
) -> CredentialsProvider:
    """The source's identity in this RAM role."""
    arn = role.get("roleArn") or environ.get("ALICLOUD_ASSUME_ROLE_ARN") or environ.get("ALIBABA_CLOUD_ROLE_ARN")  # fmt: skip
    return _official_sources().RamRoleArnCredentialsProvider(
        credentials_provider=source,
        role_arn=arn,
        role_session_name=role.get("sessionName") or SESSION,
        duration_seconds=int(role.get("sessionExpiration") or 3600),
        policy=role.get("policy"),
        external_id=role.get("externalId"),
        sts_region_id=setting("region", config, environ),
    )
