"""Helm releases that a killed run left half-way: what Helm's own records say of them, and which of
these are removed.

Helm keeps one Secret per revision of a release in the release's namespace
(`sh.helm.release.v1.<name>.v<revision>`); its labels name the release, the revision and its status.
A run that is killed leaves a revision in status `pending-install` or `pending-upgrade`, and Helm
then refuses every later one: "cannot re-use a name that is still in use", "another operation
(install/upgrade/rollback) is in progress". Without that record the next run installs or upgrades
again, over what is there: Helm takes over objects that carry its label and the release's name.
Nothing that runs is deleted.

`python -m ops.engine.helm_releases` is the part that is run where the cluster can be reached;
ops/engine/pending_operations.py starts it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from ops.engine.checkpoint import SECRET
from ops.engine.cli import ROOT, CommandFailed, Stack, environment

RELEASE = "kubernetes:helm.sh/v3:Release"
"""Type token of a release."""
LIMIT = 120
"""Seconds for one look, the credential included."""
Revisions = dict[int, str]
"""Status of each revision of one release; empty: Helm knows no such release."""


def release_id(inputs: dict[str, Any]) -> str:
    """The id that the provider gives a release: namespace/name."""
    return f"{inputs.get('namespace') or 'default'}/{inputs['name']}"


def look(stack: Stack, ids: list[str]) -> dict[str, Revisions]:
    """What Helm's records say of these releases. Raises CommandFailed, after what went wrong has
    been printed.
    """
    answer = _asked(stack, "look", *ids)
    return {
        identity: {int(number): status for number, status in rows.items()}
        for identity, rows in answer.items()
    }


def forget(stack: Stack, records: list[str]) -> None:
    """Removes these records (namespace/release/revision). Raises CommandFailed, after what went
    wrong has been printed.
    """
    if records:
        _asked(stack, "forget", *records)


def is_made(revisions: Revisions) -> bool:
    """Whether the newest revision is complete."""
    return bool(revisions) and revisions[max(revisions)] == "deployed"


def unfinished(operation: str, revisions: Revisions) -> list[int]:
    """The revisions whose records keep Helm from doing it again.

    Of a creation that is not complete all go, a failed one's too: the engine will create, and Helm
    installs no name that it knows. Of an update those go that are pending: Helm upgrades from the
    last one that was deployed, or failed.
    """
    if operation == "creating":
        return [] if is_made(revisions) else sorted(revisions)
    return sorted(number for number, status in revisions.items() if status.startswith("pending-"))


def outputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """What the state holds of a release beside its id, until it is read. Without its inputs the
    provider would take it for an import, and put the chart's name in the place of its address.
    Secrets among them can't be put into another secret: then it is an import, and the next update
    sets the address again.
    """
    text = json.dumps(inputs)
    return inputs if "ciphertext" in text else {**inputs, "__inputs": {**SECRET, "plaintext": text}}


def _asked(stack: Stack, *question: str) -> Any:
    command = stack.inside(
        sys.executable, "-m", "ops.engine.helm_releases", "--stack", stack.name, *question
    )
    answer = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=LIMIT
    )
    if answer.returncode != 0:
        print(answer.stderr, file=sys.stderr)
        raise CommandFailed(command, answer.returncode)
    return json.loads(answer.stdout.splitlines()[-1])


def _secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _revisions(inside: Any, identity: str) -> Revisions:
    namespace, _, name = identity.partition("/")
    rows = inside.items(f"{_secrets(namespace)}?labelSelector=owner%3Dhelm%2Cname%3D{name}")
    labels = [row["metadata"]["labels"] for row in rows]
    return {int(found["version"]): found["status"] for found in labels}


def main() -> int:
    """Answers one question with one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.helm_releases",
        description="Helm's records of a stack's releases.",
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("what", choices=("look", "forget"))
    parser.add_argument(
        "names", nargs="+", help="look: namespace/release; forget: namespace/release/revision"
    )
    options = parser.parse_args()
    from ops.diagnose import NotAskedError, way_in

    try:
        _, _, inside = way_in(Stack(options.stack))
        if options.what == "look":
            print(
                json.dumps({identity: _revisions(inside, identity) for identity in options.names})
            )
            return 0
        for record in options.names:
            namespace, name, revision = record.split("/")
            inside.delete(f"{_secrets(namespace)}/sh.helm.release.v1.{name}.v{revision}")
        print("[]")
    except NotAskedError as error:
        print(
            f"error: what Helm says of {', '.join(options.names)} could not be asked: {error}; without it what the last run was killed in "
            "can't be taken up: once the cluster answers, run the same command again",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
