"""STS: who am I, and temporary credentials by role or by a service account's token."""

from __future__ import annotations

import json

from lab.alicloud.auth import policy
from lab.alicloud.auth.authorize import context_of, may
from lab.alicloud.auth.credentials import random_text
from lab.alicloud.auth.policy import PolicyDocument
from lab.alicloud.auth.trust import check_oidc_token, oidc_trusts
from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region
from lab.alicloud.store import Document


@rpc("sts", "GetCallerIdentity")
def get_caller_identity(region: Region, request: Request) -> Answer:
    """The caller's account, name and kind."""
    who = request.identity
    answer = {
        "AccountId": region.account,
        "Arn": who.arn,
        "PrincipalId": who.principal_id,
        "IdentityType": who.kind,
    }
    if who.kind == "RAMUser":
        return {**answer, "UserId": who.principal_id}
    return {**answer, "RoleId": who.principal_id.partition(":")[0]}


@rpc("sts", "AssumeRole", resource="*")
def assume_role(region: Region, request: Request) -> Answer:
    """Temporary credentials of a role that trusts the caller."""
    role = _role(region, request.need("RoleArn"))
    session = _session_name(request)
    context = context_of(request, request.identity)
    if request.params.get("ExternalId"):
        context["sts:ExternalId"] = request.params["ExternalId"]
    document = json.loads(role["AssumeRolePolicyDocument"])
    principals = {f"acs:ram::{region.account}:root", request.identity.arn}
    trusted = any(_trusts(statement, principals, context) for statement in _statements(document))
    if not trusted or not may(request.identity, "sts:AssumeRole", role["Arn"], context):
        message = f"You are not authorized to do this action. You should be authorized by RAM. Action: sts:AssumeRole Resource: {role['Arn']}"
        raise ApiError(403, "NoPermission", message)
    return _issue(region, request, role, session)


@rpc("sts", "AssumeRoleWithOIDC", anonymous=True)
def assume_role_with_oidc(region: Region, request: Request) -> Answer:
    """Temporary credentials for the holder of a token of a registered OIDC provider that the role
    trusts.
    """
    session = _session_name(request)
    provider_arn = request.need("OIDCProviderArn")
    role_arn = request.need("RoleArn")
    provider, claims = check_oidc_token(region, provider_arn, request.need("OIDCToken"))
    role = _role(region, role_arn)
    oidc_trusts(json.loads(role["AssumeRolePolicyDocument"]), provider_arn, claims, role["Arn"])
    answer = _issue(region, request, role, session)
    answer["OIDCTokenInfo"] = {
        "Subject": claims["sub"],
        "Issuer": claims["iss"],
        "ClientIds": provider["ClientIds"],
        "ExpirationTime": iso(claims["exp"]),
        "IssuanceTime": iso(claims.get("iat", claims["exp"])),
        "VerificationInfo": "Success",
    }
    return answer


def _role(region: Region, arn: str) -> Document:
    role = next((r for r in region.store.all("ram_role") if r["Arn"].lower() == arn.lower()), None)
    if role is None:
        raise ApiError(404, "EntityNotExist.Role", f"The specified Role does not exist: {arn}.")
    return role


def _session_name(request: Request) -> str:
    name = request.need("RoleSessionName")
    if not (2 <= len(name) <= 64) or not all(c.isalnum() or c in ".@-_" for c in name):
        raise ApiError(
            400,
            "InvalidParameter.RoleSessionName",
            "The parameter RoleSessionName is wrongly formed.",
        )
    return name


def _statements(document: PolicyDocument) -> list[PolicyDocument]:
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _trusts(statement: PolicyDocument, principals: set[str], context: policy.Context) -> bool:
    trusted = (statement.get("Principal") or {}).get("RAM", [])
    names = trusted if isinstance(trusted, list) else [trusted]
    return (
        statement.get("Effect") == "Allow"
        and bool(principals & set(names))
        and policy.matches({**statement, "Resource": "*"}, "sts:AssumeRole", "*", context)
    )


def _issue(region: Region, request: Request, role: Document, session: str) -> Answer:
    longest = int(role["MaxSessionDuration"])
    text = request.params.get("DurationSeconds") or "3600"
    if not text.isdigit() or not 900 <= int(text) <= longest:
        raise ApiError(
            400,
            "InvalidParameter.DurationSeconds",
            f"The Min/Max value of DurationSeconds is 15min/{longest // 60}min.",
        )
    session_policy = None
    if request.params.get("Policy"):
        try:
            session_policy = json.loads(request.params["Policy"])
        except ValueError:
            raise ApiError(
                400,
                "InvalidParameter.PolicyGrammar",
                "The parameter Policy has not passed grammar check.",
            ) from None
    expires = region.clock.now() + int(text)
    arn = role["Arn"] + "/" + session
    entry = {
        "access_key": "STS." + random_text(24),
        "secret": random_text(44),
        "token": "CAIS" + random_text(240),
        "expires": expires,
        "arn": arn,
        "role": role["RoleName"],
        "session_name": session,
        "principal_id": f"{role['RoleId']}:{session}",
        "policy": session_policy,
    }
    region.store.put("sts", entry["access_key"], entry)
    return {
        "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": entry["principal_id"]},
        "Credentials": {
            "AccessKeyId": entry["access_key"],
            "AccessKeySecret": entry["secret"],
            "SecurityToken": entry["token"],
            "Expiration": iso(expires),
        },
    }
