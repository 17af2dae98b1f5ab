"""Creations whose answer never came: what was made all the same is taken into the state before the
run ends.

The engine forgets a resource whose creation failed. When the answer was lost the resource may
exist, and the next run would order it twice or fail for ever because its name is taken. (Noting it
as a pending operation would do for the next run, but the CLI drops those when a state is imported.)
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ops.engine import cluster_objects, pending_operations, remediation
from ops.engine.checkpoint import SECRET
from ops.engine.cli import CommandFailed, Stack
from ops.engine.cloud_resources import CLOCKS_DIFFER, FOUND, MADE, id_by_name, made_at
from ops.engine.events import Failure, Report


def take_over(stack: Stack, report: Report, started: float) -> dict[str, str]:
    """Looks for what the run's failed creations may have left, and adopts it. URN: advice, for
    those that were looked for.
    """
    doubtful = [
        failure
        for failure in report.failures
        if failure.step.startswith("create") and is_looked_for(failure.kind)
    ]
    doubtful = [
        failure
        for failure in doubtful
        if remediation.cause(failure.message) in remediation.IN_DOUBT
    ]
    if not doubtful:
        return {}
    try:
        state = pending_operations.export(stack)
        known: dict[str, set[str]] = {}
        for resource in state["deployment"].get("resources") or []:
            known.setdefault(resource["urn"], set()).add(resource.get("id", ""))
        ids, inside, not_asked = identities(stack, doubtful, started, known)
        found: dict[str, tuple[dict[str, Any], str | None]] = {
            failure.urn: (as_resource(failure, inside.get(failure.urn)), ids[failure.urn])
            for failure in doubtful
            if failure.urn in ids
        }
        if found:
            print("the answer was lost, but it was made:", file=sys.stderr)
            pending_operations.adopt(stack, state, found)
        return {
            **dict.fromkeys(not_asked, remediation.NOT_KNOWN),
            **dict.fromkeys(found, remediation.TAKEN_OVER),
        }
    except CommandFailed:
        return dict.fromkeys((failure.urn for failure in doubtful), remediation.NOT_KNOWN)


def is_looked_for(kind: str) -> bool:
    """Whether what a creation of this kind left can be found: in the cloud by name, in the cluster
    by name and plugin.
    """
    return pending_operations.has_identity(kind) or cluster_objects.is_one(kind)


def identities(
    stack: Stack, failures: list[Failure], started: float, known: dict[str, set[str]]
) -> tuple[dict[str, str], dict[str, cluster_objects.Made], list[str]]:
    """(id by URN of what exists, is ours, and is not what the state has under this URN; what of it
    is in the cluster; URNs of what the cluster did not tell).

    What is to replace something has the URN of what it replaces: the state knows that one, by
    another id.
    """
    inside = [failure for failure in failures if cluster_objects.is_one(failure.kind)]
    found = {
        failure.urn: identity(stack, failure, started)
        for failure in failures
        if not cluster_objects.is_one(failure.kind)
    }
    not_asked: list[str] = []
    try:
        looked = cluster_objects.look(
            stack, [failure.resource.get("inputs") or {} for failure in inside]
        )
    except CommandFailed:
        looked, not_asked = [], [failure.urn for failure in inside]
    made = {
        failure.urn: one
        for failure, one in zip(inside, looked, strict=False)
        if one and one.at >= started - CLOCKS_DIFFER
    }
    found |= {
        failure.urn: cluster_objects.object_id(failure.resource["inputs"])
        for failure in inside
        if failure.urn in made
    }
    return (
        {urn: one for urn, one in found.items() if one and one not in known.get(urn, ())},
        made,
        not_asked,
    )


def identity(stack: Stack, failure: Failure, started: float) -> str | None:
    """The id under which the cloud has the resource, None when it has not or it is somebody else's.

    What there can be only one of by its name is ours only if it was made since the run began: the
    provider has then sent a call again whose answer was lost.
    """
    inputs = failure.resource.get("inputs") or {}
    if failure.kind in MADE:
        made = made_at(stack, failure.kind, inputs)
        if made is None or made < started - CLOCKS_DIFFER:
            return None
    return (
        id_by_name(stack, failure.kind, inputs)
        if failure.kind in FOUND
        else pending_operations.IDS[failure.kind](inputs)
    )


def as_resource(failure: Failure, made: cluster_objects.Made | None = None) -> dict[str, Any]:
    """The resource in the form of the checkpoint; of an object in the cluster with what is known of
    it there.
    """
    kept = ("urn", "type", "custom", "parent", "provider", "protect", "inputs")
    resource = {
        name: importable(failure.resource[name]) for name in kept if failure.resource.get(name)
    }
    return {**resource, "outputs": made.outputs(resource["inputs"])} if made else resource


def importable(value: Any) -> Any:
    """The value without secrets of which the engine's events keep the mark only: the CLI decrypts
    what it imports and would refuse it all.

    What is put in their place is a secret, too. The refresh that follows, or the next update, sets
    what is really there.
    """
    if isinstance(value, dict):
        if SECRET.items() <= value.items():
            return {**SECRET, "plaintext": json.dumps("[secret]")}
        return {name: importable(part) for name, part in value.items()}
    return [importable(part) for part in value] if isinstance(value, list) else value
