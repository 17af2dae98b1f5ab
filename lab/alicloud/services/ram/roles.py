"""RAM: roles and what is attached to them."""

from __future__ import annotations

import json
import re
import secrets

from lab.alicloud.auth import policy
from lab.alicloud.auth.grants import SYSTEM_POLICIES
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.ram.tags import drop_tags, set_tags
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_ROLE = "role/{RoleName}"


def checked_document(text: str, *, trust: bool) -> str:
    """The text, if it is a policy document with statements and known conditions."""
    try:
        document = json.loads(text)
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        whole = all(
            s.get("Effect") in ("Allow", "Deny") and ("Action" in s or "NotAction" in s)
            for s in statements
        )
        whole = (
            whole
            and bool(statements)
            and all(bool(s.get("Principal")) == trust for s in statements)
        )
        whole = whole and (trust or all("Resource" in s or "NotResource" in s for s in statements))
    except (ValueError, KeyError, AttributeError, TypeError):
        whole, document = False, {}
    if not whole or document.get("Version", "1") != "1":
        field = "AssumeRolePolicyDocument" if trust else "PolicyDocument"
        raise ApiError(
            400,
            "MalformedPolicyDocument",
            f"The {field} is malformed: expected Version 1 and statements with Effect, Action and "
            + ("Principal." if trust else "Resource."),
        )
    wrong = policy.unknown_operators(document)
    if wrong:
        raise ApiError(
            400,
            "MalformedPolicyDocument",
            f"The policy document has unknown condition operators: {', '.join(wrong)}.",
        )
    return text


def role_of(region: Region, name: str) -> Document:
    """A role, or the service's error."""
    role = region.store.get("ram_role", name)
    if role is None:
        raise ApiError(404, "EntityNotExist.Role", "The role not exists.")
    return role


def make_role(
    region: Region, name: str, document: str, description: str = "", duration: int = 3600
) -> Document:
    """Create a role with a trust policy; `duration` is the longest session in seconds."""
    role = {
        "RoleId": str(300000000000000 + secrets.randbelow(10**14)),
        "RoleName": name,
        "Arn": f"acs:ram::{region.account}:role/{name.lower()}",
        "CreateDate": iso(region.clock.now()),
        "Description": description,
        "AssumeRolePolicyDocument": document,
        "MaxSessionDuration": duration,
    }
    region.store.put("ram_role", name, role)
    return role


@rpc("ram", "CreateRole", resource=_ROLE)
def create(region: Region, request: Request) -> Answer:
    """A new role with a trust policy."""
    name = request.need("RoleName")
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", name):
        raise ApiError(
            400,
            "InvalidParameter.RoleName.InvalidChars",
            "The parameter RoleName contains invalid characters.",
        )
    if region.store.get("ram_role", name):
        raise ApiError(409, "EntityAlreadyExists.Role", "The role already exists.")
    document = checked_document(request.need("AssumeRolePolicyDocument"), trust=True)
    role = make_role(
        region,
        name,
        document,
        request.params.get("Description", ""),
        _duration(request.params.get("MaxSessionDuration") or "3600"),
    )
    set_tags(region, "role", name, request.params)
    return {"Role": role}


def _duration(text: str) -> int:
    if not text.isdigit() or not 3600 <= int(text) <= 43200:
        raise ApiError(
            400,
            "InvalidParameter.MaxSessionDuration",
            "The parameter MaxSessionDuration must be 3600 to 43200 seconds.",
        )
    return int(text)


@rpc("ram", "GetRole", resource=_ROLE)
def get(region: Region, request: Request) -> Answer:
    """One role, by name."""
    return {"Role": role_of(region, request.need("RoleName"))}


@rpc("ram", "ListRoles", resource="role/*")
def list_roles(region: Region, request: Request) -> Answer:
    """All roles, in one page."""
    fields = ("RoleId", "RoleName", "Arn", "CreateDate", "Description", "MaxSessionDuration")
    return {
        "IsTruncated": False,
        "Roles": {"Role": [{f: r[f] for f in fields} for r in region.store.all("ram_role")]},
    }


