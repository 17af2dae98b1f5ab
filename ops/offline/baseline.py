"""From a preview of a tree to the state that deploying it would have left: what another tree's
preview is compared with.

A fork has no state to compare with, so its preview would show everything as new. Here the base
branch is previewed first, its planned resources are put into an empty state as if they had been
made, and the pull request's own tree is previewed against that: the engine and the plugins then say
what is updated and, above all, what is replaced. Values that only the cloud gives out are
placeholders.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from ops.engine.urns import name_of, provider_reference, provider_urn, type_of

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the CLI writes a value that is known only after the deployment."""
Resource = dict[str, Any]


def state_of(document: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint, as `pulumi stack import` takes it, of the resources that `pulumi preview --json
    --show-sames` planned.

    `plan` is what `--save-plan --show-secrets` wrote when everything was new: the document hides
    secret inputs, the plan does not.
    """
    planned = [
        step["newState"]
        for step in document["steps"]
        if step.get("newState") and not step["op"].startswith(("delete", "discard"))
    ]
    planned = [
        {
            **resource,
            "inputs": _revealed(resource.get("inputs") or {}, _inputs(plan, resource["urn"])),
        }
        for resource in planned
    ]
    providers = _default_providers(planned)
    resources = [_made(resource) for resource in (*providers, *_once(planned))]
    return {"version": 3, "deployment": {"manifest": {}, "resources": _ordered(resources)}}


def _inputs(plan: dict[str, Any], urn: str) -> dict[str, Any]:
    """The inputs of a new resource in a plan file."""
    goal = (plan["resourcePlans"].get(urn) or {}).get("goal") or {}
    return (goal.get("inputDiff") or {}).get("adds") or {}


def _revealed(shown: Any, known: Any) -> Any:
    """`shown` with the value of `known` wherever the CLI hid one."""
    if shown == "[secret]":
        return known if known is not None else shown
    if isinstance(shown, dict):
        return {
            key: _revealed(value, known.get(key) if isinstance(known, dict) else None)
            for key, value in shown.items()
        }
    if isinstance(shown, list):
        return [
            _revealed(value, known[at] if isinstance(known, list) and at < len(known) else None)
            for at, value in enumerate(shown)
        ]
    return shown


def _once(planned: list[Resource]) -> list[Resource]:
    """One entry a URN: a replacement is told in several steps, and the last one is what stays."""
    return list({resource["urn"]: resource for resource in planned}.values())


def _default_providers(planned: list[Resource]) -> list[Resource]:
    """Default providers, which the engine creates: no step names them, only the resources that use
    them.
    """
    urns = {resource["urn"] for resource in planned}
    providers: dict[str, Resource] = {}
    for resource in planned:
        urn = provider_urn(resource.get("provider"))
        if urn and urn not in urns:
            kind, name = type_of(urn), name_of(urn)
            version = name.removeprefix("default_").replace("_", ".") if "_" in name else None
            inputs = {"__internal": {}, **({"version": version} if version else {})}
            providers[urn] = {"urn": urn, "custom": True, "type": kind, "inputs": inputs}
    return list(providers.values())


def _made(resource: Resource) -> Resource:
    """The resource as it would stand in the state after its creation."""
    kept = {
        key: value
        for key, value in resource.items()
        if key not in ("stackTrace", "sourcePosition", "pendingReplacement")
    }
    if resource.get("provider"):
        urn = provider_urn(resource["provider"])
        kept["provider"] = provider_reference(urn, _provider_id(urn))
    if not resource.get("custom"):
        return kept
    inputs = resource.get("inputs") or {}
    identity = (
        _provider_id(resource["urn"])
        if resource["type"].startswith("pulumi:providers:")
        else _id(resource, inputs)
    )
    return {**kept, "id": identity, "outputs": _outputs(resource["type"], inputs)}


def _provider_id(urn: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, urn))


def _id(resource: Resource, inputs: dict[str, Any]) -> str:
    """The kind's own form of id where the program reads it, else the logical name."""
    if resource["type"].startswith("kubernetes:"):
        metadata = inputs.get("metadata") or {}
        return "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    if resource["type"] == "alicloud:cs/nodePool:NodePool":
        return f"{inputs['clusterId']}:np-offline"
    for key in ("bucket", "roleName", "policyName", "clusterId"):
        if isinstance(inputs.get(key), str):
            return inputs[key]
    return name_of(resource["urn"])


def _outputs(kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The provider's view after creation: the inputs, and placeholders for what only the cloud
    knows and the program reads.
    """
    plain = {key: value for key, value in inputs.items() if key not in ("__internal", "__defaults")}
    if kind == "alicloud:cs/nodePool:NodePool":
        return {**plain, "nodePoolId": "np-offline", "scalingGroupId": "asg-offline"}
    if kind == "ossmodel:index:Model":
        parts = (inputs["prefix"], inputs.get("variant"), inputs["version"])
        return {**plain, "path": "/".join(filter(None, parts)), "owner": "offline"}
    if kind.startswith("kubernetes:"):
        status = (
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
            if kind.endswith(":Ingress")
            else {}
        )
        return {
            **plain,
            "status": status,
            "__inputs": plain,
            "__initialApiVersion": plain.get("apiVersion"),
            "__fieldManager": "offline",
        }
    return plain


def _ordered(resources: list[Resource]) -> list[Resource]:
    """Providers before their users, parents before children, dependencies first: what the CLI asks
    of a state.
    """
    by_urn = {resource["urn"]: resource for resource in resources}
    done: dict[str, Resource] = {}

    def put(resource: Resource) -> None:
        if resource["urn"] in done:
            return
        needs = [
            resource.get("parent"),
            provider_urn(resource.get("provider")),
            *(resource.get("dependencies") or ()),
        ]
        needs += [
            urn for urns in (resource.get("propertyDependencies") or {}).values() for urn in urns
        ]
        for urn in needs:
            if urn in by_urn:
                put(by_urn[urn])
        done[resource["urn"]] = resource

    for resource in resources:
        put(resource)
    return list(done.values())


def is_fully_known(document: dict[str, Any]) -> bool:
    """Whether no input in the plan depends on an answer of the cloud any longer."""
    return UNKNOWN not in json.dumps(
        [step.get("newState", {}).get("inputs") for step in document["steps"]]
    )
