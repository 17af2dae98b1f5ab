"""Profiles of the Aliyun CLI (`~/.aliyun/config.json`): used only when one is named, as the
alicloud provider does.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from .errors import ModelError, describe
from .redact import redact
from .settings import Settings

MODES = ("AK", "StsToken", "RamRoleArn", "EcsRamRole")
OFFICIAL_MODES = ("ChainableRamRoleArn", "CloudSSO", "External", "OAuth")
"""Modes whose keys Alibaba's package fetches (alibabacloud-credentials), as the alicloud provider
has them fetched by its sister in Go. Only a profile of such a mode needs the package.
"""


@dataclass(frozen=True)
class Profile:
    """What one profile says; empty where its mode does not use a value."""

    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    token: str = ""
    ecs_role: str = ""
    assume_role: dict[str, Any] | None = None
    official: tuple[str, str] | None = None
    """(file, name) of a profile whose keys Alibaba's package fetches."""


def load(settings: Settings) -> Profile | None:
    """The profile that is named in the settings, or None if none is. Raises `ModelError` if it
    cannot be used.
    """
    name = settings.get("profile")
    if not name:
        return None
    path = os.path.expanduser(settings.get("sharedCredentialsFile") or "~/.aliyun/config.json")
    found = next((profile for profile in _profiles(path) if profile.get("name") == name), None)
    if found is None:
        names = ", ".join(sorted(str(profile.get("name")) for profile in _profiles(path))) or "none"
        expected = f"one of the profiles in {path} ({names})"
        raise ModelError(
            describe(
                "profile",
                name,
                expected,
                "there are no keys to use",
                "correct it, or run: aliyun configure",
            )
        )
    mode = found.get("mode", "AK")
    if mode in OFFICIAL_MODES:
        return Profile(str(found.get("region_id") or ""), official=(path, name))
    if mode not in MODES:
        remedy = "use another profile, or set accessKey, secretKey and securityToken"
        raise ModelError(
            describe(
                "profile",
                name,
                f"mode {', '.join(MODES + OFFICIAL_MODES)}; it has {mode!r}",
                "its keys cannot be fetched",
                remedy,
            )
        )
    return _of_mode(mode, found)


def _of_mode(mode: str, found: dict[str, Any]) -> Profile:
    text = {key: str(value) for key, value in found.items() if isinstance(value, (str, int))}
    redact.add(text.get("access_key_secret"), text.get("sts_token"))
    region = text.get("region_id", "")
    if mode == "EcsRamRole":
        return Profile(region, ecs_role=text.get("ram_role_name", ""))
    role = None
    if mode == "RamRoleArn":
        role = {
            "roleArn": text.get("ram_role_arn", ""),
            "sessionName": text.get("ram_session_name", ""),
            "sessionExpiration": text.get("expired_seconds", ""),
            "externalId": text.get("external_id", ""),
        }
    token = text.get("sts_token", "") if mode != "AK" else ""
    return Profile(
        region,
        text.get("access_key_id", ""),
        text.get("access_key_secret", ""),
        token,
        assume_role=role,
    )


def _profiles(path: str) -> list[dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as stream:
            body = json.load(stream)
        return [profile for profile in body["profiles"] if isinstance(profile, dict)]
    except OSError as error:
        remedy = "run: aliyun configure, or correct sharedCredentialsFile"
        raise ModelError(
            describe(
                "profile",
                path,
                f"a readable file ({error.strerror})",
                "there are no keys to use",
                remedy,
            )
        ) from None
    except (ValueError, KeyError, TypeError):
        expected = "the Aliyun CLI's JSON with a list of profiles"
        raise ModelError(
            describe("profile", path, expected, "there are no keys to use", "run: aliyun configure")
        ) from None
