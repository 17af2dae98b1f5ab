"""Scans RAM roles and policies and OIDC providers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ops.cloud.client import PAGE, Cloud
from ops.engine.stack_location import Owner, StackLocation
from ops.teardown.leftovers import Doubtful, Leftover, leftover


def roles(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Roles by name or tags, each with the policies to detach first."""
    listed = {row["RoleName"] for row in _all(cloud, "ListRoles", "Roles", "Role")}
    ours = dict.fromkeys(sorted(location.roles & listed), "named as this stack names it")
    if location.cluster_made and location.cluster:
        worker = f"KubernetesWorkerRole-{location.cluster[1:]}"
        ours |= {worker: f"of the nodes of cluster {location.cluster}"} if worker in listed else {}
    tagged = _tagged(cloud, "role", location)
    yield from _doubtful(tagged, "RAM role", ours)
    for name, why in {**tagged[Owner.OURS], **ours}.items():
        policies = (
            cloud.rpc("ram", "ListPoliciesForRole", RoleName=name).get("Policies") or {}
        ).get("Policy") or []
        role = shlex.quote(name)
        detach = " && ".join(
            f"aliyun ram DetachPolicyFromRole --RoleName {role} --PolicyType {row['PolicyType']} --PolicyName {row['PolicyName']}"
            for row in policies
        )
        yield leftover("RAM role", name, why, cloud.region, first=detach)


def policies(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Custom policies by name or tags."""
    listed = {
        row["PolicyName"]
        for row in _all(cloud, "ListPolicies", "Policies", "Policy", PolicyType="Custom")
    }
    ours = dict.fromkeys(sorted(location.policies & listed), "named as this stack names it")
    tagged = _tagged(cloud, "policy", location)
    yield from _doubtful(tagged, "RAM policy", ours)
    for name, why in {**tagged[Owner.OURS], **ours}.items():
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


def _doubtful(
    tagged: dict[Owner, dict[str, str]], kind: str, ours: dict[str, str]
) -> Iterator[Doubtful]:
    for name, why in tagged[Owner.UNCLEAR].items():
        if name not in ours:
            yield Doubtful(kind, name, why)


def _tagged(cloud: Cloud, kind: str, location: StackLocation) -> dict[Owner, dict[str, str]]:
    """Names, with the reason, of what carries project and stack, by whose it is. A name that this
    program gives needs no tag: it has a digest of project, stack and cluster.
    """
    tag_query = json.dumps([{"Key": key, "Value": value} for key, value in location.tags.items()])
    found = sorted(_tag_rows(cloud, kind, Tag=tag_query))
    tags_by_name: dict[str, dict[str, str]] = {}
    for start in range(0, len(found), PAGE):
        # asked again by name: the answer to a question by tags may have no others than those
        batch = json.dumps(found[start : start + PAGE])
        tags_by_name |= _tag_rows(cloud, kind, ResourceNames=batch)
    why = f"tags project={location.tags['project']}, stack={location.stack}"
    return {
        owner: {
            name: why
            for name, tags in sorted(tags_by_name.items())
            if location.owner(tags) is owner
        }
        for owner in Owner
    }


def _tag_rows(cloud: Cloud, kind: str, **question: str) -> dict[str, dict[str, str]]:
    tags_by_name: dict[str, dict[str, str]] = {}
    for row in cloud.tokens(
        "ram", "ListTagResources", "TagResources", ResourceType=kind, PageSize=PAGE, **question
    ):
        name = str(row.get("ResourceName") or row.get("ResourceId"))
        tags_by_name.setdefault(name, {})[row["TagKey"]] = row.get("TagValue", "")
    return tags_by_name


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
