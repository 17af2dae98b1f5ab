"""Takes up what a killed update was creating.

An update that is killed leaves `pending_operations` in the state: the engine had asked for a resource and never heard the answer.
Creating it again would double it (a node pool has no unique name) or fail (a bucket or role exists by now). So such a resource is put
into the state under the id it has if it exists, and refreshed: what turns out not to exist is dropped by the same refresh. For every
kind this program makes the id follows from the recorded inputs, but for the node pool, whose id is looked up by its name.
The CLI's own `refresh --import-pending-creates` only marks the operation (measured with 3.255.0: nothing reads the mark afterwards).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from ops.locks import release_dead
from ops.pulumi import CommandFailed, Stack

Inputs = dict[str, Any]

IDS: dict[str, Callable[[Inputs], str]] = {
    "alicloud:oss/bucket:Bucket": lambda inputs: inputs["bucket"],
    "alicloud:ram/role:Role": lambda inputs: inputs["roleName"],
    "alicloud:ram/policy:Policy": lambda inputs: inputs["policyName"],
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": lambda inputs: (
        f"role:{inputs['policyName']}:{inputs['policyType']}:{inputs['roleName']}"
    ),
}
REPEATABLE = ("alicloud:oss/bucket", "alicloud:cs/autoscalingConfig:", "ossmodel:index:Model", "pulumi:providers:")
"""Kinds whose creation may simply be repeated: they set the same thing again."""


def settle_killed_update(stack: Stack) -> None:
    """A CLI that was killed leaves its lock and its unanswered operations behind; both are settled before the next one starts."""
    for owner in release_dead():
        print(f"released the lock of an update that was killed (pid {owner})", file=sys.stderr)
    resolve_pending(stack)


def resolve_pending(stack: Stack) -> None:
    """Adopts or forgets every pending creation of the stack; says which."""
    state = export(stack)
    pending = [
        operation["resource"] for operation in state["deployment"].get("pending_operations") or [] if operation["type"] == "creating"
    ]
    if not pending:
        return
    print(f"the last update was killed while it made {len(pending)} resources; looking which of them exist", file=sys.stderr)
    adopted = []
    for resource in pending:
        identity = id_of(stack, resource)
        print(
            f"  {resource['urn'].split('::')[-1]} ({resource['type']}): {f'adopted as {identity}' if identity else 'made again'}",
            file=sys.stderr,
        )
        if identity:
            adopted.append({"outputs": resource.get("inputs", {}), **resource, "id": identity})
    state["deployment"]["resources"] = [*state["deployment"].get("resources", []), *adopted]
    state["deployment"]["pending_operations"] = []
    write(stack, state)
    if adopted:
        targets = [word for resource in adopted for word in ("--target", resource["urn"])]
        stack.run("refresh", "--stack", stack.name, "--yes", "--skip-preview", *targets)


def export(stack: Stack) -> dict[str, Any]:
    """The checkpoint; secrets in it stay encrypted."""
    answer = stack.capture("stack", "export", "--stack", stack.name)
    if answer.returncode != 0:
        print(answer.stderr, file=sys.stderr)
        raise CommandFailed(["pulumi", "stack", "export"], answer.returncode)
    return json.loads(answer.stdout)


def write(stack: Stack, state: dict[str, Any]) -> None:
    """Puts an edited checkpoint in place; the CLI checks its integrity."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="checkpoint-") as file:
        json.dump(state, file)
        file.flush()
        stack.run("stack", "import", "--stack", stack.name, "--file", file.name)


def id_of(stack: Stack, resource: dict[str, Any]) -> str | None:
    """The id under which the resource exists if it exists; None for a kind that may be made again."""
    kind, inputs = resource["type"], resource.get("inputs", {})
    if kind == "alicloud:cs/nodePool:NodePool":
        from ops.lookup import node_pool_id

        return node_pool_id(stack, inputs["clusterId"], inputs["nodePoolName"])
    if kind in IDS:
        return IDS[kind](inputs)
    if kind.startswith("kubernetes:"):
        metadata = inputs["metadata"]
        return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
    if not kind.startswith(REPEATABLE):
        print(f"warning: {resource['urn']}: this kind can't be looked up; check by hand whether it exists", file=sys.stderr)
    return None
