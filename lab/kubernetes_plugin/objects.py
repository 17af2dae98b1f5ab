"""Small readers and writers for Kubernetes objects held as plain dictionaries (values may be UNKNOWN during a preview)."""

from __future__ import annotations

import copy
from typing import Any

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
WAIT_FOR = "pulumi.com/waitFor"
DELETION_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Object = dict[str, Any]


def pluck(obj: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(key)
    return obj


def text(obj: Any, *path: str) -> str:
    """The string at a path, or "" when there is none (or it is not known yet)."""
    value = pluck(obj, *path)
    return value if isinstance(value, str) else ""


def api_version(obj: Object) -> str:
    """`apiVersion`, or ""."""
    return text(obj, "apiVersion")


def kind(obj: Object) -> str:
    """`kind`, or ""."""
    return text(obj, "kind")


def name(obj: Object) -> str:
    """`metadata.name`, or ""."""
    return text(obj, "metadata", "name")


def namespace(obj: Object) -> str:
    """`metadata.namespace`, or ""."""
    return text(obj, "metadata", "namespace")


def uid(obj: Object) -> str:
    """`metadata.uid`, or ""."""
    return text(obj, "metadata", "uid")


def generation(obj: Object) -> int:
    """`metadata.generation`, or 0."""
    value = pluck(obj, "metadata", "generation")
    return value if isinstance(value, int) else 0


def annotation(obj: Object, key: str) -> str:
    """An annotation's value, or ""."""
    return text(obj, "metadata", "annotations", key)


def is_true(obj: Object, key: str) -> bool:
    """Whether an annotation says "true"."""
    return annotation(obj, key) == "true"


def set_metadata(obj: Object, key: str, value: str) -> None:
    """Set (or with "" remove) one metadata field; does nothing while metadata as a whole is unknown."""
    metadata = obj.setdefault("metadata", {}) if value else obj.get("metadata")
    if not isinstance(metadata, dict):
        return
    if value:
        metadata[key] = value
    else:
        metadata.pop(key, None)


def set_annotation(obj: Object, key: str, value: str) -> None:
    """Set an annotation; does nothing while metadata or the annotations are unknown."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        annotations = metadata.setdefault("annotations", {})
        if isinstance(annotations, dict):
            annotations[key] = value


def qualified_name(obj: Object) -> str:
    """The resource id: `namespace/name`, or `name` for cluster-wide objects."""
    space = namespace(obj)
    return f"{space}/{name(obj)}" if space else name(obj)


def split_id(resource_id: str) -> tuple[str, str]:
    """(namespace, name) of a resource id."""
    parts = resource_id.split("/")
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def owned_by(obj: Object, owner: Object | None) -> bool:
    """Whether `owner` is among the object's owner references."""
    if owner is None:
        return False
    references = pluck(obj, "metadata", "ownerReferences") or []
    return any(reference.get("uid") == uid(owner) for reference in references)


def prune(source: Any, target: Any) -> Any:
    """The part of `source` that has the shape of `target`: keys and list positions that `target` has, with `source`'s values."""
    if isinstance(source, dict) and isinstance(target, dict):
        return {key: prune(value, target[key]) for key, value in source.items() if key in target}
    if isinstance(source, list) and isinstance(target, list):
        if source and target and type(source[0]) is not type(target[0]):
            return copy.deepcopy(source)
        return [prune(value, wanted) for value, wanted in zip(source, target, strict=False)]
    return copy.deepcopy(source)
