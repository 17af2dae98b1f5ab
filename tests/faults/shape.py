"""What must be the same after every run: the stack's state and the region's content, without what
is drawn or dated anew each time.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KINDS = (
    *(
        "nodepool",
        "bucket",
        "ram_role",
        "ram_policy",
        "ram_attachment",
        "ram_tags",
        "ram_user",
        "addon",
        "upload",
        "cluster",
    ),
    *("vpc", "vswitch", "security_group", "oidc_provider", "log_project", "logstore"),
)
DATED = {
    *(
        "created",
        "updated",
        "CreateDate",
        "UpdateDate",
        "AttachDate",
        "createDate",
        "updateDate",
        "createTime",
        "creationDate",
        "modified",
    ),
    *(
        "RoleId",
        "roleId",
        "attachmentCount",
        "lastModifiedTime",
        "__meta",
        "__defaults",
        "externalId",
    ),
}
"""Names of values that differ from run to run, that count what others do, or that only plugins and
engine know the meaning of.
"""
CHANGES_IN_CLUSTER = {
    *(
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "status",
        "clusterIP",
        "clusterIPs",
        "nodePort",
    ),
    *(
        "deployment.kubernetes.io/revision",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "finalizers",
    ),
}
"""Names of values of objects that the cluster sets, and sets anew each time."""
SECRET = "4dabf18193072939515e22adb298388d"
"""Key by which a secret is known in a state."""
_DRAWN = (
    (re.compile(r"asg-[0-9a-f]{20}"), "<scaling group>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"np[0-9a-f]{30}"), "<pool>"),
    (re.compile(r'"owner": "[0-9a-f]{32}"'), '"owner": "<drawn>"'),
    (re.compile(r"\bc[0-9a-f]{32}\b"), "<cluster>"),
    (re.compile(r"\b(vpc|vsw|sg|vrt|vtb|lb)-[0-9a-f]{8,20}\b"), r"<\1>"),
    (re.compile(r"KubernetesWorkerRole-[0-9a-f-]+"), "<nodes' role>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+[\d:]+)"), "<time>"),
)
Shape = dict[str, str]


def of_state(checkpoint: Path) -> Shape:
    """The state of a stack, a line for each resource, and its unsettled operations."""
    latest = json.loads(checkpoint.read_text())["checkpoint"]["latest"] or {}
    resources = latest.get("resources") or []
    found = {
        f"state {resource['urn']}": plain(without_what_the_cluster_says(resource))
        for resource in resources
    }
    doubled = len(resources) - len(found)
    pending = {
        f"pending {one['type']} {one['resource']['urn']}": "is there"
        for one in latest.get("pending_operations") or []
    }
    return {
        **found,
        **pending,
        **({"state resources listed twice": str(doubled)} if doubled else {}),
    }


def without_what_the_cluster_says(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource; of an object in the cluster what the program says of it: what the cluster adds
    is other after every run.
    """
    if not resource["type"].startswith("kubernetes:"):
        return resource
    inputs = {name: part for name, part in resource["inputs"].items() if not name.startswith("__")}
    kept = {
        name: resource.get(name)
        for name in ("urn", "type", "parent", "protect", "delete", "initErrors")
    }
    return {
        **kept,
        "id": _autonamed(resource["id"]),
        "inputs": json.loads(_autonamed(json.dumps(inputs))),
    }


def of_cluster(objects: Sequence[tuple[str, dict[str, Any]]]) -> Shape:
    """The objects, (kind, object) each, without what the cluster sets anew each time."""
    found: Shape = {}
    for kind, item in sorted(
        objects,
        key=lambda pair: (
            pair[0],
            _autonamed(pair[1]["metadata"]["name"]),
            pair[1]["metadata"]["name"],
        ),
    ):
        metadata = item["metadata"]
        going = ", going" if metadata.get("deletionTimestamp") else ""
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        _put(
            found,
            f"cluster {kind} {place}{_autonamed(metadata['name'])}{going}",
            _autonamed(plain(_settled(item))),
        )
    return found


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _settled(part) for name, part in value.items() if name not in CHANGES_IN_CLUSTER
        }
    return [_settled(part) for part in value] if isinstance(value, list) else value


