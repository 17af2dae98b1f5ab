"""RAM: policies and their versions."""

from __future__ import annotations

import json
import re

from lab.alicloud.auth.grants import SYSTEM_POLICIES
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.services.ram.roles import checked_document
from lab.alicloud.services.ram.tags import drop_tags, set_tags
from lab.alicloud.state import Region
from lab.alicloud.store import Document

MAX_VERSIONS = 5
_POLICY = "policy/{PolicyName}"


def _policy(region: Region, request: Request) -> Document:
    policy = region.store.get("ram_policy", request.need("PolicyName"))
    if policy is None:
        raise ApiError(404, "EntityNotExist.Policy", "The policy does not exist.")
    return policy


def _summary(region: Region, policy: Document) -> Answer:
    count = len(
        region.store.all("ram_attachment", PolicyName=policy["PolicyName"], PolicyType="Custom")
    )
    return {
        **{k: v for k, v in policy.items() if k not in ("versions", "next")},
        "AttachmentCount": count,
    }


def _version(policy: Document, version: Document) -> Answer:
    default = version["VersionId"] == policy["DefaultVersion"]
    return {
        "VersionId": version["VersionId"],
        "IsDefaultVersion": default,
        "CreateDate": version["CreateDate"],
        "PolicyDocument": version["PolicyDocument"],
    }


@rpc("ram", "CreatePolicy", resource=_POLICY)
def create(region: Region, request: Request) -> Answer:
    """Create a custom policy with its first version."""
    name = request.need("PolicyName")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,128}", name):
        raise ApiError(
            400,
            "InvalidParameter.PolicyName.InvalidChars",
            "The parameter PolicyName contains invalid characters.",
        )
    if region.store.get("ram_policy", name) or name in SYSTEM_POLICIES:
        raise ApiError(409, "EntityAlreadyExists.Policy", "The policy already exists.")
    document = checked_document(request.need("PolicyDocument"), trust=False)
    now = iso(region.clock.now())
    policy = {
        "PolicyName": name,
        "PolicyType": "Custom",
        "Description": request.params.get("Description", ""),
        "DefaultVersion": "v1",
        "CreateDate": now,
        "UpdateDate": now,
        "versions": [{"VersionId": "v1", "CreateDate": now, "PolicyDocument": document}],
        "next": 2,
    }
    region.store.put("ram_policy", name, policy)
    set_tags(region, "policy", name, request.params)
    return {
        "Policy": {k: v for k, v in policy.items() if k not in ("versions", "next", "UpdateDate")}
    }


@rpc("ram", "GetPolicy", resource=_POLICY)
def get(region: Region, request: Request) -> Answer:
    """A policy and its default version."""
    if request.params.get("PolicyType") == "System":
        return _system(request.need("PolicyName"))
    policy = _policy(region, request)
    default = next(v for v in policy["versions"] if v["VersionId"] == policy["DefaultVersion"])
    return {"Policy": _summary(region, policy), "DefaultPolicyVersion": _version(policy, default)}


def _system(name: str) -> Answer:
    if name not in SYSTEM_POLICIES:
        raise ApiError(404, "EntityNotExist.Policy", "The policy does not exist.")
    date = "2015-04-28T09:19:22Z"
    version = {
        "VersionId": "v1",
        "IsDefaultVersion": True,
        "CreateDate": date,
        "PolicyDocument": json.dumps(SYSTEM_POLICIES[name]),
    }
    summary = {
        "PolicyName": name,
        "PolicyType": "System",
        "Description": "",
        "DefaultVersion": "v1",
        "CreateDate": date,
        "UpdateDate": date,
    }
    return {"Policy": {**summary, "AttachmentCount": 0}, "DefaultPolicyVersion": version}


@rpc("ram", "ListPolicies", resource="policy/*")
def list_policies(region: Region, request: Request) -> Answer:
    """All policies of one's own, in one page."""
    rows = (
        []
        if request.params.get("PolicyType") == "System"
        else [_summary(region, p) for p in region.store.all("ram_policy")]
    )
    if request.params.get("PolicyType", "System") == "System":
        rows += [_system(name)["Policy"] for name in SYSTEM_POLICIES]
    return {"IsTruncated": False, "Policies": {"Policy": rows}}


