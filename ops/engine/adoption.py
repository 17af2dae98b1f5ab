"""Takes resources that exist in the cloud or in the cluster into the stack's state."""

from __future__ import annotations

import sys
from typing import Any

from ops.engine.checkpoint import with_adopted, with_live_references
from ops.engine.cli import CommandFailed, Stack
from ops.engine.helm_releases import RELEASE, state_outputs
from ops.engine.remediation import explanation
from ops.engine.urns import name_of


def adopt(
    stack: Stack,
    state: dict[str, Any],
    candidates: dict[str, tuple[dict[str, Any], str | None]],
) -> None:
    """Writes the state with those candidates (resource and id, by URN) that have an id, and without
    pending operations; then refreshes them, which drops what turns out not to exist. Raises
    CommandFailed.
    """
    resources = state["deployment"].get("resources") or []
    adopted = []
    for resource, identity in candidates.values():
        fitted = with_live_references(resource, resources) if identity else None
        if fitted:
            inputs = resource.get("inputs", {})
            outputs = state_outputs(inputs) if resource["type"] == RELEASE else inputs
            adopted.append({"outputs": outputs, **fitted, "id": identity})
            outcome = f"adopted as {identity}"
        else:
            outcome = f"left as {identity}: its provider is gone" if identity else "created again"
        print(f"  {name_of(resource['urn'])} ({resource['type']}): {outcome}", file=sys.stderr)
    state["deployment"]["resources"] = with_adopted(resources, adopted)
    state["deployment"]["pending_operations"] = []
    stack.import_state(state)
    if adopted:
        refresh(stack, adopted)


def refresh(stack: Stack, resources: list[dict[str, Any]]) -> None:
    """Reads these resources, and no others, into the state. Raises CommandFailed, after it has
    printed which failed and what to do.
    """
    targets = [word for resource in resources for word in ("--target", resource["urn"])]
    code, report = stack.run_with_report(
        "refresh", "--stack", stack.name, "--yes", "--skip-preview", *targets
    )
    if code:
        for line in explanation(report):
            print(line, file=sys.stderr)
        raise CommandFailed(["pulumi", "refresh"], code)
