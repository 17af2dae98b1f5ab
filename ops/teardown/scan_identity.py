"""Scans RAM roles and policies and OIDC providers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ops.cloud.client import PAGE, Cloud
from ops.engine.stack_location import StackLocation
from ops.teardown.leftovers import Leftover, leftover


def roles(cloud: Cloud, location: StackLocation) -> Iterator[Leftover]:
    """Roles by name or tags, each with the policies to detach first."""
    listed = {row["RoleName"] for row in _all(cloud, "ListRoles", "Roles", "Role")}
    ours = dict.fromkeys(sorted(location.roles & listed), "named as this stack names it")
    if location.cluster_made and location.cluster:
        worker = f"KubernetesWorkerRole-{location.cluster[1:]}"
        ours |= {worker: f"of the nodes of cluster {location.cluster}"} if worker in listed else {}
    for name, why in {**_tagged(cloud, "role", location), **ours}.items():
        policies = (
            cloud.rpc("ram", "ListPoliciesForRole", RoleName=name).get("Policies") or {}
        ).get("Policy") or []
        role = shlex.quote(name)
        detach = " && ".join(
            f"aliyun ram DetachPolicyFromRole --RoleName {role} --PolicyType {row['PolicyType']} --PolicyName {row['PolicyName']}"
            for row in policies
        )
        yield leftover("RAM role", name, why, cloud.region, first=detach)


def policies(cloud: Cloud, location: StackLocation) -> Iterator[Leftover]:
    """Custom policies by name or tags."""
    listed = {
        row["PolicyName"]
        for row in _all(cloud, "ListPolicies", "Policies", "Policy", PolicyType="Custom")
    }
    ours = dict.fromkeys(sorted(location.policies & listed), "named as this stack names it")
    for name, why in {**_tagged(cloud, "policy", location), **ours}.items():
        yield leftover("RAM policy", name, why, cloud.region)


def providers(cloud: Cloud, location: StackLocation) -> Iterator[Leftover]:
    """The identity provider that ACK makes for a cluster with RRSA."""
    if not location.cluster_made or not location.cluster:
        return
    name = f"ack-rrsa-{location.cluster}"
    body = cloud.rpc("ims", "ListOIDCProviders", MaxItems=100)
    for row in (body.get("OIDCProviders") or {}).get("OIDCProvider") or []:
        if row.get("OIDCProviderName") == name:
            yield leftover("OIDC provider", name, f"of cluster {location.cluster}", cloud.region)


def _tagged(cloud: Cloud, kind: str, location: StackLocation) -> dict[str, str]:
    """Names of what carries the stack's tags."""
    tag_query = json.dumps([{"Key": key, "Value": value} for key, value in location.tags.items()])
    tags_by_name: dict[str, dict[str, str]] = {}
    for row in cloud.tokens(
        "ram", "ListTagResources", "TagResources", ResourceType=kind, Tag=tag_query, PageSize=PAGE
    ):
        tags_by_name.setdefault(str(row.get("ResourceName") or row.get("ResourceId")), {})[
            row["TagKey"]
        ] = row.get("TagValue", "")
    why = f"tags project={location.tags['project']}, stack={location.stack}"
    return {
        name: why
        for name, tags in sorted(tags_by_name.items())
        if location.tags.items() <= tags.items()
    }


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
