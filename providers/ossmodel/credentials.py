"""Where the keys come from: the same sources in the same order as the alicloud provider's."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import profiles, sts
from .errors import ModelError
from .redact import redact
from .settings import Settings

METADATA = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"
RENEW_BEFORE = 300.0
"""Seconds before their end at which temporary keys are fetched anew."""
_TIMEOUT = 10


@dataclass(frozen=True)
class Keys:
    """An access key; `token` and `expires` (Unix seconds, 0 = never) for temporary ones."""

    access_key: str
    secret_key: str
    token: str = ""
    expires: float = 0.0

    # The three methods oss2 asks for.
    def get_access_key_id(self) -> str:
        """The access key id, as oss2 asks for it."""
        return self.access_key

    def get_access_key_secret(self) -> str:
        """The access key secret, as oss2 asks for it."""
        return self.secret_key

    def get_security_token(self) -> str:
        """The security token, or ""."""
        return self.token


class Provider:
    """Hands out keys to oss2 and renews temporary ones in time; safe for several threads."""

    def __init__(self, fetch: Callable[[], Keys]) -> None:
        self._fetch = fetch
        self._keys: Keys | None = None
        self._lock = threading.Lock()

    def get_credentials(self) -> Keys:
        """Valid keys. Raises `ModelError` if none are available."""
        with self._lock:
            keys = self._keys
            if keys is None or (keys.expires and keys.expires - time.time() < RENEW_BEFORE):
                keys = self._keys = self._fetch()
                redact.add(keys.secret_key, keys.token)
            return keys


def resolve(settings: Settings) -> tuple[str, Provider]:
    """(region, keys) from all sources. Raises one `ModelError` that says what was looked for when
    something is missing.
    """
    profile = profiles.load(settings)
    region = settings.get("region") or (profile.region if profile else "")
    if not region:
        raise ModelError(
            "region is not set; expected a region such as cn-shanghai. Without it the address of OSS is not known. "
            "Run: pulumi config set ossmodel:region cn-shanghai (or set ALICLOUD_REGION)."
        )
    fetch = _base(settings, profile)
    role = settings.assume_role or (profile.assume_role if profile else None)
    if fetch is None and settings.assume_role_with_oidc:
        block = settings.assume_role_with_oidc
        fetch = lambda: Keys(*sts.assume_with_oidc(region, block))  # noqa: E731 - a source like the others
    if fetch is None:
        raise ModelError(_nothing_found())
    if role:
        base = Provider(fetch)
        return region, Provider(lambda: Keys(*sts.assume(region, role, base.get_credentials())))
    return region, Provider(fetch)


def _base(settings: Settings, profile: profiles.Profile | None) -> Callable[[], Keys] | None:
    access, secret = settings.get("accessKey"), settings.get("secretKey")
    if bool(access) != bool(secret):
        raise ModelError(
            f"{'secretKey' if access else 'accessKey'} is not set, but {'accessKey' if access else 'secretKey'} is; expected both. "
            "No request can be signed. Set both in the provider's configuration or in ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY."
        )
    if access:
        keys = Keys(access, secret, settings.get("securityToken"))
        return lambda: keys
    if profile and profile.access_key:
        keys = Keys(profile.access_key, profile.secret_key, profile.token)
        return lambda: keys
    if profile and profile.official:
        return _official(*profile.official)
    if settings.get("credentialsUri"):
        return lambda: _from_url(settings.get("credentialsUri"), "credentialsUri")
    role = settings.get("ecsRoleName") or (profile.ecs_role if profile else "")
    if role:
        return lambda: _from_url(METADATA + role, "ecsRoleName")
    return None


def _official(file: str, name: str) -> Callable[[], Keys]:
    """Keys of a profile by Alibaba's package, which renews them in time: it is asked again after a
    minute. Raises ModelError without the package.
    """
    try:
        from alibabacloud_credentials.provider import CLIProfileCredentialsProvider  # noqa: PLC0415 - only such a profile needs it
    except ImportError:
        raise ModelError(
            f"profile: {name} in {file} needs the package alibabacloud-credentials, which this Python has not. No request can be signed. "
            "Run: make environment, or pip install alibabacloud-credentials, or set accessKey, secretKey and securityToken."
        ) from None
    source = CLIProfileCredentialsProvider(profile_name=name, profile_file=file)

    def fetch() -> Keys:
        try:
            given = source.get_credentials()
        except Exception as error:
            reason = redact(" ".join(str(error).split())[:300])
            raise ModelError(
                f"profile: {name} in {file} gave no keys: {reason}. No request can be signed. "
                f"Check that `aliyun sts GetCallerIdentity --profile {name}` answers (an expired login: aliyun configure)."
            ) from None
        return Keys(
            given.get_access_key_id() or "",
            given.get_access_key_secret() or "",
            given.get_security_token() or "",
            time.time() + RENEW_BEFORE + 60,
        )

    return fetch


def _from_url(url: str, field: str) -> Keys:
    import requests  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    try:
        answer = requests.get(url, timeout=_TIMEOUT)
        body: Any = (
            answer.json() if answer.status_code == 200 else {"Code": f"HTTP {answer.status_code}"}
        )
    except (requests.RequestException, ValueError) as error:
        body = {"Code": redact(str(error))}
    if (
        body.get("Code") != "Success"
        or not body.get("AccessKeyId")
        or not body.get("AccessKeySecret")
    ):
        raise ModelError(
            f"{field}: {url} gave no keys ({body.get('Code')}); expected keys from that address. No request can be signed. "
            "Check that the address answers from this machine and that the role exists."
        )
    return Keys(
        body["AccessKeyId"],
        body["AccessKeySecret"],
        body.get("SecurityToken", ""),
        sts.expiry(body.get("Expiration")),
    )


def _nothing_found() -> str:
    home = os.path.expanduser("~/.aliyun/config.json")
    return (
        "no credentials were found; expected an access key, a profile, an ECS role or a role to assume. No request can be signed. "
        "Looked at the provider's configuration (accessKey, secretKey, profile, credentialsUri, ecsRoleName, assumeRoleWithOidc), at "
        "ALICLOUD_ACCESS_KEY, ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABACLOUD_ACCESS_KEY_ID and their SECRET twins, and at ALICLOUD_PROFILE "
        f"(a profile in {home}). Set one of them."
    )
