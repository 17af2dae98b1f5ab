"""The grammar of URNs, held for the engine and for the policy pack, which runs in an environment of
its own, by one table.
"""

from __future__ import annotations

import pytest

from ops.engine.urns import name_of, provider_reference, provider_urn, type_of
from policy.resources import Resource

URNS = {
    "urn:pulumi:dev::p::alicloud:oss/bucket:Bucket::models": (
        "alicloud:oss/bucket:Bucket",
        "models",
    ),
    "urn:pulumi:dev::p::inference:storage:ModelStore$alicloud:oss/bucket:Bucket::models": (
        "alicloud:oss/bucket:Bucket",
        "models",
    ),
    "urn:pulumi:dev::p::a:b:C$d:e:F$kubernetes:core/v1:Secret::name::with colons": (
        "kubernetes:core/v1:Secret",
        "name::with colons",
    ),
    "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev": ("pulumi:pulumi:Stack", "p-dev"),
    "": ("", ""),
    "no URN": ("", "no URN"),
}


@pytest.mark.parametrize("urn", URNS)
def test_type_and_name_are_read_from_a_urn(urn: str) -> None:
    resource = Resource(urn, {})
    assert (type_of(urn), name_of(urn)) == (resource.kind, resource.name) == URNS[urn]


def test_a_provider_is_referred_to_by_its_urn_and_id() -> None:
    urn = "urn:pulumi:dev::p::pulumi:providers:kubernetes::ack"
    assert provider_urn(provider_reference(urn, "1-2")) == urn
    assert provider_urn(None) == provider_urn("") == ""
