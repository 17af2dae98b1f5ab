"""Whether an identity may make a call; the refusal has the service's own code and names what is
missing.
"""

from __future__ import annotations

from lab.alicloud.auth import policy
from lab.alicloud.auth.identity import Identity
from lab.alicloud.protocol import ApiError, Request
from lab.alicloud.registry import Route
from lab.alicloud.state import Region


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


def require(region: Region, request: Request, route: Route) -> None:
    """Raise the service's refusal unless the caller may make this call."""
    identity = request.identity
    if identity is None:
        if route.anonymous:
            return
        if request.service == "sls":
            raise ApiError(401, "Unauthorized", "Authorization header is missing")
        code = "MissingAccessKeyId" if request.service != "cs" else "InvalidAccessKeyId.NotFound"
        raise ApiError(403, code, "AccessKeyId is mandatory for this action.")
    if identity.policies is None and identity.session_policy is None:
        return
    names = {**request.params, **request.vars, "account": region.account, "region": region.name}
    resource = (
        f"acs:{request.service}:{region.name}:{region.account}:{_filled(route.resource, names)}"
    )
    if route.permission == "sts:GetCallerIdentity" or may(
        identity, route.permission, resource, context_of(request, identity)
    ):
        return
    raise refusal(request.service, route.permission, resource)


def refusal(service: str, action: str, resource: str) -> ApiError:
    """How each service says no."""
    if service == "cs":
        return ApiError(
            403, "ForbiddenCheckUserPermission", f"user not authorized to {action} on {resource}"
        )
    if service == "sls":
        return ApiError(
            401, "Unauthorized", f"denied by sts or ram, action: {action}, resource: {resource}"
        )
    if service in ("ram", "ims", "sts"):
        return ApiError(
            403,
            "NoPermission",
            f"You are not authorized to do this action. Action: {action} Resource: {resource}",
        )
    message = f"User not authorized to operate on the specified resource, or this API doesn't support RAM. Action: {action} Resource: {resource}"
    return ApiError(403, "Forbidden.RAM", message)


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
