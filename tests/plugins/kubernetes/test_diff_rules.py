"""Which changes update, which replace, and when the old object must go first."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.plugins.kubernetes.process import Plugin, urn

LABELS = {"matchLabels": {"app": "a"}}
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
CONTAINER = "spec.template.spec.containers[0]"


def obj(api_version: str, kind: str, **fields: object) -> dict:
    """An object named `x`; `metadata` adds to its metadata."""
    metadata = {"name": "x", "namespace": "n", **fields.pop("metadata", {})}  # type: ignore[dict-item]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


DEPLOYMENT = obj("apps/v1", "Deployment", spec={"selector": LABELS, "template": TEMPLATE})
SERVICE = obj("v1", "Service", spec={"ports": [{"port": 80}], "selector": {"a": "b"}, "clusterIP": "None"})
CONFIG = obj("v1", "ConfigMap", data={"a": "1"})
CLAIM = obj("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}})
ROLE = obj("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"apiGroup": "g", "kind": "Role", "name": "a"})
CLASS = obj("storage.k8s.io/v1", "StorageClass", provisioner="a", metadata={"namespace": ""})


def changed(base: dict, path: str, value: object) -> dict:
    """A copy of `base` with one value (None removes it)."""
    import copy

    result = copy.deepcopy(base)
    *way, last = path.split(".")
    at = result
    for key in way:
        at = at[int(key)] if key.isdigit() else at.setdefault(key, {})
    if value is None:
        del at[last]
    else:
        at[last] = value
    return result


CASES = [
    (DEPLOYMENT, "spec.replicas", 3, {"spec.replicas": "ADD"}),
    (DEPLOYMENT, "spec.selector.matchLabels.app", "b", {"spec.selector.matchLabels.app": "UPDATE_REPLACE"}),
    (DEPLOYMENT, "spec.template.metadata.labels.app", None, {"spec.template.metadata.labels": "DELETE"}),
    (DEPLOYMENT, "spec.template.spec.containers.0.image", "i:2", {f"{CONTAINER}.image": "UPDATE"}),
    (DEPLOYMENT, "spec.template.spec.containers", [*TEMPLATE["spec"]["containers"], {"name": "d"}],  # type: ignore[index]
     {"spec.template.spec.containers[1]": "ADD"}),
    (DEPLOYMENT, "metadata.annotations", {"a.b/c": "d"}, {"metadata.annotations": "ADD"}),
    (DEPLOYMENT, "metadata.name", "y", {"metadata.name": "UPDATE_REPLACE"}),
    (DEPLOYMENT, "metadata.namespace", "m", {"metadata.namespace": "UPDATE_REPLACE"}),
    (SERVICE, "spec.clusterIP", None, {"spec.clusterIP": "DELETE_REPLACE"}),
    (SERVICE, "spec.type", "NodePort", {"spec.type": "ADD"}),
    (SERVICE, "spec.ports.0.port", 81, {"spec.ports[0].port": "UPDATE"}),
    (CONFIG, "data.a", "2", {"data.a": "UPDATE_REPLACE"}),
    (CONFIG, "metadata.labels", {"a": "b"}, {"metadata.labels": "ADD"}),
    (CLAIM, "spec.resources.requests.storage", "2Gi", {"spec.resources.requests.storage": "UPDATE"}),
    (CLAIM, "spec.volumeName", "v", {"spec.volumeName": "ADD_REPLACE"}),
    (CLAIM, "spec.accessModes", ["ReadWriteOnce"], {"spec.accessModes[0]": "UPDATE_REPLACE"}),
    (ROLE, "roleRef.name", "b", {"roleRef.name": "UPDATE_REPLACE"}),
    (CLASS, "provisioner", "b", {"provisioner": "UPDATE_REPLACE"}),
    (CLASS, "parameters", {"a": "b"}, {"parameters": "ADD_REPLACE"}),
]  # fmt: skip


@pytest.mark.parametrize(("base", "path", "value", "expected"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_change_updates_or_replaces_by_the_kinds_rules(plugin: Plugin, base: dict, path: str, value: object, expected: dict) -> None:
    new = changed(base, path, value)
    answer = plugin.diff(urn("kubernetes:x/v1:X", "x"), {**base, "__inputs": base}, new)
    found = {p: provider_pb2.PropertyDiff.Kind.Name(c.kind) for p, c in answer.detailedDiff.items()}
    assert found == expected
    assert list(answer.replaces) == [p for p, kind in expected.items() if kind.endswith("REPLACE")]
    named_alike = bool(answer.replaces) and path not in ("metadata.name", "metadata.namespace")
    assert answer.deleteBeforeReplace == named_alike
    assert all(answer.detailedDiff[p].inputDiff == kind.startswith("DELETE") for p, kind in found.items())


def test_what_the_cluster_added_is_no_change(plugin: Plugin) -> None:
    live = changed(changed(DEPLOYMENT, "spec.replicas", 4), "metadata.uid", "u")
    answer = plugin.diff(urn("kubernetes:apps/v1:Deployment", "x"), {**live, "status": {}, "__inputs": DEPLOYMENT}, DEPLOYMENT)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_drift_of_an_asked_for_value_is_a_change(plugin: Plugin) -> None:
    live = changed(DEPLOYMENT, "spec.template.spec.containers.0.image", "i:9")
    answer = plugin.diff(urn("kubernetes:apps/v1:Deployment", "x"), {**live, "__inputs": DEPLOYMENT}, DEPLOYMENT)
    assert list(answer.detailedDiff) == [f"{CONTAINER}.image"]


def test_ignored_paths_are_no_change(plugin: Plugin) -> None:
    new = changed(changed(DEPLOYMENT, "spec.replicas", 4), "spec.template.spec.containers.0.image", "i:2")
    state = {**DEPLOYMENT, "__inputs": DEPLOYMENT}
    ignored = ["spec.replicas", "spec.template.spec.containers[*].image"]
    answer = plugin.diff(urn("kubernetes:apps/v1:Deployment", "x"), state, new, ignore=ignored)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_autonamed_object_is_replaced_without_going_first(plugin: Plugin) -> None:
    marked = {"annotations": {"pulumi.com/autonamed": "true"}}
    old = obj("v1", "ConfigMap", data={"a": "1"}, metadata=marked)
    answer = plugin.diff(urn("kubernetes:core/v1:ConfigMap", "x"), {**old, "__inputs": old}, changed(old, "data.a", "2"))
    assert list(answer.replaces) == ["data.a"] and not answer.deleteBeforeReplace


@pytest.mark.parametrize(("kind", "setting"), [("ConfigMap", "enableConfigMapMutable"), ("Secret", "enableSecretMutable")])
def test_contents_declared_mutable_are_updated_unless_the_object_is_immutable(
    plugin: Plugin, control_plane: object, kind: str, setting: str
) -> None:
    plugin.configure(str(control_plane.kubeconfig), **{setting: "true"})  # type: ignore[attr-defined]
    old = obj("v1", kind, data={"a": "MQ=="})
    about = urn(f"kubernetes:core/v1:{kind}", "x")
    assert not plugin.diff(about, {**old, "__inputs": old}, changed(old, "data.a", "Mg==")).replaces
    fixed = {**old, "immutable": True}
    assert list(plugin.diff(about, {**fixed, "__inputs": fixed}, changed(fixed, "data.a", "Mg==")).replaces) == ["data.a"]
