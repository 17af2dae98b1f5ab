"""`make up REFRESH=1` takes away what others added to objects in the cluster, before the update.

The update itself cannot: the plugin sends what the program says by server-side apply, which leaves
fields of others where they are (a container, an annotation), and where a refresh finds what the
program sends unchanged it sends nothing, also where somebody lengthened a list that has one owner
(rules, subjects, arguments). Where somebody has given a list's element another member of a union (a
variable `value` in place of `valueFrom`), the apply asks for both, which the cluster refuses.

So the object is written as it was deployed, in one call: in what ops/drift/security.py names, and
in nothing else. The rest of it, and what changed in the cloud, is the update's.
`python -m ops.drift.put_back` is the part that runs where the cluster can be reached.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

from ops.cloud.cluster_reader import ClusterError, ClusterReader
from ops.drift.compare import NOTHING, Difference, without_program
from ops.drift.events import Read
from ops.drift.look import read_all
from ops.drift.owners import owner, reported
from ops.drift.security import is_security_relevant
from ops.engine.checkpoint import is_secret
from ops.engine.cli import CommandFailed, Stack
from ops.engine.cluster_objects import FIELD_MANAGER_KEY, is_cluster_object, path_of
from ops.engine.previews import PreviewFormatError
from ops.engine.stack_cluster import open_cluster
from ops.engine.urns import name_of, type_of
from ops.preview_comment.paths import joined

MANAGER = "pulumi-kubernetes-put-back"
"""Field manager of the write. The plugin takes over what is written under a name that begins with
its own; here its fields are handed over at once.
"""
TIMEOUT = 600.0
"""Seconds for all writes, the credential included."""
SECRET_TEXT = "[secret]"
"""How the CLI's events show a value that is a secret."""
_ABSENT = object()
_CONFLICT, ATTEMPTS = "409", 5


@dataclass(frozen=True)
class Altered:
    """An object in the cluster to which somebody added something."""

    name: str
    kind: str
    """Type token."""
    paths: tuple[str, ...]
    """Where it differs."""
    deployed: dict[str, Any] = field(repr=False)
    """The object as the last update left it."""


def put_back(stack: Stack, agree: Callable[[], bool]) -> None:
    """Looks for what others added, prints it, and takes it away if `agree` says so. What could not
    be taken away is printed with its cause; the update that follows is made all the same.
    """
    try:
        found = read_all(stack)
    except PreviewFormatError as error:
        print(f"warning: what others added was not looked for: {error}", file=sys.stderr)
        return
    for one in found.unread:
        print(f"warning: {name_of(one.urn)} was not looked at: {one.cause}", file=sys.stderr)
    altered = altered_objects(found.events.reads, without_program(found.events))
    if not altered:
        return
    print("changed by others where it matters, and put back as it was deployed before the update:")
    for one in altered:
        print(f"  {one.name} ({one.kind}): {', '.join(one.paths)}")
    sys.stdout.flush()
    if not agree():
        print("left as it is")
        return
    for one, cause in _write(stack, altered):
        print(
            f"warning: {one.name} ({one.kind}) was not put back: {cause}\n"
            f"  remedy: take away by hand (kubectl edit): {', '.join(one.paths)}",
            file=sys.stderr,
        )


def altered_objects(reads: dict[str, Read], found: list[Difference]) -> list[Altered]:
    """The objects in the cluster to which something was added that matters (or from which it was
    taken), with all that differs in them and matters. Adopted ones are their owner's.
    """
    paths: dict[tuple[str, str], list[str]] = {}
    altered: set[tuple[str, str]] = set()
    for difference in found:
        key = (difference.name, difference.kind)
        if not is_cluster_object(difference.kind) or difference.retained:
            continue
        for part in difference.properties:
            if is_security_relevant(difference.kind, part.path):
                paths.setdefault(key, []).append(part.path)
                # One value in place of another is the update's to set, if it is all that differs.
                if NOTHING in (part.was, part.now) or part.path.endswith("]"):
                    altered.add(key)
    return [
        Altered(name_of(urn), type_of(urn), tuple(paths[key]), read.was.outputs)
        for urn, read in reads.items()
        if (key := (name_of(urn), type_of(urn))) in altered
    ]


