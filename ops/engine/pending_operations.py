"""`python -m ops.engine.pending_operations`: takes up what a killed update was creating; `make up`
and `make down` do it automatically.

An update that is killed leaves `pending_operations` in the state: the engine had asked for a
resource and never heard the answer. Creating it again would double it (a node pool has no unique
name) or fail (a bucket or role exists by now). So such a resource is put into the state under the
id it has if it exists, and refreshed: what turns out not to exist is dropped by the same refresh.
For every kind this program makes the id follows from the recorded inputs, or is looked up by name
(ops/engine/cloud_resources.py). The CLI's own `refresh --import-pending-creates` only marks the
operation (measured with 3.255.0: nothing reads the mark afterwards).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from ops.engine import cluster_objects, helm_releases, remediation
from ops.engine.backend_locks import release_dead
from ops.engine.cli import CommandFailed, Stack
from ops.engine.cloud_resources import FOUND, id_by_name

Inputs = dict[str, Any]

IDS: dict[str, Callable[[Inputs], str]] = {
    "alicloud:oss/bucket:Bucket": lambda inputs: inputs["bucket"],
    "alicloud:ram/role:Role": lambda inputs: inputs["roleName"],
    "alicloud:ram/policy:Policy": lambda inputs: inputs["policyName"],
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": lambda inputs: (
        f"role:{inputs['policyName']}:{inputs['policyType']}:{inputs['roleName']}"
    ),
    "alicloud:cs/kubernetesAddon:KubernetesAddon": lambda inputs: (
        f"{inputs['clusterId']}:{inputs['name']}"
    ),
}
REPEATABLE = (
    "alicloud:oss/bucket",
    "alicloud:cs/autoscalingConfig:",
    "ossmodel:index:Model",
    "pulumi:providers:",
)
"""Kinds whose creation may simply be repeated: they set the same thing again."""


def settle_killed_update(stack: Stack, forget: str = "") -> None:
    """A CLI that was killed leaves its lock and its unanswered operations behind; both are settled
    before the next one starts.

    Locks are released in the lab only: there it can be told that their holder is gone. On a real
    stack that is `pulumi cancel`.
    """
    for owner in release_dead() if stack.in_lab else ():
        print(f"released the lock of an update that was killed (pid {owner})", file=sys.stderr)
    resolve_pending(stack, forget)


def resolve_pending(stack: Stack, forget: str = "") -> None:
    """Adopts or forgets every pending creation of the stack; says which. Kinds that begin with
    `forget` are not looked for: whoever would have to be asked is gone. What an update left half
    made is read, too.
    """
    state = export(stack)
    half_made = [
        resource
        for resource in state["deployment"].get("resources") or []
        if is_half_made(resource)
    ]
    operations = state["deployment"].get("pending_operations") or []
    pending = [operation["resource"] for operation in operations if operation["type"] == "creating"]
    releases = [
        operation
        for operation in operations
        if operation["resource"]["type"] == helm_releases.RELEASE
        and not (forget and helm_releases.RELEASE.startswith(forget))
    ]
    known = (
        helm_releases.look(
            stack, [helm_releases.release_id(one["resource"]["inputs"]) for one in releases]
        )
        if releases
        else {}
    )
    if pending:
        print(
            f"the last update was killed while it made {len(pending)} resources; looking which of them exist",
            file=sys.stderr,
        )
        looked_for = [
            resource for resource in pending if not (forget and resource["type"].startswith(forget))
        ]
        ids = {resource["urn"]: id_of(stack, resource, known) for resource in looked_for}
        inside = objects_of(stack, looked_for)
        adopt(
            stack,
            state,
            {
                one["urn"]: ({**one, **inside.get(one["urn"], {})}, ids.get(one["urn"]))
                for one in pending
            },
        )
    elif releases:
        adopt(stack, state, {})
    settle_releases(stack, releases, known)
    if half_made:
        names = ", ".join(resource["urn"].split("::")[-1] for resource in half_made)
        print(
            f"the last update left half made: {names}; looking what is there of it", file=sys.stderr
        )
        refresh(stack, half_made)


def objects_of(stack: Stack, resources: list[Inputs]) -> dict[str, Inputs]:
    """By URN what the state has to say of those that are objects in the cluster and are there.
    Nothing where the cluster can't be asked: the refresh that follows asks it again, and says what
    is wrong.
    """
    inside = [
        one
        for one in resources
        if cluster_objects.is_one(one["type"])
        and cluster_objects.object_id(one.get("inputs") or {})
    ]
    try:
        found = cluster_objects.look(stack, [one["inputs"] for one in inside])
    except CommandFailed:
        return {}
    return {
        one["urn"]: {"outputs": made.outputs(one["inputs"])}
        for one, made in zip(inside, found, strict=True)
        if made
    }


def settle_releases(
    stack: Stack, releases: list[dict[str, Any]], known: dict[str, helm_releases.Revisions]
) -> None:
    """Lets Helm do again what it was killed in, and drops releases from the state whose deletion
    had ended. `known`: by id.

    Called after the state was written: the CLI has refused that if another run holds the stack, and
    Helm's records are that run's then.
    """
    records, gone = [], []
    for operation in releases:
        resource, identity = (
            operation["resource"],
            helm_releases.release_id(operation["resource"]["inputs"]),
        )
        revisions = known[identity]
        unfinished = helm_releases.unfinished(operation["type"], revisions)
        records += [f"{identity}/{number}" for number in unfinished]
        if unfinished:
            done = "installs it" if operation["type"] == "creating" else "upgrades it"
            print(
                f"  {resource['urn'].split('::')[-1]} ({resource['type']}): Helm was killed in it ({revisions[unfinished[-1]]}); "
                f"that record is removed, the next run {done} again over what is there",
                file=sys.stderr,
            )
        if operation["type"] == "deleting" and not revisions:
            gone.append(resource)
    helm_releases.forget(stack, records)
    if gone:
        refresh(stack, gone)


def is_half_made(resource: Inputs) -> bool:
    """Whether its creation failed after it had begun to exist. The state then has too little of it,
    and the engine would replace it: by one of the same name, which is taken. Objects in the cluster
    don't have that: their state is whole, it is their pods that failed.
    """
    return (
        bool(resource.get("initErrors"))
        and not resource["type"].startswith("kubernetes:")
        and not resource.get("delete")
    )


def refresh(stack: Stack, resources: list[Inputs]) -> None:
    """Reads these resources, and no others, into the state. Raises CommandFailed, after it has said
    which failed and what to do.
    """
    targets = [word for resource in resources for word in ("--target", resource["urn"])]
    code, report = stack.reported(
        "refresh", "--stack", stack.name, "--yes", "--skip-preview", *targets
    )
    for line in remediation.explanation(report) if code else []:
        print(line, file=sys.stderr)
    if code:
        raise CommandFailed(["pulumi", "refresh"], code)


def adopt(
    stack: Stack, state: dict[str, Any], found: dict[str, tuple[dict[str, Any], str | None]]
) -> None:
    """Puts those that have an id into the state and refreshes them, which drops what turns out not
    to exist. Nothing stays pending.
    """
    resources = state["deployment"].get("resources") or []
    adopted = []
    for resource, identity in found.values():
        mine = fitted(resource, resources) if identity else None
        told = (
            f"adopted as {identity}"
            if mine
            else "made again"
            if not identity
            else f"left as {identity}: its provider is gone"
        )
        print(f"  {resource['urn'].split('::')[-1]} ({resource['type']}): {told}", file=sys.stderr)
        if mine:
            inputs = resource.get("inputs", {})
            outputs = (
                helm_releases.outputs(inputs)
                if resource["type"] == helm_releases.RELEASE
                else inputs
            )
            adopted.append({"outputs": outputs, **mine, "id": identity})
    state["deployment"]["resources"] = put_in(resources, adopted)
    state["deployment"]["pending_operations"] = []
    write(stack, state)
    if adopted:
        refresh(stack, adopted)


def fitted(resource: Inputs, resources: list[Inputs]) -> Inputs | None:
    """The pending resource as the state can hold it. None when no provider of its kind is there to
    ask.

    An operation may stay pending while later commands make or destroy what it refers to. The CLI
    takes no state that refers to what is not in it, so a provider made anew takes the place of the
    old one, and what is gone is no longer referred to: the next update says again what the resource
    depends on.
    """
    urns = {one["urn"] for one in resources}
    providers = {
        one["urn"]: f"{one['urn']}::{one['id']}"
        for one in resources
        if one["type"].startswith("pulumi:providers:")
    }
    result = dict(resource)
    if reference := resource.get("provider"):
        urn = reference.rpartition("::")[0]
        if urn not in providers:
            return None
        result["provider"] = providers[urn]
    if resource.get("parent") not in urns:
        result.pop("parent", None)
    if "dependencies" in resource:
        result["dependencies"] = [urn for urn in resource["dependencies"] or [] if urn in urns]
    if "propertyDependencies" in resource:
        named = (resource["propertyDependencies"] or {}).items()
        result["propertyDependencies"] = {
            name: [urn for urn in needs or [] if urn in urns] for name, needs in named
        }
    return result


def put_in(resources: list[Inputs], adopted: list[Inputs]) -> list[Inputs]:
    """The state's resources with the adopted ones. One that was to replace another takes its place,
    and the other is deleted at the end of the next update, after everything has moved over: as the
    engine would have gone on.
    """
    newer = {resource["urn"]: resource for resource in adopted}
    replaced = [
        {**known, "delete": True}
        for known in resources
        if known["urn"] in newer and not known.get("delete")
    ]
    kept = [
        newer.pop(known["urn"]) if known["urn"] in newer and not known.get("delete") else known
        for known in resources
    ]
    return [*kept, *newer.values(), *replaced]


def export(stack: Stack) -> dict[str, Any]:
    """The checkpoint; secrets in it stay encrypted."""
    if known := stack.saved_state():
        return known
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


def has_identity(kind: str) -> bool:
    """Whether a resource of this kind can be found again by its inputs."""
    return kind in IDS or kind in FOUND


def id_of(
    stack: Stack, resource: dict[str, Any], releases: dict[str, helm_releases.Revisions]
) -> str | None:
    """The id under which the resource exists if it exists; None for a kind that may be made again.
    `releases`: what Helm knows, by id.
    """
    kind, inputs = resource["type"], resource.get("inputs", {})
    if kind in FOUND:
        return id_by_name(stack, kind, inputs)
    if kind in IDS:
        return IDS[kind](inputs)
    if kind == helm_releases.RELEASE:
        identity = helm_releases.release_id(inputs)
        return identity if helm_releases.is_made(releases[identity]) else None
    if cluster_objects.is_one(kind) and (name := cluster_objects.object_id(inputs)):
        return name
    if not kind.startswith(REPEATABLE):
        print(
            f"warning: {resource['urn']}: this kind can't be looked up; check by hand whether it exists",
            file=sys.stderr,
        )
    return None


def main() -> int:
    """Settles what an interrupted update of a stack left open, and nothing else."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.pending_operations",
        description="Takes up what an interrupted update was creating.",
    )
    parser.add_argument("--stack", default="local")
    stack = Stack(parser.parse_args().stack)
    try:
        (settle_killed_update if stack.in_lab else resolve_pending)(stack)
    except CommandFailed as failure:
        return failure.code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
