"""Access keys: the lab's own, those of RAM users, and temporary ones issued by STS."""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.alicloud.places import HOME
from lab.alicloud.protocol import ApiError, Request

if TYPE_CHECKING:
    from lab.alicloud.state import Region

ACCOUNT = "1234567890123456"
_LETTERS = string.ascii_letters + string.digits


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


def random_text(length: int, letters: str = _LETTERS) -> str:
    """Unguessable text."""
    return "".join(secrets.choice(letters) for _ in range(length))


def ensure_credentials(home: Path) -> dict[str, str]:
    """The lab's own key from ``credentials.json``; made (random, mode 0600) if missing."""
    path = home / "credentials.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        own = {
            "access_key": "LTAI5t" + random_text(18),
            "secret_key": random_text(30),
            "account_id": ACCOUNT,
            "region": HOME,
        }
        temporary = path.with_suffix(f".{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(own, stream)
        try:
            os.link(temporary, path)  # whoever is first wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return json.loads(path.read_text())


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
        from lab.alicloud.auth.grants import policies_of

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
    from lab.alicloud.auth.grants import policies_of

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
