"""`python -m ops.engine.pending_operations`: takes up what a killed update was creating; `make up`
and `make down` do it automatically.

An update that is killed leaves `pending_operations` in the state: the engine had asked for a
resource and never heard the answer. Creating it again would double it (a node pool has no unique
name) or fail (a bucket or role exists by now). So such a resource is put into the state under the
id it has if it exists, and refreshed: what turns out not to exist is dropped by the same refresh.
For every type this program creates the id follows from the recorded inputs, or is looked up by name
(cloud_resources.py, cluster_objects.py, helm_releases.py). The CLI's own `refresh
--import-pending-creates` only marks the operation (measured with 3.255.0: nothing reads the mark
afterwards).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ops.engine import cloud_resources, cluster_objects, helm_releases
from ops.engine.account import require_account
from ops.engine.adoption import adopt, refresh
from ops.engine.backend_locks import release_stale_locks
from ops.engine.cli import CommandFailed, Stack
from ops.engine.kubeconfig import renew_in
from ops.engine.urns import name_of

REPEATABLE = (
    "alicloud:oss/bucket",
    "alicloud:cs/autoscalingConfig:",
    "ossmodel:index:Model",
    "pulumi:providers:",
)
"""Types whose creation may simply be repeated: it sets the same thing again."""


def settle_interrupted_run(stack: Stack, unreachable: str = "") -> None:
    """Releases the lock and settles the unanswered operations that a killed CLI has left, before
    the next one starts. `unreachable`: see settle_pending. Raises CommandFailed.

    Locks are released in the lab only: there it can be told that their holder is gone. On a real
    stack that is `pulumi cancel`.
    """
    for pid in release_stale_locks() if stack.in_lab else ():
        print(f"released the lock of an update that was killed (pid {pid})", file=sys.stderr)
    settle_pending(stack, unreachable)


def settle_pending(stack: Stack, unreachable: str = "") -> None:
    """Adopts every pending creation of the stack whose resource exists, forgets the others, and
    prints which. Reads what an update left half created, too. Raises CommandFailed; ends the
    process where the credentials are another account's, before it looks for anything.

    Types that begin with `unreachable` are forgotten without a look: whoever would have to be asked
    is gone.
    """
    state = stack.export_state()
    half_created = [
        resource
        for resource in state["deployment"].get("resources") or []
        if is_half_created(resource)
    ]
    operations = state["deployment"].get("pending_operations") or []
    renewed = False
    if half_created or operations:
        require_account(stack)
        renewed = not unreachable and renew_in(stack, state)  # written with the adopted, below
    pending = [operation["resource"] for operation in operations if operation["type"] == "creating"]
    releases = [
        operation
        for operation in operations
        if operation["resource"]["type"] == helm_releases.RELEASE
        and not (unreachable and helm_releases.RELEASE.startswith(unreachable))
    ]
    release_ids = [helm_releases.release_id(one["resource"]["inputs"]) for one in releases]
    revisions = helm_releases.look_up(stack, release_ids) if releases else {}
    if pending:
        print(
            f"the last update was killed while it created {len(pending)} resources; looking which of them exist",
            file=sys.stderr,
        )
        reachable = [
            resource
            for resource in pending
            if not (unreachable and resource["type"].startswith(unreachable))
        ]
        ids = {resource["urn"]: _id_of(stack, resource, revisions) for resource in reachable}
        outputs = _cluster_outputs(stack, reachable)
        adopt(
            stack,
            state,
            {
                resource["urn"]: (
                    {**resource, **outputs.get(resource["urn"], {})},
                    ids.get(resource["urn"]),
                )
                for resource in pending
            },
        )
    elif releases:
        adopt(stack, state, {})
    elif renewed:
        stack.import_state(state)
    _settle_releases(stack, releases, revisions)
    if half_created:
        names = ", ".join(name_of(resource["urn"]) for resource in half_created)
        print(
            f"the last update left half created: {names}; looking what exists of it",
            file=sys.stderr,
        )
        refresh(stack, half_created)


def is_half_created(resource: dict[str, Any]) -> bool:
    """Whether the resource's creation failed after it had begun to exist. The state then has too
    little of it, and the engine would replace it: by one of the same name, which is taken. Objects
    in the cluster don't have that: their state is whole, it is their pods that failed.
    """
    return (
        bool(resource.get("initErrors"))
        and not resource["type"].startswith("kubernetes:")
        and not resource.get("delete")
    )


def _id_of(
    stack: Stack, resource: dict[str, Any], revisions: dict[str, helm_releases.Revisions]
) -> str | None:
    """The id under which the resource exists if it exists; None for one that is to be created
    again. `revisions`: what Helm knows, by release id.
    """
    resource_type, inputs = resource["type"], resource.get("inputs", {})
    if cloud_resources.has_known_identity(resource_type):
        return cloud_resources.find_id(stack, resource_type, inputs)
    if resource_type == helm_releases.RELEASE:
        identity = helm_releases.release_id(inputs)
        return identity if helm_releases.is_deployed(revisions[identity]) else None
    if cluster_objects.is_cluster_object(resource_type) and (
        name := cluster_objects.object_id(inputs)
    ):
        return name
    if not resource_type.startswith(REPEATABLE):
        print(
            f"warning: {resource['urn']}: this type can't be looked up; check by hand whether it exists",
            file=sys.stderr,
        )
    return None


def _cluster_outputs(stack: Stack, resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By URN, the outputs of those resources that are objects in the cluster and exist. Nothing
    where the cluster can't be asked: the refresh that follows asks it again, and says what is
    wrong.
    """
    objects = [
        resource
        for resource in resources
        if cluster_objects.is_cluster_object(resource["type"])
        and cluster_objects.object_id(resource.get("inputs") or {})
    ]
    try:
        found = cluster_objects.look_up(stack, [resource["inputs"] for resource in objects])
    except CommandFailed:
        return {}
    return {
        resource["urn"]: {"outputs": created.outputs(resource["inputs"])}
        for resource, created in zip(objects, found, strict=True)
        if created
    }


def _settle_releases(
    stack: Stack,
    operations: list[dict[str, Any]],
    revisions: dict[str, helm_releases.Revisions],
) -> None:
    """Lets Helm repeat what it was killed in, and drops releases from the state whose deletion had
    ended. `revisions`: what Helm knows, by release id.

    Called after the state was written: the CLI has refused that if another run holds the stack, and
    Helm's records are that run's then.
    """
    records, deleted = [], []
    for operation in operations:
        resource = operation["resource"]
        identity = helm_releases.release_id(resource["inputs"])
        known = revisions[identity]
        blocking = helm_releases.blocking_revisions(operation["type"], known)
        records += [f"{identity}/{number}" for number in blocking]
        if blocking:
            verb = "installs" if operation["type"] == "creating" else "upgrades"
            print(
                f"  {name_of(resource['urn'])} ({resource['type']}): Helm was killed in it ({known[blocking[-1]]}); "
                f"that record is removed, the next run {verb} it again over what is there",
                file=sys.stderr,
            )
        if operation["type"] == "deleting" and not known:
            deleted.append(resource)
    helm_releases.delete_records(stack, records)
    if deleted:
        refresh(stack, deleted)


def main() -> int:
    """Settles what an interrupted update of a stack left open, and nothing else."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.pending_operations",
        description="Takes up what an interrupted update was creating.",
    )
    parser.add_argument("--stack", default="local")
    stack = Stack(parser.parse_args().stack)
    try:
        settle_interrupted_run(stack)
    except CommandFailed as failure:
        return failure.code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
