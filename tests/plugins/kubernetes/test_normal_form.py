"""Inputs are brought into the form that the API's own types give them."""

from __future__ import annotations

import base64

import pytest

from lab.kubernetes_plugin import normalize, quantity
from lab.kubernetes_plugin.wire import UNKNOWN
from tests.plugins.kubernetes.differences import differs

POD = {"containers": [{"name": "a", "image": "i"}]}


def deployment(spec: dict, pod: dict | None = None) -> dict:
    """A Deployment with these fields."""
    selector = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**POD, **(pod or {})}}
    spec = {"selector": selector, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1Gi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000M", "1G"), ("100", "100"),
        ("0", "0"),        ("2000", "2k"), ("1e3", "1e3"), ("1500Mi", "1500Mi"), ("0.1", "100m"), ("12Ki", "12Ki"), ("1024", "1024"),
    ],
)  # fmt: skip
def test_quantities_get_their_canonical_spelling(given: str, expected: str) -> None:
    assert quantity.canonical(given) == expected


@pytest.mark.parametrize("bad", ["", "abc", "1Zi", "1 Gi", "--1"])
def test_what_is_no_quantity_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity.canonical(bad)


def test_empty_optional_scalars_go_and_explicit_pointers_stay() -> None:
    spec = normalize.normalized(deployment({"minReadySeconds": 0, "replicas": 0, "paused": False, "revisionHistoryLimit": 0}))["spec"]
    assert "minReadySeconds" not in spec and "paused" not in spec
    assert spec["replicas"] == 0 and spec["revisionHistoryLimit"] == 0


def test_a_volumes_empty_class_goes_and_a_claims_stays() -> None:
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"storageClassName": "", "capacity": {}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"storageClassName": ""}}
    assert normalize.normalized(volume)["spec"] == {}
    assert normalize.normalized(claim)["spec"] == {"storageClassName": ""}


def test_unknown_fields_go_and_empty_objects_behind_pointers_stay() -> None:
    pod = {"volumes": [{"name": "scratch", "emptyDir": {}}], "nodeSelektor": {"a": "b"}, "tolerations": [], "securityContext": {}}
    spec = normalize.normalized(deployment({}, pod))["spec"]["template"]["spec"]
    assert spec == {**POD, "volumes": [{"name": "scratch", "emptyDir": {}}], "securityContext": {}}


def test_quantities_inside_objects_are_canonical_and_numbers_become_text() -> None:
    limits = {"cpu": 2, "memory": "2048Mi", "nvidia.com/gpu": 1}
    pod = {"containers": [{"name": "a", "resources": {"limits": limits}}]}
    found = normalize.normalized(deployment({}, pod))["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert found == {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"}


@pytest.mark.parametrize("pod", [{"containers": "none"}, {"terminationGracePeriodSeconds": "20"}, {"hostNetwork": "yes"}])
def test_an_object_that_does_not_fit_its_type_is_left_for_the_server_to_refuse(pod: dict) -> None:
    given = deployment({"minReadySeconds": 0}, pod)
    assert normalize.normalized(given) == given


def test_objects_with_unknown_values_keep_their_form() -> None:
    given = deployment({"minReadySeconds": 0, "replicas": UNKNOWN})
    assert normalize.normalized(given) == given


def test_read_only_metadata_never_is_an_input() -> None:
    metadata = {"name": "x", "uid": "u", "resourceVersion": "1", "managedFields": [], "generation": 3, "labels": {"a": "b"}}
    given = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata}
    assert normalize.normalized(given)["metadata"] == {"name": "x", "labels": {"a": "b"}}


def test_a_secrets_texts_become_its_data() -> None:
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "x"}, "data": {"a": "eQ==", "b": "eg=="}}
    found = normalize.normalized(given)
    assert found["data"] == {"a": base64.b64encode(b"x").decode(), "b": "eg=="} and "stringData" not in found


@differs("normal-form-groups")
def test_kinds_outside_the_stable_groups_keep_their_form() -> None:
    given = {"apiVersion": "storage.k8s.io/v1beta1", "kind": "VolumeAttributesClass", "metadata": {"name": "x"}, "driverName": ""}
    assert normalize.normalized(given) == given
