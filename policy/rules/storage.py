"""The model's bucket and volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.documents import (
    UnreadableDocumentError,
    allows,
    denies_plain_http,
    names_everybody,
    narrows,
    root_principals,
    statements,
)
from policy.resources import UNKNOWN, Deployment, Resource, is_known
from policy.rule import ADVISORY, Finding, Rule
from policy.stacks import Stack

BUCKET = "alicloud:oss/bucket:Bucket"
ACL, BLOCK = (
    "alicloud:oss/bucketAcl:BucketAcl",
    "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock",
)
POLICY, ENCRYPTION = (
    "alicloud:oss/bucketPolicy:BucketPolicy",
    "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption",
)
LOGGING = "alicloud:oss/bucketLogging:BucketLogging"
STATEFUL = (
    BUCKET,
    "alicloud:cs/managedKubernetes:ManagedKubernetes",
    "alicloud:kms/key:Key",
    "alicloud:log/project:Project",
    "alicloud:log/store:Store",
)
"""Kinds whose content can't be made again."""


def not_public(resource: Resource, stack: Stack) -> Iterator[str]:
    """ACLs, the access block and policies that let everybody in."""
    if (
        resource.kind in (BUCKET, ACL)
        and is_known(resource.at("acl"))
        and resource.at("acl") != "private"
    ):
        yield f"acl is {resource.at('acl')}: everyone on the Internet can read the model; set it to private"
    if resource.kind == BLOCK and resource.at("blockPublicAccess") is False:
        yield "blockPublicAccess is false: one wrong policy makes the bucket public; set it to true"
    if resource.kind not in (POLICY, BUCKET):
        return
    try:
        allowed = [one for one in statements(resource.at("policy")) if allows(one)]
    except UnreadableDocumentError as error:
        yield f"{error}: nobody can tell whom it lets in; write it as one JSON document"
        return
    if any(names_everybody(one) and not narrows(one) for one in allowed):
        yield (
            'a statement allows Principal "*" under no condition that names the callers (a VPC, a network, an identity): '
            "name who may, or make it a Deny"
        )
    if any(root_principals(one) for one in allowed):
        yield "a statement allows the root of an account, which is every identity in it: name the role"


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
                lambda one, name=name: (
                    any(denies_plain_http(part, name) for part in _readable(one.at("policy")))
                    or not is_known(one.at("policy"))
                ),
            ),
        }
        yield from (
            (bucket, f"the bucket has no guard: {what}; declare one for it")
            for what, there in missing.items()
            if not there
        )


def _readable(document: Any) -> list[dict[str, Any]]:
    """The statements of a document; none of one that bucket-is-private refuses to read."""
    try:
        return statements(document)
    except UnreadableDocumentError:
        return []


def logged(deployment: Deployment) -> Iterator[Finding]:
    """Buckets of a protected stack whose accesses nobody writes down, but for those that hold the
    logs. A log whose place isn't known yet counts for any.
    """
    logs = [
        *(bucket.at("logging", "targetBucket") for bucket in deployment.of(BUCKET)),
        *(one.at("targetBucket") for one in deployment.of(LOGGING)),
    ]
    sources = {one.at("bucket") for one in deployment.of(LOGGING)}
    for bucket in deployment.of(BUCKET) if deployment.stack.protected else ():
        name = bucket.at("bucket")
        has_log = bool(bucket.at("logging", "targetBucket")) or name in sources
        if not has_log and name not in logs and UNKNOWN not in (*logs, *sources):
            yield (
                bucket,
                "no access log: after a leak or a swapped model nobody can tell who it was; set modelStore.accessLogDays",
            )


def protected(resource: Resource, stack: Stack) -> Iterator[str]:
    """Stateful resources of a protected stack that a deployment could delete."""
    if stack.protected and resource.kind in STATEFUL and not resource.protect:
        yield (
            "not protected: a rename or a wrong setting deletes what can't be made again; set protect for it, or list the stack "
            "in policy/stacks.toml as one whose data does not count"
        )


def not_forced(resource: Resource, stack: Stack) -> Iterator[str]:
    """Buckets of a protected stack that are emptied on the way out."""
    if stack.protected and resource.kind == BUCKET and resource.at("forceDestroy") is True:
        yield "forceDestroy is on: a destroy deletes every object and old version; turn it off, and empty the bucket by hand"


def volume_is_safe(resource: Resource, stack: Stack) -> Iterator[str]:
    """Volumes whose deletion would reach the model, or that could write to it."""
    if resource.object_kind != "PersistentVolume" or not isinstance(
        resource.at("spec", "csi"), dict
    ):
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
    Rule(
        "bucket-is-logged",
        "OSS writes down who does what in every bucket of a protected stack.",
        level=ADVISORY,
        whole=logged,
    ),
    Rule(
        "stateful-is-protected",
        "What can't be made again is protected in a protected stack.",
        each=protected,
    ),
    Rule(
        "bucket-is-not-emptied",
        "No deployment empties a bucket of a protected stack.",
        each=not_forced,
    ),
    Rule(
        "volume-is-safe",
        "A model's volume is read-only, retained, and has a handle of its own.",
        each=volume_is_safe,
    ),
)