@rpc("ram", "CreatePolicyVersion", resource=_POLICY)
def create_version(region: Region, request: Request) -> Answer:
    """A further version, the default one if asked."""
    policy = _policy(region, request)
    document = checked_document(request.need("PolicyDocument"), trust=False)
    versions = policy["versions"]
    if len(versions) >= MAX_VERSIONS:
        oldest = next((v for v in versions if v["VersionId"] != policy["DefaultVersion"]), None)
        if (
            request.params.get("RotateStrategy") != "DeleteOldestNonDefaultVersionWhenLimitExceeded"
            or oldest is None
        ):
            raise ApiError(
                409,
                "LimitExceeded.Policy.Version",
                f"The count of versions of the policy exceeds the limit {MAX_VERSIONS}.",
            )
        versions.remove(oldest)
    now = iso(region.clock.now())
    version = {"VersionId": f"v{policy['next']}", "CreateDate": now, "PolicyDocument": document}
    versions.append(version)
    policy["next"] += 1
    policy["UpdateDate"] = now
    if request.params.get("SetAsDefault", "").lower() == "true":
        policy["DefaultVersion"] = version["VersionId"]
    region.store.put("ram_policy", policy["PolicyName"], policy)
    return {"PolicyVersion": _version(policy, version)}


@rpc("ram", "GetPolicyVersion", resource=_POLICY)
def get_version(region: Region, request: Request) -> Answer:
    """One version of a policy."""
    policy, wanted = _policy(region, request), request.need("VersionId")
    for version in policy["versions"]:
        if version["VersionId"] == wanted:
            return {"PolicyVersion": _version(policy, version)}
    raise ApiError(404, "EntityNotExist.Policy.Version", "The policy version does not exist.")


@rpc("ram", "ListPolicyVersions", resource=_POLICY)
def list_versions(region: Region, request: Request) -> Answer:
    """All versions of a policy."""
    policy = _policy(region, request)
    return {"PolicyVersions": {"PolicyVersion": [_version(policy, v) for v in policy["versions"]]}}


@rpc("ram", "SetDefaultPolicyVersion", resource=_POLICY)
def set_default(region: Region, request: Request) -> Answer:
    """Another version becomes the one that counts."""
    policy, wanted = _policy(region, request), request.need("VersionId")
    if wanted not in [v["VersionId"] for v in policy["versions"]]:
        raise ApiError(404, "EntityNotExist.Policy.Version", "The policy version does not exist.")
    policy["DefaultVersion"] = wanted
    region.store.put("ram_policy", policy["PolicyName"], policy)
    return {}


@rpc("ram", "UpdatePolicyDescription", resource=_POLICY)
def update_description(region: Region, request: Request) -> Answer:
    """Replace the description of a policy."""
    policy = _policy(region, request)
    policy["Description"] = request.params.get("NewDescription", "")
    region.store.put("ram_policy", policy["PolicyName"], policy)
    return {
        "Policy": {
            name: value
            for name, value in _summary(region, policy).items()
            if name != "AttachmentCount"
        }
    }


@rpc("ram", "DeletePolicyVersion", resource=_POLICY)
def delete_version(region: Region, request: Request) -> Answer:
    """Remove a version that isn't the default."""
    policy, wanted = _policy(region, request), request.need("VersionId")
    if wanted == policy["DefaultVersion"]:
        raise ApiError(
            409,
            "DeleteConflict.Policy.Version.Default",
            "The default policy version can not be deleted.",
        )
    policy["versions"] = [v for v in policy["versions"] if v["VersionId"] != wanted]
    region.store.put("ram_policy", policy["PolicyName"], policy)
    return {}


@rpc("ram", "DeletePolicy", resource=_POLICY)
def delete(region: Region, request: Request) -> Answer:
    """Remove a policy nobody has; with CascadingDelete its versions go with it."""
    policy = _policy(region, request)
    name = policy["PolicyName"]
    users = region.store.all("ram_attachment", PolicyName=name, PolicyType="Custom")
    if users:
        kind = users[0]["principal"].title()
        raise ApiError(
            409,
            f"DeleteConflict.Policy.{kind}",
            f"The policy can not be deleted while it is attached to a {kind.lower()}.",
        )
    if len(policy["versions"]) > 1 and request.params.get("CascadingDelete", "").lower() != "true":
        raise ApiError(
            409,
            "DeleteConflict.Policy.Version",
            "The policy can not be deleted while it has versions other than the default.",
        )
    region.store.delete("ram_policy", name)
    drop_tags(region, "policy", name)
    return {}


@rpc("ram", "ListEntitiesForPolicy", resource=_POLICY)
def list_entities(region: Region, request: Request) -> Answer:
    """Who has the policy."""
    held = region.store.all(
        "ram_attachment",
        PolicyName=request.need("PolicyName"),
        PolicyType=request.need("PolicyType"),
    )
    roles = [
        {"RoleName": a["name"], "AttachDate": a["AttachDate"]}
        for a in held
        if a["principal"] == "role"
    ]
    users = [
        {"UserName": a["name"], "AttachDate": a["AttachDate"]}
        for a in held
        if a["principal"] == "user"
    ]
    return {"Roles": {"Role": roles}, "Users": {"User": users}, "Groups": {"Group": []}}