def restored(kind: str, deployed: Any, live: Any, path: str = "") -> Any:
    """The live object with what matters in it as it was deployed. What autoscalers and servers set,
    and what is a secret in the state, stays as it is.
    """
    if path and (owner(kind, path) or reported(kind, path)):
        return live
    if isinstance(live, dict) and isinstance(deployed, dict) and not is_secret(deployed):
        result = {}
        for key in [*live, *(key for key in deployed if key not in live)]:
            value = restored(
                kind,
                deployed.get(key, _ABSENT),
                live.get(key, _ABSENT),
                joined(path, key),
            )
            if value is not _ABSENT:
                result[key] = value
        return result
    if deployed == SECRET_TEXT or is_secret(deployed) or path.startswith("__"):
        return live
    if deployed is _ABSENT and isinstance(live, dict) and not is_security_relevant(kind, path):
        inner = {
            key: kept
            for key, value in live.items()
            if (kept := restored(kind, _ABSENT, value, joined(path, key))) is not _ABSENT
        }
        return inner if inner or not live else _ABSENT
    if not is_security_relevant(kind, path):
        return live
    return deployed if deployed is _ABSENT else deepcopy(deployed)


def with_fields_handed_over(
    managed: list[dict[str, Any]], manager: str
) -> list[dict[str, Any]] | None:
    """The object's `managedFields` with those of MANAGER given to the stack's own, so that its next
    apply meets no conflict with this write. None where there is nothing to give, or nobody to.
    """
    own = next(
        (
            one
            for one in managed
            if (one.get("manager"), one.get("operation")) == (manager, "Apply")
        ),
        None,
    )
    given = [one for one in managed if one.get("manager") == MANAGER]
    if own is None or not given:
        return None
    fields = own.get("fieldsV1") or {}
    for one in given:
        fields = _union(fields, one.get("fieldsV1") or {})
    return [
        {**one, "fieldsV1": fields} if one is own else one for one in managed if one not in given
    ]


def _union(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _union(left.get(key, {}), right.get(key, {})) for key in dict.fromkeys([*left, *right])
    }


def _write(stack: Stack, altered: list[Altered]) -> list[tuple[Altered, str]]:
    """Puts the objects back; returns those that could not be, with the cause."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="put-back-") as file:
        json.dump([asdict(one) for one in altered], file)
        file.flush()
        try:
            causes = stack.ask(
                "ops.drift.put_back", "--stack", stack.name, "--objects", file.name, timeout=TIMEOUT
            )
        except CommandFailed:
            return [(one, "the cluster was not reached, see above") for one in altered]
    return [(one, cause) for one, cause in zip(altered, causes, strict=True) if cause]


def put_back_one(reader: ClusterReader, one: Altered) -> str:
    """Writes one object as it was deployed; returns why not, "" when it is."""
    try:
        path = path_of(reader, one.deployed)
        if not path:
            return f"the cluster knows no {one.deployed.get('kind')}"
        written = _replace(reader, path, one)
        if written:
            _hand_over(reader, path, written, str(one.deployed.get(FIELD_MANAGER_KEY) or ""))
        return ""
    except ClusterError as error:
        return str(error)


def _hand_over(reader: ClusterReader, path: str, written: dict[str, Any], manager: str) -> None:
    """Gives the write's fields to the stack's own manager. Repeats where a controller has written
    the object since, a Deployment's status for one. Raises ClusterError.
    """
    for attempt in range(ATTEMPTS):
        managed = with_fields_handed_over(written["metadata"].get("managedFields") or [], manager)
        if managed is None:
            return
        written["metadata"]["managedFields"] = managed
        try:
            reader.replace(path, written, MANAGER)
        except ClusterError as error:
            if _CONFLICT not in str(error) or attempt == ATTEMPTS - 1:
                raise
            written = reader.get(path)
        else:
            return


def _replace(reader: ClusterReader, path: str, one: Altered) -> dict[str, Any]:
    """The object after it was written; {} where it is as it was deployed already. Repeats where
    somebody else writes it at the same moment. Raises ClusterError.
    """
    for attempt in range(ATTEMPTS):
        live = reader.get(path)
        if not live:
            raise ClusterError("it is gone")
        wanted = restored(one.kind, one.deployed, live)
        if wanted == live:
            return {}
        try:
            return reader.replace(path, wanted, MANAGER)
        except ClusterError as error:
            if _CONFLICT not in str(error) or attempt == ATTEMPTS - 1:
                raise
    return {}


def main() -> int:
    """Prints, as one line of JSON, for each of the objects in a file why it was not put back."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.drift.put_back",
        description="The part of `make up REFRESH=1` that runs where the cluster can be reached.",
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("--objects", type=pathlib.Path, required=True)
    options = parser.parse_args()
    altered = [
        Altered(row["name"], row["kind"], tuple(row["paths"]), row["deployed"])
        for row in json.loads(options.objects.read_text())
    ]
    try:
        reader = open_cluster(Stack(options.stack))[2]
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps([put_back_one(reader, one) for one in altered]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
