"""Keys, roles and secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from policy.resources import UNKNOWN, Resource, is_known, listed, texts
from policy.rule import Rule
from policy.rules.storage import statements

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


def no_access_key(resource: Resource, stack: str) -> Iterator[str]:
    """Keys by their looks or by the name of the field, in whatever the cluster or the cloud is
    given.
    """
    if resource.kind.startswith("pulumi:providers:"):
        return  # how the engine itself is let in; stays in the state, encrypted
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


def no_secret_in_env(resource: Resource, stack: str) -> Iterator[str]:
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


def least_privilege(resource: Resource, stack: str) -> Iterator[str]:
    """Policies that allow everything, roles that anyone may take."""
    if resource.kind == RAM_POLICY:
        for statement in statements(resource.at("policyDocument")):
            if statement.get("Effect") == "Allow" and any(
                action in ("*", "oss:*", "*:*") for action in listed(statement.get("Action"))
            ):
                yield "a statement allows every action: name the ones the volume needs"
            if statement.get("Effect") == "Allow" and any(
                one in ("*", "acs:oss:*:*:*") for one in listed(statement.get("Resource"))
            ):
                yield "a statement allows every resource: name the bucket and the prefix"
    if resource.kind == ROLE:
        for statement in statements(resource.at("assumeRolePolicyDocument")):
            principals = statement.get("Principal")
            named = [
                one
                for group in (principals.values() if isinstance(principals, dict) else [principals])
                for one in listed(group)
            ]
            if any(one == "*" for one in named):
                yield 'anyone may take the role: name the OIDC provider instead of "*"'
            if (
                isinstance(principals, dict)
                and principals.get("Federated")
                and "oidc:sub" not in str(statement.get("Condition"))
            ):
                yield "any service account of the cluster may take the role: add a condition on oidc:sub"


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
        "No policy allows every action, no role can be assumed by everyone.",
        each=least_privilege,
    ),
)
