"""Looks for RAM roles and policies and for OIDC providers of the stack."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ops.teardown.cloud import PAGE, Cloud
from ops.teardown.found import Found, found
from ops.teardown.place import Place


def roles(cloud: Cloud, place: Place) -> Iterator[Found]:
    """Roles by name or tags, each with the policies to detach first."""
    listed = {row["RoleName"] for row in _all(cloud, "ListRoles", "Roles", "Role")}
    ours = dict.fromkeys(sorted(place.roles & listed), "named as this stack names it")
    if place.cluster_made and place.cluster:
        worker = f"KubernetesWorkerRole-{place.cluster[1:]}"
        ours |= {worker: f"of the nodes of cluster {place.cluster}"} if worker in listed else {}
    for name, why in {**_tagged(cloud, "role", place), **ours}.items():
        policies = (
            cloud.rpc("ram", "ListPoliciesForRole", RoleName=name).get("Policies") or {}
        ).get("Policy") or []
        role = shlex.quote(name)
        detach = " && ".join(
            f"aliyun ram DetachPolicyFromRole --RoleName {role} --PolicyType {row['PolicyType']} --PolicyName {row['PolicyName']}"
            for row in policies
        )
        yield found("RAM role", name, why, cloud.region, first=detach)


def policies(cloud: Cloud, place: Place) -> Iterator[Found]:
    """Policies of the account's own by name or tags."""
    listed = {
        row["PolicyName"]
        for row in _all(cloud, "ListPolicies", "Policies", "Policy", PolicyType="Custom")
    }
    ours = dict.fromkeys(sorted(place.policies & listed), "named as this stack names it")
    for name, why in {**_tagged(cloud, "policy", place), **ours}.items():
        yield found("RAM policy", name, why, cloud.region)


def providers(cloud: Cloud, place: Place) -> Iterator[Found]:
    """The identity provider that ACK makes for a cluster with RRSA."""
    if not place.cluster_made or not place.cluster:
        return
    name = f"ack-rrsa-{place.cluster}"
    body = cloud.rpc("ims", "ListOIDCProviders", MaxItems=100)
    for row in (body.get("OIDCProviders") or {}).get("OIDCProvider") or []:
        if row.get("OIDCProviderName") == name:
            yield found("OIDC provider", name, f"of cluster {place.cluster}", cloud.region)


def _tagged(cloud: Cloud, kind: str, place: Place) -> dict[str, str]:
    """Names of what carries the stack's tags."""
    wanted = json.dumps([{"Key": key, "Value": value} for key, value in place.tags.items()])
    held: dict[str, dict[str, str]] = {}
    for row in cloud.tokens(
        "ram", "ListTagResources", "TagResources", ResourceType=kind, Tag=wanted, PageSize=PAGE
    ):
        held.setdefault(str(row.get("ResourceName") or row.get("ResourceId")), {})[
            row["TagKey"]
        ] = row.get("TagValue", "")
    why = f"tags project={place.tags['project']}, stack={place.stack}"
    return {name: why for name, tags in sorted(held.items()) if place.tags.items() <= tags.items()}


def _all(
    cloud: Cloud, action: str, outer: str, inner: str, **parameters: Any
) -> Iterator[dict[str, Any]]:
    marker = ""
    while True:
        body = cloud.rpc(
            "ram", action, MaxItems=100, **parameters, **({"Marker": marker} if marker else {})
        )
        yield from (body.get(outer) or {}).get(inner) or []
        marker = body.get("Marker") or ""
        if not body.get("IsTruncated") or not marker:
            return
