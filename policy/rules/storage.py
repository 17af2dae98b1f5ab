"""The model's bucket and volume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from policy.resources import Deployment, Resource, dig, is_known, listed
from policy.rule import Finding, Rule

BUCKET = "alicloud:oss/bucket:Bucket"
ACL, BLOCK = (
    "alicloud:oss/bucketAcl:BucketAcl",
    "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock",
)
POLICY, ENCRYPTION = (
    "alicloud:oss/bucketPolicy:BucketPolicy",
    "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption",
)
VOLUME = "kubernetes:core/v1:PersistentVolume"
STATEFUL = (
    BUCKET,
    "alicloud:cs/managedKubernetes:ManagedKubernetes",
    "alicloud:kms/key:Key",
    "alicloud:log/project:Project",
    "alicloud:log/store:Store",
)
"""Kinds whose content can't be made again."""
PROTECTED_STACKS = ("prod",)


def not_public(resource: Resource, stack: str) -> Iterator[str]:
    """ACLs, the access block and policies that let everybody in."""
    if (
        resource.kind in (BUCKET, ACL)
        and is_known(resource.at("acl"))
        and resource.at("acl") != "private"
    ):
        yield f"acl is {resource.at('acl')}: everyone on the Internet can read the model; set it to private"
    if resource.kind == BLOCK and resource.at("blockPublicAccess") is False:
        yield "blockPublicAccess is false: one wrong policy makes the bucket public; set it to true"
    if resource.kind in (POLICY, BUCKET) and any(
        map(_lets_everyone_in, statements(resource.at("policy")))
    ):
        yield 'a statement allows Principal "*" without a condition: name who may, or make it a Deny'


def _lets_everyone_in(statement: dict[str, Any]) -> bool:
    return (
        statement.get("Effect") == "Allow"
        and "*" in listed(statement.get("Principal"))
        and not statement.get("Condition")
    )


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy document; none of one that isn't known or isn't JSON."""
    try:
        document = json.loads(policy) if isinstance(policy, str) and is_known(policy) else policy
    except ValueError:
        return []
    return [one for one in listed(dig(document, "Statement")) if isinstance(one, dict)]


def guarded(deployment: Deployment) -> Iterator[Finding]:
    """Buckets without one of the four guards. A guard of a bucket that isn't known yet counts for
    any.
    """
    for bucket in deployment.of(BUCKET):
        name = bucket.at("bucket")

        def has(kind: str, good: Any, name: Any = name) -> bool:
            guards = (
                one
                for one in deployment.of(kind)
                if not is_known(name) or not is_known(one.at("bucket")) or one.at("bucket") == name
            )
            return any(good(one) for one in guards)

        missing = {
            "a BucketAcl that says private": has(ACL, lambda one: one.at("acl") == "private"),
            "a BucketPublicAccessBlock that is on": has(
                BLOCK, lambda one: one.at("blockPublicAccess") is True
            ),
            "a BucketServerSideEncryption": has(
                ENCRYPTION, lambda one: is_known(one.at("sseAlgorithm"))
            ),
            "a BucketPolicy that denies plain HTTP": has(
                POLICY,
                lambda one: (
                    any(map(_denies_plain_http, statements(one.at("policy"))))
                    or not is_known(one.at("policy"))
                ),
            ),
        }
        yield from (
            (bucket, f"the bucket has no guard: {what}; declare one for it")
            for what, there in missing.items()
            if not there
        )


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    return statement.get("Effect") == "Deny" and listed(
        dig(statement, "Condition", "Bool", "acs:SecureTransport")
    ) == ["false"]


def protected(resource: Resource, stack: str) -> Iterator[str]:
    """Stateful resources of a protected stack that a deployment could delete."""
    if stack in PROTECTED_STACKS and resource.kind in STATEFUL and not resource.protect:
        yield "not protected: a rename or a wrong setting deletes what can't be made again; set protect for it"


def not_forced(resource: Resource, stack: str) -> Iterator[str]:
    """Buckets of a protected stack that are emptied on the way out."""
    if (
        stack in PROTECTED_STACKS
        and resource.kind == BUCKET
        and resource.at("forceDestroy") is True
    ):
        yield "forceDestroy is on: a destroy deletes every object and old version; turn it off, and empty the bucket by hand"


def volume_is_safe(resource: Resource, stack: str) -> Iterator[str]:
    """Volumes whose deletion would reach the model, or that could write to it."""
    if resource.kind != VOLUME or not isinstance(resource.at("spec", "csi"), dict):
        return
    if resource.at("spec", "persistentVolumeReclaimPolicy") != "Retain":
        yield "persistentVolumeReclaimPolicy is not Retain: deleting the claim may delete what lies behind it"
    if resource.at("spec", "csi", "readOnly") is not True:
        yield "csi.readOnly is not true: a pod could change the model that others serve"
    if resource.at("spec", "csi", "volumeHandle") != resource.at("metadata", "name"):
        yield "volumeHandle differs from the volume's name: the OSS driver mounts by handle, and two volumes would share a mount"


RULES = (
    Rule(
        "bucket-is-private",
        "No ACL, access block or policy opens a bucket to everybody.",
        each=not_public,
    ),
    Rule(
        "bucket-is-guarded",
        "Every bucket has a private ACL, the public access block, encryption and a refusal of plain HTTP.",
        whole=guarded,
    ),
    Rule("stateful-is-protected", "What can't be made again is protected in prod.", each=protected),
    Rule("bucket-is-not-emptied", "No deployment empties a bucket of prod.", each=not_forced),
    Rule(
        "volume-is-safe",
        "A model's volume is read-only, retained, and has a handle of its own.",
        each=volume_is_safe,
    ),
)
