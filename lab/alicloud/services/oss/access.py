"""Who may do what in OSS: bucket policy, public access block, ACL and the caller's own policies
together.
"""

from __future__ import annotations

import json

from lab.alicloud.auth import policy
from lab.alicloud.auth.authorize import context_of, may
from lab.alicloud.auth.identity import Identity
from lab.alicloud.auth.policy import PolicyDocument
from lab.alicloud.protocol import ApiError, Request, element
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_READS = {"oss:GetObject", "oss:ListObjects", "oss:GetObjectMeta"}
_POLICY_CALLS = {"oss:PutBucketPolicy", "oss:GetBucketPolicy", "oss:DeleteBucketPolicy"}


def require(
    region: Region,
    request: Request,
    permission: str,
    bucket: Document | None,
    key: str = "",
    object_acl: str = "",
) -> None:
    """Raise AccessDenied, naming action and resource, unless the caller may."""
    name = bucket["name"] if bucket else request.vars["bucket"]
    resource = f"acs:oss:oss-{region.name}:{region.account}:{name or '*'}{'/' + key if key else ''}"
    context = _context(request)
    statements = _policy_statements(bucket)
    identity: Identity | None = request.identity
    owner = identity is not None and identity.policies is None
    if bucket:
        _check_tls(bucket, request)
        denied = any(
            s["Effect"] == "Deny"
            and _about(s, identity, region)
            and policy.matches(s, permission, resource, context)
            for s in statements
        )
        if denied and not (owner and permission in _POLICY_CALLS):
            raise _denied(permission, resource, identity, "ExplicitDeny", "bucket policy")
    if identity is None:
        if bucket and _public(bucket, statements, permission, resource, context, object_acl):
            return
        raise _denied(permission, resource, None, "ImplicitDeny", "bucket acl")
    granted = any(
        s["Effect"] == "Allow"
        and _about(s, identity, region)
        and policy.matches(s, permission, resource, context)
        for s in statements
    )
    if not granted and not may(identity, permission, resource, context):
        raise _denied(permission, resource, identity, "ImplicitDeny", "RAM policy")


def _context(request: Request) -> policy.Context:
    context = context_of(request, request.identity)
    for parameter in ("prefix", "delimiter", "max-keys"):
        if parameter in request.query or parameter == "prefix":
            context[f"oss:{parameter.title()}"] = request.query.get(parameter, "")
    return context


def _policy_statements(bucket: Document | None) -> list[PolicyDocument]:
    text = (bucket or {}).get("config", {}).get("policy")
    statements = json.loads(text).get("Statement", []) if text else []
    return statements if isinstance(statements, list) else [statements]


def _about(statement: PolicyDocument, identity: Identity | None, region: Region) -> bool:
    principals = statement.get("Principal", ["*"])
    principals = principals if isinstance(principals, list) else [principals]
    if "*" in principals:
        return True
    if identity is None:
        return False
    session = identity.arn.replace(
        f"acs:ram::{region.account}:role/", f"arn:sts::{region.account}:assumed-role/"
    )
    names = {region.account, identity.principal_id, identity.arn, session}
    return any(policy.wildcard(p, name) for p in principals for name in names)


def _public(
    bucket: Document,
    statements: list[PolicyDocument],
    permission: str,
    resource: str,
    context: policy.Context,
    object_acl: str,
) -> bool:
    if block_public_access(bucket):
        return False
    for statement in statements:
        principals = statement.get("Principal", [])
        if (
            statement["Effect"] == "Allow"
            and "*" in principals
            and policy.matches(statement, permission, resource, context)
        ):
            return True
    acl = object_acl if object_acl not in ("", "default") else bucket["acl"]
    return acl == "public-read-write" or (acl == "public-read" and permission in _READS)


def block_public_access(bucket: Document) -> bool:
    """Whether public access is blocked for the bucket."""
    return "<BlockPublicAccess>true<" in bucket["config"].get("publicAccessBlock", "").replace(
        ">True<", ">true<"
    )


def _check_tls(bucket: Document, request: Request) -> None:
    config = bucket["config"].get("httpsConfig", "").replace(">True<", ">true<")
    if (
        "<Enable>true<" in config
        and request.scheme == "https"
        and f"<TLSVersion>{request.tls_version}<" not in config
    ):
        raise ApiError(
            403,
            "AccessDenied",
            f"The bucket does not accept {request.tls_version or 'this TLS version'}.",
            EC="0003-00000703",
        )


def _denied(
    permission: str, resource: str, identity: Identity | None, kind: str, source: str
) -> ApiError:
    who = identity.arn if identity else "anonymous"
    message = f"You have no right to access this object because of {source}: {who} lacks the permission {permission} on {resource}."
    if kind == "ExplicitDeny":
        message = f"You have no right to access this object because of {source}: it denies {who} the permission {permission} on {resource}."
    detail = {
        "AuthAction": permission,
        "AuthPrincipalType": identity.kind if identity else "Anonymous",
        "NoPermissionType": kind,
        "PolicyType": source,
    }
    text = element("X", *(element(name, value) for name, value in detail.items()))
    inner = type(text)(text[len("<X>") : -len("</X>")])
    return ApiError(403, "AccessDenied", message, AccessDeniedDetail=inner, EC="0003-00000001")
