"""What is adopted: imported by its id, protected, kept, and never changed unless the settings say
so.
"""

from __future__ import annotations

import functools
import json

import pulumi
import pytest

from components import adoption, component
from tests.unit.bad_cluster_inputs import POOL_ID
from tests.unit.monitor import Recording
from tests.unit.program import CLUSTER, run

ALL = {
    "nodePoolId": POOL_ID,
    "bucket": "team-models",
    "roleName": "model-reader",
    "namespace": True,
}
KEEP = {"modelStore": {"forceDestroy": False}}
IMPORTED = {
    "pool-pool": f"{CLUSTER}:{POOL_ID}",
    "access-role": "model-reader",
    "namespace": "inference",
    **{
        f"models-{part}": "team-models"
        for part in ("bucket", "acl", "access-block", "versioning", "encryption", "tls-only")
    },
}


@pytest.fixture
def adopting() -> Recording:
    """A run in which everything that can be is adopted."""
    return _adopting()


@functools.cache
def _adopting() -> Recording:
    return run(changes={"adopt": ALL, **KEEP})


def test_what_is_adopted_is_imported_by_its_id_and_nothing_else(adopting: Recording) -> None:
    assert {
        resource.name: resource.import_id for resource in adopting.resources if resource.import_id
    } == IMPORTED


def test_what_is_adopted_is_protected_and_kept_and_nothing_else(adopting: Recording) -> None:
    assert {resource.name for resource in adopting.resources if resource.protect} == set(IMPORTED)
    kept = {resource.name for resource in adopting.resources if resource.retain_on_delete}
    assert kept == {*IMPORTED, "models-model"}, "the model lies in a bucket that stays"


def test_every_update_of_what_is_adopted_is_refused_unless_the_settings_allow_it(
    adopting: Recording,
) -> None:
    assert {resource.name for resource in adopting.resources if resource.hooks} == set(IMPORTED)
    allowed = run(changes={"adopt": {**ALL, "change": True}, **KEEP})
    assert [resource.name for resource in allowed.resources if resource.hooks] == []
    assert {resource.name for resource in allowed.resources if resource.protect} == set(IMPORTED)


def test_without_a_setting_nothing_is_adopted(either: Recording) -> None:
    assert [
        resource.name for resource in either.resources if resource.import_id or resource.hooks
    ] == []


def test_an_adopted_pool_keeps_its_name_and_tags_and_its_nodes_are_known_by_its_id(
    adopting: Recording,
) -> None:
    pool = adopting.one("cs/nodePool:NodePool")
    assert {"nodePoolName", "tags", "updateNodes"} <= set(pool.ignore_changes)
    assert pool.inputs["labels"] == [{"key": "inference", "value": "tensorflow"}]
    selector = adopting.named("server-deployment").inputs["spec"]["template"]["spec"][
        "nodeSelector"
    ]
    assert selector == {"inference": "tensorflow", "alibabacloud.com/nodepool-id": POOL_ID}
    handler = json.loads(adopting.named("interruption-code").inputs["data"]["settings.json"])
    assert handler["pool_labels"] == {"alibabacloud.com/nodepool-id": POOL_ID}


def test_the_adopted_bucket_and_role_are_used_everywhere(adopting: Recording) -> None:
    attributes = adopting.one("PersistentVolume").inputs["spec"]["csi"]["volumeAttributes"]
    assert (attributes["bucket"], attributes["roleName"]) == ("team-models", "model-reader")
    assert adopting.one("ossmodel:index:Model").inputs["bucket"] == "team-models"
    assert not adopting.one("ossmodel:index:Model").protect, "the model is the stack's own"


def refusal(old: dict, new: dict) -> str:
    """What the hook says of an update from `old` to `new`."""
    step = pulumi.ResourceHookArgs(
        "urn", "i-1", "pool-pool", "t", new_inputs=new, old_inputs=old, old_outputs=old
    )
    return adoption._message(step, "nodePool")


def test_the_refusal_names_each_differing_property_with_both_values_and_both_ways_out() -> None:
    old = {
        "labels": [{"key": "a", "value": "1"}],
        "systemDiskSize": 120.0,
        "resourceGroupId": "rg-1",
        "scalingConfig": {"maxSize": 5.0},
    }
    new = {
        "labels": [{"__defaults": [], "key": "a", "value": "2"}],
        "systemDiskSize": 200,
        "scalingConfig": {"minSize": 0, "maxSize": 5},
        "installCloudMonitor": False,
        "__defaults": ["x"],
    }
    assert refusal(old, new).splitlines() == [
        "pool-pool (i-1) is adopted and is not as nodePool asks for; nothing was changed.",
        '  labels is [{"key": "a", "value": "1"}], nodePool asks for [{"key": "a", "value": "2"}]',
        "  systemDiskSize is 120, nodePool asks for 200",
        "  remedy: write in nodePool what exists, or change what exists by hand; then run again with --refresh",
        "  or have the stack change it, as the preview shows: pulumi config set --path 'elastic-inference:adopt.change' true",
    ]


def test_an_update_that_finds_everything_as_asked_for_is_let_through() -> None:
    live = {"metadata": {"name": "a", "labels": {"x": "1", "y": "2"}, "uid": "u"}}
    asked = {"metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}}
    known = {"metadata": {"name": "a", "labels": {"x": "1"}}}
    step = pulumi.ResourceHookArgs(
        "urn", "a", "namespace", "t", new_inputs=asked, old_inputs=known, old_outputs=live
    )
    assert adoption._differing(step) == []
    foreign = {"metadata": {"name": "a", "labels": {"x": "1", "team": "b"}}}
    step = pulumi.ResourceHookArgs(
        "urn", "a", "namespace", "t", new_inputs=asked, old_inputs=foreign, old_outputs=live
    )
    assert adoption._differing(step) == ["metadata"]


def test_what_exists_and_is_not_asked_for_is_named_when_nothing_else_differs() -> None:
    assert "spotPriceLimits is [1], nodePool asks for not set" in refusal(
        {"a": 1, "spotPriceLimits": [1]}, {"a": 1}
    )


def test_a_former_name_reaches_component_children_and_what_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = {
        "pool": [pulumi.Alias(name="gpus", type_="inference:nodes:Pool")],
        "autoscaler-hpa": [pulumi.Alias(name="server-hpa")],
        "namespace": [pulumi.Alias(name="space")],
        "ack": [pulumi.Alias(name="cluster")],
    }
    monkeypatch.setattr(component, "ALIASES", table)
    found = {
        resource.name: resource.aliases[-1]
        for resource in run().resources
        if resource.aliases and resource.aliases[-1][1]
    }
    assert found == {
        "pool": ("inference:nodes:Pool", "gpus"),
        "autoscaler-hpa": ("", "server-hpa"),
        "namespace": ("", "space"),
        "ack": ("", "cluster"),
    }
