"""Temporary keys from the Security Token Service."""

from __future__ import annotations

import calendar
import json
import os
import time
from typing import Any

from .errors import ModelError
from .redact import redact

_TIMEOUT = 20
_SESSION = "pulumi-ossmodel"

Fetched = tuple[str, str, str, float]
"""Access key, secret key, token, end (Unix seconds)."""


def assume(region: str, role: dict[str, Any], keys: Any) -> Fetched:
    """Keys of a RAM role (`AssumeRole`), signed with `keys`. Raises `ModelError` with the service's
    own reason.
    """
    from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
    from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
    from aliyunsdkcore.client import AcsClient  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
    from aliyunsdkcore.request import CommonRequest  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    pair = (keys.access_key, keys.secret_key)
    credential: Any = (
        StsTokenCredential(*pair, keys.token) if keys.token else AccessKeyCredential(*pair)
    )
    client = AcsClient(region_id=region, credential=credential, timeout=_TIMEOUT, verify=_trust())
    request = CommonRequest(
        domain=_host(region), version="2015-04-01", action_name="AssumeRole", product="Sts"
    )
    request.set_protocol_type("https")
    request.set_method("POST")
    for name, value in _parameters(role, role.get("sessionName")).items():
        request.add_query_param(name, value)
    try:
        return _keys(json.loads(client.do_action_with_exception(request) or b"{}"))
    except (ServerException, ClientException) as error:
        reason = f"{error.get_error_code()}: {error.get_error_msg()}"
        raise _refused("assumeRole", str(role.get("roleArn")), reason) from None


def assume_with_oidc(region: str, block: dict[str, Any]) -> Fetched:
    """Keys of a RAM role for an OpenID Connect token (`AssumeRoleWithOIDC`, which is not
    signed).
    """
    import requests  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    token = str(block.get("oidcToken") or "")
    if not token and block.get("oidcTokenFile"):
        try:
            with open(block["oidcTokenFile"], encoding="utf-8") as stream:
                token = stream.read().strip()
        except OSError as error:
            raise _refused(
                "assumeRoleWithOidc", str(block["oidcTokenFile"]), f"{error.strerror}"
            ) from None
    redact.add(token)
    form = _parameters(block, block.get("roleSessionName"))
    form |= {
        "Action": "AssumeRoleWithOIDC",
        "Version": "2015-04-01",
        "Format": "JSON",
        "OIDCToken": token,
    }
    form |= {"OIDCProviderArn": str(block.get("oidcProviderArn", ""))}
    try:
        answer = requests.post(f"https://{_host(region)}/", data=form, timeout=_TIMEOUT)
        body = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise _refused(
            "assumeRoleWithOidc", str(block.get("roleArn")), redact(str(error))
        ) from None
    if answer.status_code != 200:
        raise _refused(
            "assumeRoleWithOidc",
            str(block.get("roleArn")),
            f"{body.get('Code')}: {body.get('Message')}",
        )
    return _keys(body)


def expiry(text: Any) -> float:
    """Unix seconds of a time such as 2026-11-22T22:00:00Z; 0 if there is none."""
    try:
        return float(calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0


def _parameters(block: dict[str, Any], session: Any) -> dict[str, str]:
    values = {
        "RoleArn": block.get("roleArn"),
        "RoleSessionName": session or _SESSION,
        "DurationSeconds": block.get("sessionExpiration") or 3600,
        "Policy": block.get("policy"),
        "ExternalId": block.get("externalId"),
    }
    return {name: str(value) for name, value in values.items() if value}


def _keys(body: dict[str, Any]) -> Fetched:
    keys = body.get("Credentials") or {}
    found = (
        keys.get("AccessKeyId", ""),
        keys.get("AccessKeySecret", ""),
        keys.get("SecurityToken", ""),
        expiry(keys.get("Expiration")),
    )
    redact.add(found[1], found[2])
    return found


def _refused(field: str, value: str, reason: str) -> ModelError:
    return ModelError(
        f"{field}: {value!r} gave no keys ({redact(reason)}); expected temporary keys of that role. No request can be signed. "
        "Check the role's ARN and that its trust policy names this caller."
    )


def _host(region: str) -> str:
    return f"sts.{region}.aliyuncs.com"


def _trust() -> str | None:
    """The CA bundle: requests honours these variables, the copy inside aliyunsdkcore does
    not.
    """
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