def _autonamed(text: str) -> str:
    """Without the ending of a name that the plugin draws."""
    return re.sub(r"\b([a-z][a-z0-9-]*)-[0-9a-f]{8}\b(?!-)", r"\1-<drawn>", text)


def of_region(database: Path) -> Shape:
    """What exists in the region. Of objects the current content counts: a version that was
    overwritten is the bucket's past.
    """
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=120) as connection:
        rows = connection.execute("SELECT kind, id, data FROM doc ORDER BY seq").fetchall()
        objects = connection.execute(
            "SELECT bucket, key, size, crc FROM object AS o WHERE marker=0"
            " AND seq=(SELECT max(seq) FROM object WHERE bucket=o.bucket AND key=o.key)"
        ).fetchall()
    documents = [(kind, identity, json.loads(data)) for kind, identity, data in rows]
    found: Shape = {}
    for kind, identity, document in documents:
        if kind in KINDS:
            name, compared = identity, document
            if kind == "nodepool":  # how many nodes it has is the scaler's business
                name = document["nodepool_info"]["name"]
                compared = {**document, "status": "", "count": ""}
            _put(found, f"region {kind} {name}", plain(compared))
    living = [
        doc
        for kind, _, doc in documents
        if kind == "instance" and doc["status"] not in ("Stopping", "Deleted")
    ]
    pools = {identity for kind, identity, _ in documents if kind == "nodepool"}
    found["region instances"] = str(len(living))
    found["region instances without a pool"] = str(
        sum(one["nodepool_id"] not in pools for one in living)
    )
    for (
        bucket,
        key,
        size,
        crc,
    ) in objects:  # the manifest carries its owner, which is drawn at every creation
        _put(
            found,
            f"region object {bucket}/{key}",
            "is there" if "/.ossmodel/" in key else f"{size} bytes, crc {crc}",
        )
    return found


def _put(found: Shape, name: str, value: str) -> None:
    name = _drawn(name)
    while name in found:
        name += " (again)"
    found[name] = value


def plain(value: Any) -> str:
    """The value as text, without what differs from run to run."""
    return _drawn(json.dumps(_essential(value), sort_keys=True, ensure_ascii=False))


def _drawn(text: str) -> str:
    for pattern, name in _DRAWN:
        text = pattern.sub(name, text)
    return text


def _essential(value: Any) -> Any:
    """Without dates, secrets, what is empty, and the order of lists: tags and dependencies have
    none.
    """
    if isinstance(value, dict):
        if SECRET in value:
            return "<secret>"
        held = {name: _essential(part) for name, part in value.items() if name not in DATED}
        return {
            name: part for name, part in held.items() if part not in (None, False, "", 0, [], {})
        }
    if isinstance(value, list):
        return sorted(
            (_essential(part) for part in value), key=lambda part: json.dumps(part, sort_keys=True)
        )
    if isinstance(value, str) and "<Tag>" in value:
        return sorted(re.findall(r"<Tag>.*?</Tag>", value))
    return value


def differences(expected: Shape, found: Shape, also: Sequence[Shape] = ()) -> list[str]:
    """What is missing, too much or other, a line each. A part may as well be as in one of
    `also`.
    """
    lines = [f"missing: {name}" for name in expected.keys() - found.keys()]
    lines += [f"too much: {name}" for name in found.keys() - expected.keys()]
    for name in sorted(expected.keys() & found.keys()):
        if found[name] not in {expected[name], *(other.get(name) for other in also)}:
            lines.append(f"other: {name}: {_first_difference(expected[name], found[name])}")
    return sorted(lines)


def _first_difference(expected: str, found: str, context: int = 60) -> str:
    at = next(
        (n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    start = max(0, at - context)
    return f"…{expected[start : at + context]}… is …{found[start : at + context]}…"
