"""The provider's configuration: what may be set, where it is taken from when it is not, and what is
secret.

Names and environment variables are those of the alicloud provider, so that one set of them serves
both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import describe, unknown_key
from .values import is_unknown

ENVIRONMENT: dict[str, tuple[str, ...]] = {
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
    "endpoint": ("ALIBABA_CLOUD_ENDPOINT_OSS", "OSS_ENDPOINT"),
}
ROLE_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "roleArn": ("ALICLOUD_ASSUME_ROLE_ARN", "ALIBABA_CLOUD_ROLE_ARN"),
    "sessionName": ("ALICLOUD_ASSUME_ROLE_SESSION_NAME", "ALIBABA_CLOUD_ROLE_SESSION_NAME"),
}
OIDC_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "oidcProviderArn": ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN",),
    "roleArn": ("ALIBABA_CLOUD_ROLE_ARN",),
    "oidcToken": ("ALIBABA_CLOUD_OIDC_TOKEN",),
    "oidcTokenFile": ("ALIBABA_CLOUD_OIDC_TOKEN_FILE",),
    "roleSessionName": ("ALIBABA_CLOUD_ROLE_SESSION_NAME",),
}
BLOCKS: dict[str, tuple[str, ...]] = {
    "assumeRole": ("roleArn", "sessionName", "policy", "sessionExpiration", "externalId"),
    "assumeRoleWithOidc": (
        "oidcProviderArn",
        "roleArn",
        "oidcToken",
        "oidcTokenFile",
        "roleSessionName",
        "policy",
        "sessionExpiration",
    ),
}
KNOWN = tuple(ENVIRONMENT) + tuple(BLOCKS)
SECRET = ("accessKey", "secretKey", "securityToken", "assumeRoleWithOidc")
ENGINE_KEYS = ("version", "pluginDownloadURL", "__internal")


@dataclass
class Settings:
    """Configuration with the environment filled in; a value that is missing everywhere is
    absent.
    """

    values: dict[str, str] = field(default_factory=dict)
    assume_role: dict[str, Any] | None = None
    assume_role_with_oidc: dict[str, Any] | None = None

    def get(self, name: str) -> str:
        """The value of `name`, or "" if it is not set (or not known yet, in a preview)."""
        return self.values.get(name, "")


def load(config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from plain provider configuration and the environment; configuration wins, value by
    value.
    """
    settings = Settings()
    for name, variables in ENVIRONMENT.items():
        value = _first(config.get(name), variables, environ)
        if value:
            settings.values[name] = value
    role, oidc = _block(config.get("assumeRole")), _block(config.get("assumeRoleWithOidc"))
    if role is not None:
        settings.assume_role = _with_environment(role, ROLE_ENVIRONMENT, environ)
    if oidc is not None:
        settings.assume_role_with_oidc = _with_environment(oidc, OIDC_ENVIRONMENT, environ)
    return settings


def check(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything wrong with the provider configuration as (property, message). Values are never
    shown: they may be secret.
    """
    failures = []
    for name in sorted(set(config) - set(KNOWN) - set(ENGINE_KEYS)):
        failures.append((name, unknown_key("the ossmodel provider", name, KNOWN)))
    for name in ENVIRONMENT:
        if name in config and not isinstance(config[name], str):
            kind = type(config[name]).__name__
            failures.append(
                (
                    name,
                    describe(
                        name,
                        f"<{kind}>",
                        "a text",
                        "the provider cannot use it",
                        "write it as a text",
                    ),
                )
            )
    if (
        "endpoint" in config
        and isinstance(config["endpoint"], str)
        and not is_unknown(config["endpoint"])
    ):
        failures += [
            ("endpoint", message) for message in [_endpoint_fault(config["endpoint"])] if message
        ]
    for name, keys in BLOCKS.items():
        failures += _block_faults(name, config.get(name), keys)
    return failures


def endpoint_url(settings: Settings, region: str) -> str:
    """URL of the OSS service: the one set, else the region's public one; https unless http is
    written out.
    """
    endpoint = settings.get("endpoint")
    if not endpoint:
        return f"https://oss-{region}.aliyuncs.com"
    return endpoint if "://" in endpoint else f"https://{endpoint}"


def _block_faults(name: str, value: Any, keys: tuple[str, ...]) -> list[tuple[str, str]]:
    if value is None or is_unknown(value):
        return []
    block = _block(value)
    if block is None:
        expected = f"an object with {', '.join(keys)}"
        return [
            (
                name,
                describe(
                    name,
                    "<not an object>",
                    expected,
                    "no role can be assumed",
                    "write it as an object",
                ),
            )
        ]
    failures = [
        (f"{name}.{key}", unknown_key(name, key, keys)) for key in sorted(set(block) - set(keys))
    ]
    variables = (ROLE_ENVIRONMENT if name == "assumeRole" else OIDC_ENVIRONMENT)["roleArn"]
    if not block.get("roleArn") and not any(os.environ.get(variable) for variable in variables):
        remedy = f"set {name}.roleArn, or one of {', '.join(variables)}"
        failures.append(
            (
                name,
                describe(
                    f"{name}.roleArn",
                    None,
                    "acs:ram::<account>:role/<name>",
                    "no role can be assumed",
                    remedy,
                ),
            )
        )
    return failures


def _endpoint_fault(endpoint: str) -> str | None:
    host = endpoint.split("://", 1)[-1]
    scheme = endpoint.split("://", 1)[0] if "://" in endpoint else "https"
    if scheme in ("http", "https") and host and "/" not in host.rstrip("/") and " " not in host:
        return None
    expected = "a host such as oss-cn-shanghai.aliyuncs.com, without a path"
    return describe(
        "endpoint",
        endpoint,
        expected,
        "no request could be sent",
        "correct it, or leave it out to use the region's own",
    )


def _first(value: Any, variables: tuple[str, ...], environ: Mapping[str, str]) -> str:
    if isinstance(value, str) and value:
        return "" if is_unknown(value) else value
    return next((environ[name] for name in variables if environ.get(name)), "")


def _block(value: Any) -> dict[str, Any] | None:
    """An object; on the wire it may be JSON text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return dict(value) if isinstance(value, dict) else None


def _with_environment(
    block: dict[str, Any], names: Mapping[str, tuple[str, ...]], environ: Mapping[str, str]
) -> dict[str, Any]:
    filled = {key: value for key, value in block.items() if not is_unknown(value)}
    for key, variables in names.items():
        value = filled.get(key) or _first(None, variables, environ)
        if value:
            filled[key] = value
    return filled
