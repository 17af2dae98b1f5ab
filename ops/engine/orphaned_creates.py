"""Creations whose answer was lost: what was created anyway is taken into the state before the run
ends.

The engine forgets a resource whose creation failed. When the answer was lost the resource may
exist, and the next run would order it twice, or fail indefinitely because its name is taken.
(Noting it as a pending operation would do for the next run, but the CLI drops those when a state is
imported.)
"""

from __future__ import annotations

import sys
from typing import Any

from ops.engine import cloud_resources, cluster_objects, remediation
from ops.engine.adoption import adopt
from ops.engine.checkpoint import SECRET, secret
from ops.engine.cli import CommandFailed, Stack
from ops.engine.cloud_resources import CLOCK_SKEW
from ops.engine.cluster_objects import CreatedObject
from ops.engine.events import Failure, Report


def adopt_orphans(stack: Stack, report: Report, started: float) -> dict[str, str]:
    """Looks up what the run's failed creations may have left, and adopts it. `started`: when the
    run began (epoch seconds). Returns what to do, by URN, for those that were looked up with a
    result.
    """
    doubtful = [
        failure
        for failure in report.failures
        if failure.step.startswith("create")
        and can_be_looked_up(failure.type)
        and remediation.cause(failure.message) in remediation.IN_DOUBT
    ]
    if not doubtful:
        return {}
    try:
        state = stack.export_state()
        ids, objects, unanswered = _find_ids(stack, doubtful, started, _ids_by_urn(state))
        orphans: dict[str, tuple[dict[str, Any], str | None]] = {
            failure.urn: (as_resource(failure, objects.get(failure.urn)), ids[failure.urn])
            for failure in doubtful
            if failure.urn in ids
        }
        if orphans:
            print("the answer was lost, but it was created:", file=sys.stderr)
            adopt(stack, state, orphans)
        return {
            **dict.fromkeys(unanswered, remediation.NOT_KNOWN),
            **dict.fromkeys(orphans, remediation.ADOPTED),
        }
    except CommandFailed:
        return dict.fromkeys((failure.urn for failure in doubtful), remediation.NOT_KNOWN)


def can_be_looked_up(resource_type: str) -> bool:
    """Whether what a creation of this type left can be found: in the cloud by name, in the cluster
    by name and plugin.
    """
    return cloud_resources.has_known_identity(resource_type) or cluster_objects.is_cluster_object(
        resource_type
    )


def _ids_by_urn(state: dict[str, Any]) -> dict[str, set[str]]:
    """The ids that the state has under each URN: what is to replace something has the same URN."""
    ids: dict[str, set[str]] = {}
    for resource in state["deployment"].get("resources") or []:
        ids.setdefault(resource["urn"], set()).add(resource.get("id", ""))
    return ids


def _find_ids(
    stack: Stack, failures: list[Failure], started: float, ids_in_state: dict[str, set[str]]
) -> tuple[dict[str, str], dict[str, CreatedObject], list[str]]:
    """(the id, by URN, of what exists, is ours, and is not in the state under this id; the objects
    in the cluster among it, by URN; the URNs of which the cluster said nothing).
    """
    in_cluster = [
        failure for failure in failures if cluster_objects.is_cluster_object(failure.type)
    ]
    ids = {
        failure.urn: _find_cloud_id(stack, failure, started)
        for failure in failures
        if failure not in in_cluster
    }
    unanswered: list[str] = []
    found: list[CreatedObject | None] = []
    try:
        found = cluster_objects.look_up(
            stack, [failure.resource.get("inputs") or {} for failure in in_cluster]
        )
    except CommandFailed:
        unanswered = [failure.urn for failure in in_cluster]
    objects = {
        failure.urn: created
        for failure, created in zip(in_cluster, found, strict=False)
        if created and created.at >= started - CLOCK_SKEW
    }
    ids |= {
        failure.urn: cluster_objects.object_id(failure.resource["inputs"])
        for failure in in_cluster
        if failure.urn in objects
    }
    new = {urn: one for urn, one in ids.items() if one and one not in ids_in_state.get(urn, ())}
    return new, objects, unanswered


def _find_cloud_id(stack: Stack, failure: Failure, started: float) -> str | None:
    """The id under which the cloud has the resource, None when it has none or it is somebody
    else's.

    A resource that is unique by its name is ours only if it was created since the run began: the
    provider has then sent a call again whose answer was lost.
    """
    inputs = failure.resource.get("inputs") or {}
    if cloud_resources.is_unique_by_name(failure.type):
        created = cloud_resources.created_at(stack, failure.type, inputs)
        if created is None or created < started - CLOCK_SKEW:
            return None
    return cloud_resources.find_id(stack, failure.type, inputs)


def as_resource(failure: Failure, created: CreatedObject | None = None) -> dict[str, Any]:
    """The resource in the form of the state; an object of the cluster with the outputs that are
    known of it.
    """
    keys = ("urn", "type", "custom", "parent", "provider", "protect", "inputs")
    resource = {
        key: _importable(failure.resource[key]) for key in keys if failure.resource.get(key)
    }
    if created:
        resource["outputs"] = created.outputs(resource["inputs"])
    return resource


def _importable(value: Any) -> Any:
    """The value without secrets of which the engine's events keep the mark only: the CLI decrypts
    what it imports and would refuse it all.

    What is put in their place is a secret, too. The refresh that follows, or the next update, sets
    what is really there.
    """
    if isinstance(value, dict):
        if SECRET.items() <= value.items():
            return secret("[secret]")
        return {key: _importable(part) for key, part in value.items()}
    return [_importable(part) for part in value] if isinstance(value, list) else value
