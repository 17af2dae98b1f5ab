"""Looks for what is left in the cluster: the stack's namespace, its volumes, its nodes, and every
object its state had named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ops.teardown.checkpoint import Resource
from ops.teardown.found import Found, found
from ops.teardown.inside import Inside
from ops.teardown.place import Place

STACK_LABEL = "inference-stack"
PLURALS = {
    "ingress": "ingresses",
    "networkpolicy": "networkpolicies",
    "storageclass": "storageclasses",
    "priorityclass": "priorityclasses",
}
BOOTSTRAP = "kubernetes.io/bootstrapping"
"""Label of the roles that Kubernetes itself makes."""
LOOKED_AT = ("Namespace", "PersistentVolume")
"""Kinds that have a look of their own."""


def namespaces(inside: Inside, place: Place) -> Iterator[Found]:
    """The stack's namespace, with what is still in it."""
    there = inside.get(f"/api/v1/namespaces/{place.namespace}")
    if there:
        pods = len(inside.items(f"/api/v1/namespaces/{place.namespace}/pods"))
        yield found(
            "Namespace",
            place.namespace,
            f"{(there.get('status') or {}).get('phase')}, {pods} pods in it",
            "",
        )


def volumes(inside: Inside, place: Place, shared: bool = False) -> Iterator[Found]:
    """PersistentVolumes by name, or claimed from the stack's namespace, unless it is `shared` with
    others.
    """
    for item in inside.items("/api/v1/persistentvolumes"):
        claim = (item["spec"].get("claimRef") or {}).get("namespace")
        name = item["metadata"]["name"]
        if name in place.volumes or (claim == place.namespace and not shared):
            yield found(
                "PersistentVolume",
                name,
                f"{(item.get('status') or {}).get('phase')}, claimed from namespace {claim}",
                "",
            )


def nodes(inside: Inside, place: Place) -> Iterator[Found]:
    """Node objects of the stack's pools."""
    for item in inside.items("/api/v1/nodes"):
        labels = item["metadata"].get("labels") or {}
        if (
            labels.get(STACK_LABEL) == place.stack
            or labels.get("alibabacloud.com/nodepool-id") in place.pools
        ):
            yield found(
                "Node",
                item["metadata"]["name"],
                f"of node pool {labels.get('alibabacloud.com/nodepool-id')}",
                "",
            )


def objects(inside: Inside, known: Sequence[Resource]) -> Iterator[Found]:
    """Objects that the state named when the run began, and that are still there."""
    for one in known:
        path = path_of(one)
        if path and inside.get(path):
            yield _object(one)


def grants(inside: Inside, place: Place, shared: bool = False) -> Iterator[Found]:
    """ClusterRoleBindings to accounts of the stack's namespace, and the ClusterRoles that nothing
    else grants. Their names are drawn, and no state may know them any more.
    """
    if shared:
        return
    bindings = inside.items("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
    ours = [one for one in bindings if _granted_to(one) == {place.namespace}]
    others = {one["roleRef"]["name"] for one in bindings if one not in ours}
    why = f"granted to accounts of namespace {place.namespace} only"
    for one in ours:
        yield found(
            "object",
            one["metadata"]["name"],
            f"ClusterRoleBinding, {why}",
            "",
            of="clusterrolebinding",
        )
    for name in sorted({one["roleRef"]["name"] for one in ours} - others):
        role = inside.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")
        if role and BOOTSTRAP not in (role["metadata"].get("labels") or {}):
            yield found("object", name, f"ClusterRole, {why}", "", of="clusterrole")


def _granted_to(binding: dict) -> set[str]:
    return {subject.get("namespace", "") for subject in binding.get("subjects") or ()}


def forgotten(known: Sequence[Resource]) -> Iterator[Found]:
    """What is certainly still in a cluster that did not answer: the namespace, and what belongs to
    none.
    """
    for one in known:
        kind = one.kind.rpartition(":")[2]
        if "/" not in one.id:
            why = "forgotten by the state; the cluster did not answer"
            yield found(kind, one.id, why, "") if kind in LOOKED_AT else _object(one, why)


def _object(one: Resource, why: str = "") -> Found:
    kind, (namespace, _, name) = one.kind.rpartition(":")[2], one.id.rpartition("/")
    of = f"{kind.lower()} --namespace {namespace}" if namespace else kind.lower()
    return found(
        "object", name, f"{kind} {one.id}, {why or f'known to the state as {one.name}'}", "", of=of
    )


def path_of(one: Resource) -> str:
    """Where the API server has the object; "" for what has a look of its own, or is no single
    object.
    """
    group, _, kind = one.kind.removeprefix("kubernetes:").rpartition(":")
    if (
        not one.kind.startswith("kubernetes:")
        or kind in LOOKED_AT
        or group.startswith("helm.sh")
        or not one.id
    ):
        return ""
    namespace, _, name = one.id.rpartition("/")
    plural = PLURALS.get(kind.lower(), f"{kind.lower()}s")
    root = f"/api/{group.removeprefix('core/')}" if group.startswith("core/") else f"/apis/{group}"
    space = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{space}/{plural}/{name}"
