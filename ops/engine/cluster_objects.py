"""Objects in the cluster that a creation without an answer may have left: which of them exist and
were created by the plugin.

A plugin up to 4.28 takes over an object of the same name at the next creation, one from 4.29.0 on
fails with AlreadyExists; either creates a second one where the name is drawn anew (Ingress,
ClusterRole, PriorityClass, disruption budget). So they are looked up.

`python -m ops.engine.cluster_objects` is the part that runs where the cluster can be reached;
`look_up` starts it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any, NamedTuple

from ops.cloud.cluster_reader import ClusterError
from ops.cloud.resources import epoch_seconds
from ops.engine.cli import Stack
from ops.engine.stack_cluster import open_cluster

FIELD_MANAGER = "pulumi-kubernetes"
"""How the plugin's field managers begin: this alone (a create from 4.29.0 on), or with more behind
it (server-side apply).
"""
FIELD_MANAGER_KEY = "__fieldManager"
"""Where the plugin keeps an object's field manager, in the outputs: it draws one at the creation
and writes under it ever after.
"""
NOT_OBJECTS = ("kubernetes:helm.sh/", "kubernetes:kustomize", "kubernetes:yaml")
TIMEOUT = 300.0
"""Seconds for one look-up, the credential included."""
ATTEMPTS, PAUSE = 4, 5.0
"""Attempts before the look-up is given up, and the seconds between: an answer is lost where other
answers are lost, too.
"""


class CreatedObject(NamedTuple):
    """An object that exists and was created by the plugin."""

    at: float
    """Creation date (epoch seconds)."""
    field_manager: str = ""
    """The field manager that the plugin drew for it; "" where it sent the creation under the name
    that all have.
    """

    def outputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What the state holds of it until it is read: the inputs, and the field manager.

        Without the field manager the plugin draws another one when it reads the object, and the
        first change of a field that the creation set would be a conflict with itself, indefinitely
        (4.25.0, pkg/provider/provider.go: fieldManagerName).
        """
        return {**inputs, FIELD_MANAGER_KEY: self.field_manager} if self.field_manager else inputs


def is_cluster_object(resource_type: str) -> bool:
    """Whether resources of this type are single objects of the cluster."""
    return resource_type.startswith("kubernetes:") and not resource_type.startswith(NOT_OBJECTS)


def object_id(inputs: dict[str, Any]) -> str:
    """The id that the plugin gives an object: namespace/name, or the name alone; "" while it has no
    name.
    """
    metadata = inputs.get("metadata") or {}
    if not metadata.get("name"):
        return ""
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def look_up(stack: Stack, objects: list[dict[str, Any]]) -> list[CreatedObject | None]:
    """What exists of these objects (apiVersion, kind, metadata), in their order; None for one that
    does not exist or was not created by the plugin. Raises CommandFailed, after what went wrong has
    been printed.
    """
    if not objects:
        return []
    names = [
        {
            "apiVersion": inputs.get("apiVersion"),
            "kind": inputs.get("kind"),
            "metadata": {
                key: (inputs.get("metadata") or {}).get(key) for key in ("namespace", "name")
            },
        }
        for inputs in objects
    ]
    answer = stack.ask(
        "ops.engine.cluster_objects",
        "--stack",
        stack.name,
        json.dumps(names),
        timeout=TIMEOUT,
        attempts=ATTEMPTS,
        pause=PAUSE,
    )
    return [CreatedObject(*row) if row else None for row in answer]


def path_of(reader: Any, inputs: dict[str, Any]) -> str:
    """The object's path on the API server, by the server's own list of kinds; "" for a kind that it
    does not know.
    """
    version, metadata = inputs["apiVersion"], inputs["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    for row in reader.get(group).get("resources") or []:
        if row["kind"] == inputs["kind"] and "/" not in row["name"]:
            namespace = metadata.get("namespace") or "default"
            scope = f"/namespaces/{namespace}" if row["namespaced"] else ""
            return f"{group}{scope}/{row['name']}/{metadata['name']}"
    return ""


def find(reader: Any, inputs: dict[str, Any]) -> CreatedObject | None:
    """The object on the API server; None when it does not exist or another tool created it."""
    if not inputs["apiVersion"] or not inputs["metadata"].get("name"):
        return None
    path = path_of(reader, inputs)
    metadata = (reader.get(path).get("metadata") or {}) if path else {}
    managed = [
        field
        for field in metadata.get("managedFields") or []
        if field.get("manager", "").startswith(FIELD_MANAGER)
    ]
    if not managed:
        return None
    # Another stack's patch of it is written under such a name, too, and later.
    applied = [
        field
        for field in managed
        if field.get("operation") == "Apply"
        and re.fullmatch(rf"{FIELD_MANAGER}-[0-9a-f]+", field["manager"])
    ]
    applied.sort(key=lambda field: field.get("time") or "")
    created = epoch_seconds(metadata["creationTimestamp"])
    return CreatedObject(created, applied[0]["manager"] if applied else "")


def main() -> int:
    """Answers with one line of JSON. Exit status 1, with one message, when the cluster does not
    answer.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.engine.cluster_objects",
        description="Which objects of a stack's cluster the plugin created, and when.",
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "objects", help="a JSON list of {apiVersion, kind, metadata: {namespace, name}}"
    )
    options = parser.parse_args()
    try:
        _, _, reader = open_cluster(Stack(options.stack))
        print(json.dumps([find(reader, inputs) for inputs in json.loads(options.objects)]))
    except ClusterError as error:
        print(
            f"error: whether what was being created in the cluster exists could not be asked: {error}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
