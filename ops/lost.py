"""Creations whose answer never came: what was made all the same is taken into the state before the run ends.

The engine forgets a resource whose creation failed. When the answer was lost the resource may exist, and the next run would order it twice
or fail for ever because its name is taken. (Noting it as a pending operation would do for the next run, but the CLI drops those when a
state is imported.)
"""

from __future__ import annotations

import sys
from typing import Any

from ops import advice, recover
from ops.events import Failure, Report
from ops.lookup import CLOCKS_DIFFER, FOUND, MADE, id_by_name, made_at
from ops.pulumi import CommandFailed, Stack


def take_over(stack: Stack, report: Report, started: float) -> dict[str, str]:
    """Looks for what the run's failed creations may have left, and adopts it. URN: advice, for those that were looked for."""
    doubtful = [failure for failure in report.failures if failure.step.startswith("create") and recover.has_identity(failure.kind)]
    doubtful = [failure for failure in doubtful if advice.cause(failure.message) in advice.IN_DOUBT]
    if not doubtful:
        return {}
    try:
        state = recover.export(stack)
        known = {resource["urn"] for resource in state["deployment"].get("resources") or []}
        ids = {failure.urn: identity(stack, failure, started) for failure in doubtful if failure.urn not in known}
        found = {failure.urn: (as_resource(failure), ids[failure.urn]) for failure in doubtful if ids.get(failure.urn)}
        if found:
            print("the answer was lost, but it was made:", file=sys.stderr)
            recover.adopt(stack, state, found)
        return dict.fromkeys(found, advice.TAKEN_OVER)
    except CommandFailed:
        return dict.fromkeys((failure.urn for failure in doubtful), advice.NOT_KNOWN)


def identity(stack: Stack, failure: Failure, started: float) -> str | None:
    """The id under which the resource exists, None when it does not or is somebody else's.

    What there can be only one of by its name is ours only if it was made since the run began: the provider has then sent a call again whose
    answer was lost.
    """
    inputs = failure.resource.get("inputs") or {}
    if failure.kind in MADE:
        made = made_at(stack, failure.kind, inputs)
        if made is None or made < started - CLOCKS_DIFFER:
            return None
    return id_by_name(stack, failure.kind, inputs) if failure.kind in FOUND else recover.IDS[failure.kind](inputs)


def as_resource(failure: Failure) -> dict[str, Any]:
    """The resource in the form of the checkpoint."""
    kept = ("urn", "type", "custom", "parent", "provider", "protect", "inputs")
    return {name: failure.resource[name] for name in kept if failure.resource.get(name)}
