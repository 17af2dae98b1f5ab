"""Objects in the cluster that a creation without an answer may have left: which of them are there,
and made by the plugin.

A plugin up to 4.28 would take over an object of the same name at the next creation, one from 4.29.0
on fails with AlreadyExists; either makes a second one where the name is drawn anew (Ingress,
ClusterRole, PriorityClass, disruption budget). So they are looked for.

`python -m ops.engine.cluster_objects` is the part that is run where the cluster can be reached;
ops/engine/orphaned_creates.py starts it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from typing import Any, NamedTuple

from ops.engine.cli import ROOT, CommandFailed, Stack, environment
from ops.engine.cloud_resources import epoch

MANAGER = "pulumi-kubernetes"
"""How the plugin's field managers begin: with it alone (a create from 4.29.0 on), or with more
behind it (server-side apply).
"""
KEPT_AS = "__fieldManager"
"""Where the plugin keeps the field manager of an object, in its outputs: it draws one at the
creation and writes under it ever after.
"""
NOT_OBJECTS = ("kubernetes:helm.sh/", "kubernetes:kustomize", "kubernetes:yaml")
LIMIT = 300
"""Seconds for one look, the credential included."""
LOOKS, PAUSE = 4, 5.0
"""How often is asked before it is given up, and the seconds between: an answer is lost where other
answers are lost, too.
"""


class Made(NamedTuple):
    """An object that is there, and made by the plugin."""

    at: float
    """When (epoch seconds)."""
    manager: str = ""
    """The field manager that the plugin drew for it; "" where it sent the creation under the name
    that all have.
    """

    def outputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What the state has to say of it until it is read: what was asked for, and under which
        name the plugin asked.

        Without the name the plugin draws another one when it reads the object, and the first change
        of a field that the creation set would be a conflict with itself, for ever (4.25.0,
        pkg/provider/provider.go: fieldManagerName).
        """
        return {**inputs, KEPT_AS: self.manager} if self.manager else inputs


def is_one(kind: str) -> bool:
    """Whether resources of this type are single objects of the cluster."""
    return kind.startswith("kubernetes:") and not kind.startswith(NOT_OBJECTS)


def object_id(inputs: dict[str, Any]) -> str:
    """The id that the plugin gives an object: namespace/name, or the name alone; "" while it has no
    name.
    """
    metadata = inputs.get("metadata") or {}
    return (
        "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
        if metadata.get("name")
        else ""
    )


def look(stack: Stack, wanted: list[dict[str, Any]]) -> list[Made | None]:
    """What there is of each of these objects (apiVersion, kind, metadata); None for what is not
    there or is not the plugin's.

    Raises CommandFailed, after what went wrong has been printed.
    """
    if not wanted:
        return []
    names = [
        {
            "apiVersion": one.get("apiVersion"),
            "kind": one.get("kind"),
            "metadata": one.get("metadata") or {},
        }
        for one in wanted
    ]
    for one in names:
        one["metadata"] = {key: one["metadata"].get(key) for key in ("namespace", "name")}
    command = stack.inside(
        sys.executable, "-m", "ops.engine.cluster_objects", "--stack", stack.name, json.dumps(names)
    )
    said = ""
    for attempt in range(LOOKS):
        if attempt:
            time.sleep(PAUSE)
        try:
            answer = subprocess.run(
                command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            said = f"error: the cluster did not say within {LIMIT} s which of the objects exist"
            continue
        if answer.returncode == 0:
            return [
                Made(*found) if found else None
                for found in json.loads(answer.stdout.splitlines()[-1])
            ]
        said = answer.stderr
    print(said, file=sys.stderr)
    raise CommandFailed(command, 1)


def path(reader: Any, one: dict[str, Any]) -> str:
    """Where the API server has the object, by its own list of kinds; "" for a kind that it does not
    know.
    """
    version, metadata = one["apiVersion"], one["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    for row in reader.get(group).get("resources") or []:
        if row["kind"] == one["kind"] and "/" not in row["name"]:
            place = (
                f"/namespaces/{metadata.get('namespace') or 'default'}" if row["namespaced"] else ""
            )
            return f"{group}{place}/{row['name']}/{metadata['name']}"
    return ""


def made(reader: Any, one: dict[str, Any]) -> Made | None:
    """What there is of it; None when it is not there, or another tool made it."""
    if not one["apiVersion"] or not one["metadata"].get("name") or not (where := path(reader, one)):
        return None
    metadata = reader.get(where).get("metadata") or {}  # nothing for what is not there
    mine = [
        field
        for field in metadata.get("managedFields") or []
        if field.get("manager", "").startswith(MANAGER)
    ]
    if not mine:
        return None
    # Another stack's patch of it is written under such a name, too, and later.
    applied = [
        field
        for field in mine
        if field.get("operation") == "Apply"
        and re.fullmatch(rf"{MANAGER}-[0-9a-f]+", field["manager"])
    ]
    applied.sort(key=lambda field: field.get("time") or "")
    return Made(epoch(metadata["creationTimestamp"]), applied[0]["manager"] if applied else "")


def main() -> int:
    """Answers with one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.cluster_objects",
        description="Which objects of a stack's cluster the plugin made, and when.",
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "objects", help="a JSON list of {apiVersion, kind, metadata: {namespace, name}}"
    )
    options = parser.parse_args()
    from ops.cloud.cluster_reader import ClusterError
    from ops.diagnose import NotAskedError, way_in

    try:
        _, _, reader = way_in(Stack(options.stack))
        print(json.dumps([made(reader, one) for one in json.loads(options.objects)]))
    except (NotAskedError, ClusterError) as error:
        print(
            f"error: whether what was being made in the cluster exists could not be asked: {error}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
