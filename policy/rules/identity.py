"""Keys, roles and secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from policy.documents import (
    Statement,
    UnreadableDocumentError,
    allows,
    binds,
    names_everybody,
    root_principals,
    statements,
    wide_actions,
    wide_resources,
)
from policy.resources import UNKNOWN, Resource, is_known, listed, texts
from policy.rule import Rule
from policy.stacks import Stack

KEY_ID = re.compile(r"\b(LTAI[A-Za-z0-9]{12,28}|STS\.[A-Za-z0-9]{12,}|AKIA[A-Z0-9]{16})\b")
KEY_NAME = re.compile(
    r"(ak_?id|ak_?secret|access_?key(_?(id|secret))?|secret_?access_?key|security_?token)$",
    re.IGNORECASE,
)
ENV_SECRET = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|ACCESS_KEY(_ID)?)$", re.IGNORECASE
)
SECRET = "kubernetes:core/v1:Secret"
ROLE, RAM_POLICY = "alicloud:ram/role:Role", "alicloud:ram/policy:Policy"
BUCKET_POLICIES = ("alicloud:oss/bucketPolicy:BucketPolicy", "alicloud:oss/bucket:Bucket")
ATTACHMENTS = (
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment",
    "alicloud:ram/userPolicyAttachment:UserPolicyAttachment",
    "alicloud:ram/groupPolicyAttachment:GroupPolicyAttachment",
)
ACCESS_KEY = "alicloud:ram/accessKey:AccessKey"


def no_access_key(resource: Resource, stack: Stack) -> Iterator[str]:
    """Keys by their looks or by the name of the field, in whatever the cluster or the cloud is
    given.
    """
    if resource.kind.startswith("pulumi:providers:"):
        return  # how the engine itself is let in; stays in the state, encrypted
    if resource.kind == ACCESS_KEY:
        yield "an access key that never ends would be made, and stand in the state: give the workload a role (RRSA)"
    for path, key, text in texts(resource.inputs):
        if KEY_ID.search(text) or KEY_ID.search(_decoded(text)):
            yield f"{_place(path)} looks like an access key: it would lie in the cluster for everyone to use; give the pods a role (RRSA)"
        elif KEY_NAME.search(key) and text and text != UNKNOWN:
            yield f"{_place(path)} is for an access key: give the pods a role (RRSA) instead"


def _place(path: str) -> str:
    return KEY_ID.sub("…", path)


def _decoded(text: str) -> str:
    """What a value of a Secret stands for; nothing where it isn't base64."""
    try:
        return base64.b64decode(text, validate=True).decode() if len(text) >= 16 else ""
    except (binascii.Error, ValueError, UnicodeDecodeError):
        return ""


def no_secret_in_env(resource: Resource, stack: Stack) -> Iterator[str]:
    """Containers that get a secret as a literal value."""
    for path, key, text in texts(resource.inputs):
        if (
            key == "name"
            and ".env[" in path
            and ENV_SECRET.search(text)
            and _has_value(resource, path)
        ):
            yield f"{path.removesuffix('.name')} gives {text} as a literal: anyone who may read the Deployment reads it; use secretKeyRef"


def _has_value(resource: Resource, path: str) -> bool:
    steps = [
        int(part[1:-1]) if part.startswith("[") else part
        for part in re.findall(r"\[\d+\]|[^.\[\]]+", path)
    ]
    return is_known(resource.at(*steps[:-1], "value"))


def least_privilege(resource: Resource, stack: Stack) -> Iterator[str]:
    """Policies that allow more than is named, roles that more than one workload may take."""
    try:
        if resource.kind in (RAM_POLICY, *BUCKET_POLICIES):
            for statement in filter(allows, _policy_statements(resource)):
                yield from wide_actions(statement)
                if resource.kind == RAM_POLICY:
                    yield from wide_resources(statement)
        if resource.kind == ROLE:
            for key in ("assumeRolePolicyDocument", "document"):
                for statement in filter(allows, statements(resource.at(key))):
                    yield from _open_trust(statement)
    except UnreadableDocumentError as error:
        yield f"{error}: nobody can tell what it allows; write it as one JSON document"
    if resource.kind in ATTACHMENTS and resource.at("policyType") == "System":
        name = str(resource.at("policyName"))
        if name.endswith("FullAccess") or name in ("AdministratorAccess", "PowerUserAccess"):
            yield f"the system policy {name} allows every action of a service or account: attach a policy that names what is needed"


def _policy_statements(resource: Resource) -> list[Statement]:
    """The statements of a policy in each form that the provider takes."""
    documents = [resource.at(key) for key in ("policyDocument", "document", "policy")]
    older = [
        {
            "effect": one.get("effect"),
            "action": one.get("actions"),
            "resource": one.get("resources"),
        }
        for one in listed(resource.at("statements"))
        if isinstance(one, Mapping)
    ]
    return [*(part for one in documents for part in statements(one)), *older]


def _open_trust(statement: Statement) -> Iterator[str]:
    if names_everybody(statement):
        yield 'anyone may take the role: name the OIDC provider instead of "*"'
    if root_principals(statement):
        yield "every identity of an account may take the role (its root is the principal): name the role or user that may"
    principal = statement.get("principal")
    federated = isinstance(principal, Mapping) and any(
        str(kind).lower() == "federated" and who for kind, who in principal.items()
    )
    if federated and not binds(statement, "oidc:sub"):
        yield (
            "any service account of the cluster may take the role: add a condition that holds oidc:sub to one by StringEquals; "
            "StringLike with a wildcard, StringNotEquals and the like let others in"
        )
    if federated and not binds(statement, "oidc:aud"):
        yield "a token made for another service takes the role: add a condition that holds oidc:aud by StringEquals"


RULES = (
    Rule(
        "no-access-key",
        "No access key is in anything the cluster or the cloud is given.",
        each=no_access_key,
    ),
    Rule(
        "no-secret-in-env", "No container gets a secret as a literal value.", each=no_secret_in_env
    ),
    Rule(
        "least-privilege",
        "A policy names actions and resources, a role who may take it; none of them by a pattern or an exception.",
        each=least_privilege,
    ),
)
