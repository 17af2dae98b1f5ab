"""Helm releases that a killed run left half-way: what Helm's own records say of them, and which of
these records are removed.

Helm keeps one Secret per revision of a release in the release's namespace
(`sh.helm.release.v1.<name>.v<revision>`); its labels name the release, the revision and its status.
A run that is killed leaves a revision in status `pending-install` or `pending-upgrade`, and Helm
then refuses every later one: "cannot re-use a name that is still in use", "another operation
(install/upgrade/rollback) is in progress". Without that record the next run installs or upgrades
again, over what is there: Helm takes over objects that carry its label and the release's name.
Nothing that runs is deleted.

`python -m ops.engine.helm_releases` is the part that runs where the cluster can be reached;
`look_up` and `delete_records` start it.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ops.cloud.cluster_reader import ClusterError
from ops.engine.checkpoint import secret
from ops.engine.cli import Stack
from ops.engine.stack_cluster import open_cluster

RELEASE = "kubernetes:helm.sh/v3:Release"
"""Type token of a release."""
TIMEOUT = 120.0
"""Seconds for one look-up, the credential included."""
Revisions = dict[int, str]
"""Status of each revision of one release; empty: Helm knows no such release."""


def release_id(inputs: dict[str, Any]) -> str:
    """The id that the provider gives a release: namespace/name."""
    return f"{inputs.get('namespace') or 'default'}/{inputs['name']}"


def look_up(stack: Stack, ids: list[str]) -> dict[str, Revisions]:
    """What Helm's records say of these releases, by id. Raises CommandFailed, after what went wrong
    has been printed.
    """
    answer = _ask(stack, "look-up", *ids)
    return {
        identity: {int(number): status for number, status in rows.items()}
        for identity, rows in answer.items()
    }


def delete_records(stack: Stack, records: list[str]) -> None:
    """Deletes these records (namespace/release/revision). Raises CommandFailed, after what went
    wrong has been printed.
    """
    if records:
        _ask(stack, "delete-records", *records)


def is_deployed(revisions: Revisions) -> bool:
    """Whether the newest revision is complete."""
    return bool(revisions) and revisions[max(revisions)] == "deployed"


def blocking_revisions(operation: str, revisions: Revisions) -> list[int]:
    """The revisions whose records keep Helm from repeating the operation.

    Of a creation that is not complete all go, a failed one's too: the engine will create, and Helm
    installs no name that it knows. Of an update those go that are pending: Helm upgrades from the
    last one that was deployed, or failed.
    """
    if operation == "creating":
        return [] if is_deployed(revisions) else sorted(revisions)
    return sorted(number for number, status in revisions.items() if status.startswith("pending-"))


def state_outputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """What the state holds of a release beside its id, until it is read. Without its inputs the
    provider would take it for an import, and put the chart's name in the place of its address.
    Secrets among them can't be put into another secret: then it is an import, and the next update
    sets the address again.
    """
    if "ciphertext" in json.dumps(inputs):
        return inputs
    return {**inputs, "__inputs": secret(inputs)}


def _ask(stack: Stack, *question: str) -> Any:
    return stack.ask("ops.engine.helm_releases", "--stack", stack.name, *question, timeout=TIMEOUT)


def _secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _revisions(reader: Any, identity: str) -> Revisions:
    namespace, _, name = identity.partition("/")
    rows = reader.items(f"{_secrets(namespace)}?labelSelector=owner%3Dhelm%2Cname%3D{name}")
    labels = [row["metadata"]["labels"] for row in rows]
    return {int(label["version"]): label["status"] for label in labels}


def main() -> int:
    """Answers one question with one line of JSON. Exit status 1, with one message, when the cluster
    does not answer.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.helm_releases",
        description="Helm's records of a stack's releases.",
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("question", choices=("look-up", "delete-records"))
    parser.add_argument(
        "names",
        nargs="+",
        help="look-up: namespace/release; delete-records: namespace/release/revision",
    )
    options = parser.parse_args()
    try:
        _, _, reader = open_cluster(Stack(options.stack))
        if options.question == "look-up":
            print(json.dumps({name: _revisions(reader, name) for name in options.names}))
            return 0
        for record in options.names:
            namespace, name, revision = record.split("/")
            reader.delete(f"{_secrets(namespace)}/sh.helm.release.v1.{name}.v{revision}")
        print("[]")
    except ClusterError as error:
        print(
            f"error: what Helm says of {', '.join(options.names)} could not be asked: {error}; without it what the last run was killed in "
            "can't be taken up: once the cluster answers, run the same command again",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
