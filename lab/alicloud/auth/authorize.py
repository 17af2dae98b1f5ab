"""Whether an identity may make a call."""

from __future__ import annotations

from lab.alicloud.auth import policy
from lab.alicloud.auth.identity import Identity
from lab.alicloud.protocol import Request
from lab.alicloud.registry import Route
from lab.alicloud.state import Region

_OF_EVERYBODY = "sts:GetCallerIdentity"
"""The action that no policy is needed for."""


def context_of(request: Request, identity: Identity | None) -> policy.Context:
    """What conditions can ask about."""
    context = {
        "acs:SecureTransport": "true" if request.scheme == "https" else "false",
        "acs:SourceIp": request.client,
    }
    if identity is not None:
        context["acs:PrincipalARN"] = identity.arn
    return context


def may(identity: Identity, action: str, resource: str, context: policy.Context) -> bool:
    """Whether the identity's own policies (and its session policy) allow it."""
    if identity.policies is not None and not policy.allowed(
        identity.policies, action, resource, context
    ):
        return False
    return identity.session_policy is None or policy.allowed(
        [identity.session_policy], action, resource, context
    )


def refused_resource(region: Region, request: Request, route: Route) -> str:
    """The resource on which the caller (who must be known) may not make this call, "" if he may."""
    identity = request.identity
    if identity.policies is None and identity.session_policy is None:
        return ""
    names = {**request.params, **request.vars, "account": region.account, "region": region.name}
    about = _filled(route.resource, names)
    resource = f"acs:{request.service}:{region.name}:{region.account}:{about}"
    allowed = route.permission == _OF_EVERYBODY or may(
        identity, route.permission, resource, context_of(request, identity)
    )
    return "" if allowed else resource


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
