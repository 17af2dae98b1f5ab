"""Who calls: the identity behind an access key (the lab's own, a RAM user's or a temporary one),
and what bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.alicloud.auth.credentials import ensure_credentials
from lab.alicloud.auth.grants import policies_of
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.state import Region


@dataclass
class Identity:
    """Who calls. `policies` are the documents that bound what they may do; None means
    everything.
    """

    kind: str  # RAMUser | AssumedRoleUser
    arn: str
    principal_id: str
    access_key: str
    secret: str = ""
    token: str = ""
    name: str = ""
    policies: list[dict[str, Any]] | None = None
    session_policy: dict[str, Any] | None = None
    extra: dict[str, str] = field(default_factory=dict)


def find_identity(region: Region, access_key: str) -> Identity | None:
    """Whose key this is, with the secret; None for an unknown or disabled one."""
    own = ensure_credentials(region.home)
    if access_key == own["access_key"]:
        return Identity(
            "RAMUser",
            f"acs:ram::{region.account}:user/lab",
            "280000000001",
            access_key,
            own["secret_key"],
            name="lab",
        )
    session = region.store.get("sts", access_key)
    if session:
        return _session_identity(region, session)
    key = region.store.get("ram_access_key", access_key)
    if key and key["Status"] == "Active":
        user = key["UserName"]
        document = region.store.get("ram_user", user) or {}
        arn = f"acs:ram::{region.account}:user/{user}"
        return Identity(
            "RAMUser",
            arn,
            document.get("UserId", "0"),
            access_key,
            key["secret"],
            name=user,
            policies=policies_of(region, "user", user),
        )
    return None


def _session_identity(region: Region, session: dict[str, Any]) -> Identity:
    role = session["role"]
    return Identity(
        "AssumedRoleUser",
        session["arn"],
        session["principal_id"],
        session["access_key"],
        session["secret"],
        session["token"],
        session["session_name"],
        policies_of(region, "role", role) if region.store.get("ram_role", role) else [],
        session.get("policy"),
        {"role": role},
    )


def check_session(region: Region, identity: Identity, token: str) -> None:
    """A temporary key needs its token, and both live only so long."""
    if not identity.token:
        return
    if token != identity.token:
        raise ApiError(
            403,
            "InvalidSecurityToken.Malformed" if token else "MissingSecurityToken",
            "The security token does not belong to the access key.",
        )
    session = region.store.get("sts", identity.access_key)
    if session is None or session["expires"] < region.clock.now():
        raise ApiError(403, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


def security_token(request: Request) -> str:
    """The token a request brings, in any of the places clients put it."""
    for name in ("x-acs-security-token", "x-oss-security-token"):
        if name in request.headers:
            return request.headers[name]
    for name in ("SecurityToken", "security-token", "x-oss-security-token"):
        if name in request.params:
            return request.params[name]
    return ""