@rpc("ram", "UpdateRole", resource=_ROLE)
def update(region: Region, request: Request) -> Answer:
    """New description, trust policy or session length; what isn't given stays."""
    role = role_of(region, request.need("RoleName"))
    values = request.params
    if "NewDescription" in values:
        role["Description"] = values["NewDescription"]
    if "NewAssumeRolePolicyDocument" in values:
        role["AssumeRolePolicyDocument"] = checked_document(
            values["NewAssumeRolePolicyDocument"], trust=True
        )
    if values.get("NewMaxSessionDuration"):
        role["MaxSessionDuration"] = _duration(values["NewMaxSessionDuration"])
    region.store.put("ram_role", role["RoleName"], role)
    return {"Role": role}


@rpc("ram", "DeleteRole", resource=_ROLE)
def delete(region: Region, request: Request) -> Answer:
    """Remove a role that has no policy any more."""
    role = role_of(region, request.need("RoleName"))
    name = role["RoleName"]
    if region.store.all("ram_attachment", principal="role", name=name):
        raise ApiError(
            409,
            "DeleteConflict.Role.Policy",
            "The role cannot be deleted: policies are attached to it.",
        )
    region.store.delete("ram_role", name)
    drop_tags(region, "role", name)
    for session in region.store.all("sts", role=name):
        region.store.delete("sts", session["access_key"])
    return {}


def attach(region: Region, principal: str, name: str, policy_type: str, policy_name: str) -> None:
    """Attach a policy to a role or user."""
    _need_policy(region, policy_type, policy_name)
    key = f"{principal}:{name}:{policy_type}:{policy_name}"
    if region.store.get("ram_attachment", key):
        raise ApiError(
            409,
            f"EntityAlreadyExists.{principal.title()}.Policy",
            f"The policy already exists in the specific {principal}.",
        )
    date = iso(region.clock.now())
    entry = {
        "principal": principal,
        "name": name,
        "PolicyType": policy_type,
        "PolicyName": policy_name,
        "AttachDate": date,
    }
    region.store.put("ram_attachment", key, entry)


def detach(region: Region, principal: str, name: str, policy_type: str, policy_name: str) -> None:
    """Take a policy from a role or user."""
    if not region.store.delete("ram_attachment", f"{principal}:{name}:{policy_type}:{policy_name}"):
        raise ApiError(
            404,
            f"EntityNotExist.{principal.title()}.Policy",
            f"The policy does not exist in the specific {principal}.",
        )


def attached(region: Region, principal: str, name: str) -> list[Answer]:
    """What is attached, as the lists show it."""
    rows = []
    for entry in region.store.all("ram_attachment", principal=principal, name=name):
        own = (
            region.store.get("ram_policy", entry["PolicyName"])
            if entry["PolicyType"] == "Custom"
            else None
        )
        version = own["DefaultVersion"] if own else "v1"
        row = {
            "PolicyName": entry["PolicyName"],
            "PolicyType": entry["PolicyType"],
            "Description": own["Description"] if own else "",
        }
        rows.append({**row, "DefaultVersion": version, "AttachDate": entry["AttachDate"]})
    return rows


def _need_policy(region: Region, policy_type: str, name: str) -> None:
    known = (
        name in SYSTEM_POLICIES
        if policy_type == "System"
        else region.store.get("ram_policy", name) is not None
    )
    if not known:
        raise ApiError(
            404, "EntityNotExist.Policy", f"The policy does not exist: {policy_type} {name}."
        )


@rpc("ram", "AttachPolicyToRole", resource=_ROLE)
def attach_to_role(region: Region, request: Request) -> Answer:
    """Attach a policy to a role."""
    role = role_of(region, request.need("RoleName"))
    attach(region, "role", role["RoleName"], request.need("PolicyType"), request.need("PolicyName"))
    return {}


@rpc("ram", "DetachPolicyFromRole", resource=_ROLE)
def detach_from_role(region: Region, request: Request) -> Answer:
    """Detach a policy from a role."""
    role = role_of(region, request.need("RoleName"))
    detach(region, "role", role["RoleName"], request.need("PolicyType"), request.need("PolicyName"))
    return {}


@rpc("ram", "ListPoliciesForRole", resource=_ROLE)
def list_for_role(region: Region, request: Request) -> Answer:
    """What is attached to a role."""
    role = role_of(region, request.need("RoleName"))
    return {"Policies": {"Policy": attached(region, "role", role["RoleName"])}}
