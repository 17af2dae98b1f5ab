"""Policies attached to a user or a role, system policies included."""

from __future__ import annotations

import json
from typing import Any

from lab.alicloud.auth.policy import PolicyDocument
from lab.alicloud.state import Region


def _allow(*actions: str) -> PolicyDocument:
    return {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }


SYSTEM_POLICIES: dict[str, dict[str, Any]] = {
    "AdministratorAccess": _allow("*"),
    "ReadOnlyAccess": _allow("*:Describe*", "*:List*", "*:Get*", "*:Query*", "*:Check*"),
    "AliyunOSSFullAccess": _allow("oss:*"),
    "AliyunOSSReadOnlyAccess": _allow("oss:Get*", "oss:List*"),
    "AliyunCSFullAccess": _allow("cs:*"),
    "AliyunCSReadOnlyAccess": _allow("cs:Get*", "cs:List*", "cs:Describe*"),
    "AliyunLogFullAccess": _allow("log:*"),
    "AliyunLogReadOnlyAccess": _allow("log:Get*", "log:List*"),
    "AliyunECSFullAccess": _allow("ecs:*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"),
    "AliyunECSReadOnlyAccess": _allow("ecs:Describe*", "ecs:List*"),
    "AliyunESSFullAccess": _allow("ess:*"),
    "AliyunVPCFullAccess": _allow("vpc:*"),
    "AliyunVPCReadOnlyAccess": _allow("vpc:Describe*", "vpc:List*"),
    "AliyunRAMFullAccess": _allow("ram:*", "ims:*"),
    "AliyunRAMReadOnlyAccess": _allow("ram:Get*", "ram:List*", "ims:Get*", "ims:List*"),
    "AliyunSTSAssumeRoleAccess": _allow("sts:AssumeRole"),
}


def policies_of(region: Region, principal: str, name: str) -> list[PolicyDocument]:
    """The documents of all policies attached to a `user` or `role`."""
    found = []
    for attachment in region.store.all("ram_attachment", principal=principal, name=name):
        document = policy_document(region, attachment["PolicyType"], attachment["PolicyName"])
        if document is not None:
            found.append(document)
    return found


def policy_document(region: Region, policy_type: str, name: str) -> PolicyDocument | None:
    """The default version's document of a policy, None when there is no such policy."""
    if policy_type == "System":
        return SYSTEM_POLICIES.get(name)
    policy = region.store.get("ram_policy", name)
    if policy is None:
        return None
    version = next(v for v in policy["versions"] if v["VersionId"] == policy["DefaultVersion"])
    return json.loads(version["PolicyDocument"])
