"""Scans the cluster: the stack's namespaces, volumes, nodes, grants, and every object that its
state named.

Labels decide whose an object is, and the uid in the state where an earlier version left it without
labels (StackLocation.owner_of_object). A name alone makes it doubtful: another stack or a person
may use it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops.cloud.cluster_reader import ClusterReader
from ops.engine.checkpoint import Resource
from ops.engine.stack_location import Owner, StackLocation
from ops.teardown.leftovers import Doubtful, Leftover, leftover
from settings import names

STACK_LABEL = "inference-stack"
PLURALS = {
    "ingress": "ingresses",
    "networkpolicy": "networkpolicies",
    "storageclass": "storageclasses",
    "priorityclass": "priorityclasses",
    "validatingadmissionpolicy": "validatingadmissionpolicies",
}
BOOTSTRAP = "kubernetes.io/bootstrapping"
"""Label of the roles that Kubernetes itself makes."""
SCANNED_APART = ("Namespace", "PersistentVolume")
"""Kinds that have a look of their own."""


def namespaces(reader: ClusterReader, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """The stack's namespace and its interruption handler's, with the number of pods in them."""
    for name in _both(location):
        manifest = reader.get(f"/api/v1/namespaces/{name}")
        if manifest:
            pods = len(reader.items(f"/api/v1/namespaces/{name}/pods"))
            why = f"{(manifest.get('status') or {}).get('phase')}, {pods} pods in it"
            yield from _claimed(
                location.owner_of_object(manifest["metadata"]), "Namespace", name, why
            )


def _both(location: StackLocation) -> tuple[str, str]:
    return location.namespace, names.handler_namespace(location.namespace)


def volumes(
    reader: ClusterReader, location: StackLocation, shared: bool = False
) -> Iterator[Leftover | Doubtful]:
    """PersistentVolumes by name, or claimed from the stack's namespace, unless it is `shared` with
    others.
    """
    inside = _owner_of_namespace(reader, location)
    for item in reader.items("/api/v1/persistentvolumes"):
        claim = (item["spec"].get("claimRef") or {}).get("namespace")
        name = item["metadata"]["name"]
        claimed = claim == location.namespace and not shared
        if name in location.volumes or claimed:
            why = f"{(item.get('status') or {}).get('phase')}, claimed from namespace {claim}"
            owner = location.owner_of_object(item["metadata"])
            if owner is Owner.UNCLEAR and claimed:  # of a storage class: it has no label of ours
                owner = inside
            yield from _claimed(owner, "PersistentVolume", name, why)


def nodes(reader: ClusterReader, location: StackLocation) -> Iterator[Leftover]:
    """Node objects of the stack's pools."""
    for item in reader.items("/api/v1/nodes"):
        labels = item["metadata"].get("labels") or {}
        if (
            labels.get(STACK_LABEL) == location.stack
            or labels.get("alibabacloud.com/nodepool-id") in location.pools
        ):
            yield leftover(
                "Node",
                item["metadata"]["name"],
                f"of node pool {labels.get('alibabacloud.com/nodepool-id')}",
                "",
            )


def objects(
    reader: ClusterReader, known: Sequence[Resource], location: StackLocation
) -> Iterator[Leftover | Doubtful]:
    """Objects that the state named when the run began and that still exist."""
    for resource in known:
        path = path_of(resource)
        manifest = reader.get(path) if path else {}
        if manifest:
            owner = location.owner_of_object(manifest["metadata"])
            left = _object(resource)
            if owner is Owner.OURS:
                yield left
            elif owner is Owner.UNCLEAR:
                yield Doubtful(left.kind, left.id, left.why)


def grants(
    reader: ClusterReader, location: StackLocation, shared: bool = False
) -> Iterator[Leftover | Doubtful]:
    """ClusterRoleBindings to accounts of the stack's namespaces, and the ClusterRoles that nothing
    else grants. Their names are auto-generated, and no state may name them any longer.
    """
    if shared:
        return
    inside = _owner_of_namespace(reader, location)
    bindings = reader.items("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
    own = set(_both(location))
    own_bindings = [binding for binding in bindings if set() < _granted_to(binding) <= own]
    other_roles = {
        binding["roleRef"]["name"] for binding in bindings if binding not in own_bindings
    }
    why = f"granted to accounts of {' and '.join(_both(location))} only"
    for binding in own_bindings:
        metadata = binding["metadata"]
        yield from _claimed(
            _owner_inside(location, metadata, inside),
            "object",
            metadata["name"],
            f"ClusterRoleBinding, {why}",
            of="clusterrolebinding",
        )
    for name in sorted({binding["roleRef"]["name"] for binding in own_bindings} - other_roles):
        role = reader.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")
        if role and BOOTSTRAP not in (role["metadata"].get("labels") or {}):
            owner = _owner_inside(location, role["metadata"], inside)
            yield from _claimed(owner, "object", name, f"ClusterRole, {why}", of="clusterrole")


def _claimed(
    owner: Owner, kind: str, name: str, why: str, of: str = ""
) -> Iterator[Leftover | Doubtful]:
    if owner is Owner.OURS:
        yield leftover(kind, name, why, "", of=of)
    elif owner is Owner.UNCLEAR:
        yield Doubtful(kind, name, why)


def _owner_inside(location: StackLocation, metadata: Mapping[str, Any], inside: Owner) -> Owner:
    owner = location.owner_of_object(metadata)
    return inside if owner is Owner.UNCLEAR else owner


def _owner_of_namespace(reader: ClusterReader, location: StackLocation) -> Owner:
    """Whose the namespace is, and with it what was claimed from it or granted to it. One that is
    gone was the stack's if its state named it when the run began.
    """
    manifest = reader.get(f"/api/v1/namespaces/{location.namespace}")
    if manifest:
        return location.owner_of_object(manifest["metadata"])
    return Owner.OURS if location.namespace_made else Owner.UNCLEAR


def _granted_to(binding: dict) -> set[str]:
    return {subject.get("namespace", "") for subject in binding.get("subjects") or ()}


def forgotten(known: Sequence[Resource]) -> Iterator[Leftover]:
    """What certainly still exists in a cluster that did not answer: the namespace, and
    cluster-scoped objects.
    """
    for resource in known:
        kind = resource.kind.rpartition(":")[2]
        if "/" not in resource.id:
            why = "forgotten by the state; the cluster did not answer"
            yield (
                leftover(kind, resource.id, why, "")
                if kind in SCANNED_APART
                else _object(resource, why)
            )


def _object(resource: Resource, why: str = "") -> Leftover:
    kind, (namespace, _, name) = resource.kind.rpartition(":")[2], resource.id.rpartition("/")
    of = f"{kind.lower()} --namespace {namespace}" if namespace else kind.lower()
    return leftover(
        "object",
        name,
        f"{kind} {resource.id}, {why or f'known to the state as {resource.name}'}",
        "",
        of=of,
    )


def path_of(resource: Resource) -> str:
    """API path of an object; "" for what is scanned separately, or is not a single object."""
    group, _, kind = resource.kind.removeprefix("kubernetes:").rpartition(":")
    if (
        not resource.kind.startswith("kubernetes:")
        or kind in SCANNED_APART
        or group.startswith("helm.sh")
        or not resource.id
    ):
        return ""
    namespace, _, name = resource.id.rpartition("/")
    plural = PLURALS.get(kind.lower(), f"{kind.lower()}s")
    root = f"/api/{group.removeprefix('core/')}" if group.startswith("core/") else f"/apis/{group}"
    space = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{space}/{plural}/{name}"
