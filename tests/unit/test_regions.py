"""Settings that depend on the region: how the model is stored, and the names of zones."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Settings, SettingsError, load
from settings.catalog import regions
from tests.unit.bad_cluster_inputs import made
from tests.unit.program import PROJECT, stack_values

pytestmark = pytest.mark.usefixtures("model_is_read_once")


def settings(region: str, changes: dict[str, Any]) -> Settings:
    values = {**stack_values("local", changes), "alicloud:region": region}
    values.pop("ossmodel:region", None)
    return load(values, [], project=PROJECT, stack="local", environment={})


@pytest.mark.parametrize(
    ("region", "storage", "redundancy"),
    [
        ("cn-shanghai", "Standard", "ZRS"), ("eu-central-1", "IA", "ZRS"), ("cn-chengdu", "Standard", "LRS"),
        ("ap-southeast-3", "Standard", "ZRS"), ("ap-southeast-3", "IA", "LRS"),
    ],
)  # fmt: skip
def test_the_default_redundancy_is_the_best_that_the_region_has(
    region: str, storage: str, redundancy: str
) -> None:
    found = settings(region, {"modelStore": {"storageClass": storage, "redundancy": None}})
    assert found.model_store.redundancy_in(region) == redundancy
    said = settings(region, {"modelStore": {"storageClass": storage, "redundancy": redundancy}})
    assert found.bucket_name == said.bucket_name, "the name is the same, said or not"


@pytest.mark.parametrize(
    ("region", "storage"),
    [("cn-chengdu", "Standard"), ("us-east-1", "IA"), ("ap-southeast-3", "IA")],
)
def test_zone_redundant_storage_that_the_region_does_not_have_is_refused_before_anything_is_bought(
    region: str, storage: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(region, {"modelStore": {"storageClass": storage, "redundancy": "ZRS"}})
    text = str(caught.value)
    assert "modelStore.redundancy" in text and f"no zone-redundant storage in {region}" in text
    assert "config set --path" in text and "LRS" in text
    assert len(caught.value.problems) == 1


def test_the_government_region_has_a_cluster_with_its_zones() -> None:
    zones = {"cn-north-2-gov-1b": "10.0.128.0/20", "cn-north-2-gov-1l": "10.0.144.0/20"}
    found = settings("cn-north-2-gov-1", made({"vswitches": zones}))
    assert (
        found.region == "cn-north-2-gov-1"
        and found.model_store.redundancy_in(found.region) == "LRS"
    )


@pytest.mark.parametrize("region", sorted(regions.REGIONS | regions.NEWER))
def test_every_region_is_taken(region: str) -> None:
    assert settings(region, {"modelStore": {"redundancy": None}}).region == region


def test_a_region_newer_than_the_program_is_taken_as_the_provider_is_told_to() -> None:
    assert settings("cn-newtown", {"alicloud:skipRegionValidation": "true"}).region == "cn-newtown"


def test_zones_are_named_as_their_region_names_them() -> None:
    abroad = {"ap-southeast-1a": "10.0.128.0/20", "ap-southeast-1b": "10.0.144.0/20"}
    create = made({"vswitches": abroad})
    assert settings("ap-southeast-1", create).cluster.create is not None
    for region in ("ap-southeast-3", "cn-shanghai"):
        with pytest.raises(SettingsError, match=f"a zone of alicloud:region, which is {region}"):
            settings(region, create)
    with pytest.raises(SettingsError, match="vswitches"):
        settings(
            "ap-southeast-1",
            made(
                {
                    "vswitches": {
                        "ap-southeast-1-a": "10.0.128.0/20",
                        "ap-southeast-1b": "10.0.144.0/20",
                    }
                }
            ),
        )
