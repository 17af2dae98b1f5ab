"""Two stacks in one cluster: no name of the one is a name of the other, in whatever scope the name
counts.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.monitor import Recording
from tests.unit.program import CLUSTER, run

SHARED = {"id": CLUSTER, "accountId": None}
SWITCHES = ["vsw-shared1", "vsw-shared2"]
CLUSTER_SCOPED = (
    "Namespace",
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "PriorityClass",
    "IngressClass",
    "StorageClass",
)


@functools.cache
def _pair() -> tuple[Recording, Recording]:
    first = run(
        "dev", {"cluster": SHARED, "nodePool": {"vswitchIds": SWITCHES}, "headroom": {"nodes": 1}}
    )
    second = {
        "cluster": SHARED,
        "nodePool": {"vswitchIds": SWITCHES},
        "headroom": {"nodes": 1},
        "namespace": "inference-staging",
        "nodeScaler": {"mode": "shared", "scaleDownDelay": None},
        "entry": {"kind": "nginx", "totalQps": None},
    }
    return first, run("staging", second)


@pytest.fixture
def pair() -> tuple[Recording, Recording]:
    """dev and staging in the same cluster, account and vSwitches."""
    return _pair()


def scoped_names(recording: Recording) -> Iterator[tuple[str, str]]:
    """(scope, name) of everything whose name has to be its own there. An object without a name gets
    a random one from the plugin.
    """
    for resource in (one for one in recording.resources if one.custom):
        kind, inputs = resource.type.rsplit(":", 1)[1], resource.inputs
        if resource.type.startswith("kubernetes:"):
            metadata = inputs.get("metadata", {})
            scope = (
                "cluster" if kind in CLUSTER_SCOPED else f"namespace {metadata.get('namespace')}"
            )
            if "name" in metadata:
                yield f"{scope}, {kind}", metadata["name"]
        yield from _cloud_names(resource.type, kind, inputs)


def _cloud_names(token: str, kind: str, inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    keys = {
        "Bucket": ("all of OSS", "bucket"),
        "Role": ("account, role", "roleName"),
        "Policy": ("account, policy", "policyName"),
    }
    if token.startswith("alicloud:") and kind in keys:
        scope, key = keys[kind]
        yield scope, inputs[key]
    if kind == "NodePool":
        yield "cluster, node pool", inputs["nodePoolName"]
    if kind == "AutoscalingConfig":
        yield "cluster, node scaler", inputs["clusterId"]
    if kind == "PersistentVolume":
        yield "cluster, volume handle", inputs["spec"]["csi"]["volumeHandle"]
    if kind == "HorizontalPodAutoscaler":
        labels = inputs["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]
        yield f"log project {labels['sls.project']}", labels["sls.ingress.route"]
    if kind == "Ingress":
        yield (
            f"ingress class {inputs['spec']['ingressClassName']}",
            inputs["spec"]["rules"][0].get("host", "*"),
        )


def test_no_name_is_taken_twice_in_its_scope(pair: tuple[Recording, Recording]) -> None:
    first, second = (set(scoped_names(recording)) for recording in pair)
    assert first & second == set()
    scopes = {scope.split(",")[-1].strip() for scope, _ in first}
    assert {
        "all of OSS",
        "role",
        "policy",
        "node pool",
        "PersistentVolume",
        "volume handle",
        "node scaler",
        "Namespace",
    } <= scopes
    assert len(first) > 15 and len(second) > 15


def test_the_names_of_one_stack_are_its_own_as_well(pair: tuple[Recording, Recording]) -> None:
    for recording in pair:
        names = list(scoped_names(recording))
        assert len(names) == len(set(names))


def test_everything_cluster_wide_is_named_by_content_by_the_settings_or_by_the_plugin(
    pair: tuple[Recording, Recording],
) -> None:
    """A fixed name of a cluster-wide object would make the second stack fail, or worse: take the
    first one's over.
    """
    named = {kind: set() for kind in CLUSTER_SCOPED}
    for recording in pair:
        for resource in recording.resources:
            kind = resource.type.rsplit(":", 1)[1]
            if resource.type.startswith("kubernetes:") and kind in named:
                named[kind].add(resource.inputs.get("metadata", {}).get("name"))
    assert {kind for kind, names in named.items() if names - {None}} == {
        "Namespace",
        "PersistentVolume",
    }
    assert named["ClusterRole"] == named["PriorityClass"] == {None}


def test_the_second_stack_leaves_the_node_scaler_to_the_first_and_says_nothing_about_it(
    pair: tuple[Recording, Recording],
) -> None:
    first, second = pair
    assert len(first.of("AutoscalingConfig")) == 1 and second.of("AutoscalingConfig") == []
    assert not [text for text in second.warnings if "node scaler" in text]
    assert first.of("Deployment") and not [
        one for one in second.of("Deployment") if one.name == "herald-deployment"
    ], "one herald will do"


def test_pods_and_handler_of_one_stack_know_none_of_the_others_nodes(
    pair: tuple[Recording, Recording],
) -> None:
    pools = [
        {label["key"]: label["value"] for label in one.one("cs/nodePool:NodePool").inputs["labels"]}
        for one in pair
    ]
    for number, recording in enumerate(pair):
        own, other = pools[number], pools[1 - number]
        selector = recording.named("server-deployment").inputs["spec"]["template"]["spec"][
            "nodeSelector"
        ]
        handler = json.loads(recording.named("interruption-code").inputs["data"]["settings.json"])
        for labels in (selector, handler["node_labels"], handler["pool_labels"]):
            assert labels.items() <= own.items() and not labels.items() <= other.items()


def test_two_stacks_that_adopt_the_same_bucket_and_role_have_a_volume_each() -> None:
    adopt = {
        "adopt": {"bucket": "team-models", "roleName": "reader"},
        "modelStore": {"forceDestroy": False},
    }
    names = {
        run(changes={**adopt, "namespace": space})
        .one("PersistentVolume")
        .inputs["metadata"]["name"]
        for space in ("a", "b")
    }
    assert len(names) == 2
