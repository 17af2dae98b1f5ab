"""RAM: users and their access keys."""

from __future__ import annotations

import secrets

from lab.alicloud.auth.credentials import random_text
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.ram.roles import attach, attached, detach
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_USER = "user/{UserName}"
_FIELDS = {
    "DisplayName": "NewDisplayName",
    "Email": "NewEmail",
    "MobilePhone": "NewMobilePhone",
    "Comments": "NewComments",
}


def _user(region: Region, request: Request) -> Document:
    user = region.store.get("ram_user", request.need("UserName"))
    if user is None:
        raise ApiError(404, "EntityNotExist.User", "The user does not exist.")
    return user


@rpc("ram", "CreateUser", resource=_USER)
def create(region: Region, request: Request) -> Answer:
    """A new user without keys."""
    name = request.need("UserName")
    if region.store.get("ram_user", name) or name == "lab":
        raise ApiError(409, "EntityAlreadyExists.User", "The user already exists.")
    now = iso(region.clock.now())
    user = {
        "UserId": str(200000000000000 + secrets.randbelow(10**14)),
        "UserName": name,
        "CreateDate": now,
        "UpdateDate": now,
    }
    user.update({field: request.params.get(field, "") for field in _FIELDS})
    region.store.put("ram_user", name, user)
    return {"User": {k: v for k, v in user.items() if k != "UpdateDate"}}


@rpc("ram", "GetUser", resource=_USER)
def get(region: Region, request: Request) -> Answer:
    """One user, by name."""
    return {"User": _user(region, request)}


@rpc("ram", "ListUsers", resource="user/*")
def list_users(region: Region, request: Request) -> Answer:
    """All users, in one page."""
    return {"IsTruncated": False, "Users": {"User": region.store.all("ram_user")}}


@rpc("ram", "UpdateUser", resource=_USER)
def update(region: Region, request: Request) -> Answer:
    """New texts or a new name; keys and policies stay with the user."""
    user = _user(region, request)
    old = user["UserName"]
    for field, parameter in _FIELDS.items():
        if parameter in request.params:
            user[field] = request.params[parameter]
    new = request.params.get("NewUserName") or old
    if new != old:
        if region.store.get("ram_user", new):
            raise ApiError(409, "EntityAlreadyExists.User", "The user already exists.")
        for key in region.store.all("ram_access_key", UserName=old):
            region.store.put("ram_access_key", key["AccessKeyId"], {**key, "UserName": new})
        for entry in region.store.all("ram_attachment", principal="user", name=old):
            detach(region, "user", old, entry["PolicyType"], entry["PolicyName"])
            attach(region, "user", new, entry["PolicyType"], entry["PolicyName"])
        region.store.delete("ram_user", old)
        user["UserName"] = new
    region.store.put("ram_user", new, user)
    return {"User": user}


@rpc("ram", "DeleteUser", resource=_USER)
def delete(region: Region, request: Request) -> Answer:
    """Remove a user who has neither keys nor policies."""
    name = _user(region, request)["UserName"]
    if region.store.all("ram_access_key", UserName=name):
        raise ApiError(
            409,
            "DeleteConflict.User.AccessKey",
            "The user cannot be deleted while it has access keys.",
        )
    if region.store.all("ram_attachment", principal="user", name=name):
        raise ApiError(
            409, "DeleteConflict.User.Policy", "The user cannot be deleted while it has policies."
        )
    region.store.delete("ram_user", name)
    return {}


def _shown(key: Document) -> Answer:
    return {name: key[name] for name in ("AccessKeyId", "Status", "CreateDate")}


@rpc("ram", "CreateAccessKey", resource=_USER)
def create_key(region: Region, request: Request) -> Answer:
    """A new key; its secret is shown this once. At most two per user."""
    name = _user(region, request)["UserName"]
    if len(region.store.all("ram_access_key", UserName=name)) >= 2:
        raise ApiError(
            409,
            "LimitExceeded.User.AccessKey",
            "The count of access keys of the user exceeds the limit 2.",
        )
    key = {
        "AccessKeyId": "LTAI5t" + random_text(18),
        "secret": random_text(30),
        "Status": "Active",
        "CreateDate": iso(region.clock.now()),
        "UserName": name,
    }
    region.store.put("ram_access_key", key["AccessKeyId"], key)
    return {"AccessKey": {**_shown(key), "AccessKeySecret": key["secret"]}}


@rpc("ram", "ListAccessKeys", resource=_USER)
def list_keys(region: Region, request: Request) -> Answer:
    """A user's keys without secrets."""
    rows = [
        _shown(k)
        for k in region.store.all("ram_access_key", UserName=_user(region, request)["UserName"])
    ]
    return {"AccessKeys": {"AccessKey": rows}}


def _key(region: Region, request: Request) -> Document:
    key = region.store.get("ram_access_key", request.need("UserAccessKeyId"))
    if key is None:
        raise ApiError(404, "EntityNotExist.User.AccessKey", "The access key does not exist.")
    return key


@rpc("ram", "UpdateAccessKey", resource=_USER)
def update_key(region: Region, request: Request) -> Answer:
    """Switch a key on or off."""
    key = _key(region, request)
    status = request.need("Status")
    if status not in ("Active", "Inactive"):
        raise ApiError(
            400, "InvalidParameter.Status", "The parameter Status must be Active or Inactive."
        )
    region.store.put("ram_access_key", key["AccessKeyId"], {**key, "Status": status})
    return {}


@rpc("ram", "DeleteAccessKey", resource=_USER)
def delete_key(region: Region, request: Request) -> Answer:
    """Delete an access key of a user."""
    region.store.delete("ram_access_key", _key(region, request)["AccessKeyId"])
    return {}


@rpc("ram", "AttachPolicyToUser", resource=_USER)
def attach_to_user(region: Region, request: Request) -> Answer:
    """Attach a policy to a user."""
    attach(
        region,
        "user",
        _user(region, request)["UserName"],
        request.need("PolicyType"),
        request.need("PolicyName"),
    )
    return {}


@rpc("ram", "DetachPolicyFromUser", resource=_USER)
def detach_from_user(region: Region, request: Request) -> Answer:
    """Detach a policy from a user."""
    detach(
        region,
        "user",
        _user(region, request)["UserName"],
        request.need("PolicyType"),
        request.need("PolicyName"),
    )
    return {}


@rpc("ram", "ListPoliciesForUser", resource=_USER)
def list_for_user(region: Region, request: Request) -> Answer:
    """What is attached to a user."""
    return {"Policies": {"Policy": attached(region, "user", _user(region, request)["UserName"])}}
