"""Whether a service account's token is genuine and whether a role trusts it."""

from __future__ import annotations

import json
from typing import Any

import jwt

from lab.alicloud.auth import policy
from lab.alicloud.auth.policy import PolicyDocument
from lab.alicloud.protocol import ApiError
from lab.alicloud.state import Region

_CODE = "AuthenticationFail.OIDCToken"


def check_oidc_token(
    region: Region, provider_arn: str, token: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The provider and the token's claims.

    The token must be signed by the cluster's key, current, and meant for a client of the provider.
    """
    name = provider_arn.rpartition("/")[2]
    provider = region.store.get("oidc_provider", name)
    if provider is None or provider["Arn"] != provider_arn:
        raise ApiError(
            404,
            "EntityNotExist.OIDCProvider",
            f"The specified OIDC provider does not exist: {provider_arn}.",
        )
    key = region.home / "pki" / "sa.pub"
    if not key.exists():
        raise ApiError(
            400,
            f"{_CODE}.Invalid",
            "This OIDC token can not be verified: the issuer publishes no keys yet.",
        )
    try:
        options: Any = {"verify_aud": False, "require": ["exp", "iss", "sub", "aud"]}
        claims = jwt.decode(
            token,
            key.read_text(),
            algorithms=["RS256"],
            issuer=provider["IssuerUrl"],
            options=options,
        )
    except jwt.ExpiredSignatureError:
        raise ApiError(400, f"{_CODE}.Expired", "This OIDC token is expired.") from None
    except jwt.InvalidIssuerError:
        raise ApiError(
            400,
            f"{_CODE}.IssuerMismatch",
            f"The issuer of this OIDC token is not {provider['IssuerUrl']}.",
        ) from None
    except jwt.PyJWTError as error:
        raise ApiError(400, f"{_CODE}.Invalid", f"This OIDC token is invalid: {error}.") from None
    clients = provider["ClientIds"].split(",")
    audiences = _as_list(claims["aud"])
    if not set(clients) & set(audiences):
        message = f"The audience of this OIDC token ({', '.join(audiences)}) is not a client id of the provider {name} ({', '.join(clients)})."
        raise ApiError(400, f"{_CODE}.AudienceMismatch", message)
    return provider, claims


def oidc_trusts(
    document: PolicyDocument, provider_arn: str, claims: dict[str, Any], role_arn: str
) -> None:
    """Raise unless the role's trust policy lets this token in; the message says which condition
    fails.
    """
    reasons = []
    for statement in _as_list(document.get("Statement", [])):
        federated = _as_list((statement.get("Principal") or {}).get("Federated", []))
        if provider_arn not in federated:
            reasons.append(f"principal is {json.dumps(federated)}, not {provider_arn}")
            continue
        for audience in _as_list(claims["aud"]):
            context = {"oidc:iss": claims["iss"], "oidc:aud": audience, "oidc:sub": claims["sub"]}
            whole = {**statement, "Resource": "*"}
            if statement.get("Effect") == "Allow" and policy.matches(
                whole, "sts:AssumeRole", "*", context
            ):
                return
        failed = _failed_conditions(statement.get("Condition") or {}, claims)
        reasons.append(
            failed
            or f"effect {statement.get('Effect')} and action {statement.get('Action')} do not allow sts:AssumeRole"
        )
    detail = "; ".join(reasons) or "it has no statement"
    raise ApiError(
        403,
        "AuthenticationFail.NoPermission",
        f"You are not authorized to assume {role_arn} with this OIDC token: trust policy: {detail}.",
    )


def _failed_conditions(conditions: dict[str, Any], claims: dict[str, Any]) -> str:
    audience = _as_list(claims["aud"])
    context = {
        "oidc:iss": claims["iss"],
        "oidc:aud": audience[0] if audience else "",
        "oidc:sub": claims["sub"],
    }
    failed = []
    for operator, entries in conditions.items():
        for key, wanted in entries.items():
            if not policy.conditions_hold({operator: {key: wanted}}, context):
                failed.append(
                    f"{operator} {key} wants {json.dumps(wanted)}, the token has {json.dumps(context.get(key))}"
                )
    return "; ".join(failed)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
