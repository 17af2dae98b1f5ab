"""What a killed update was creating, put into the state: beside the others, or in the place of what
it was to replace.
"""

from typing import Any

import pytest

from ops.engine.checkpoint import with_adopted, with_live_references
from ops.engine.pending_operations import is_half_created


def resource(name: str, identity: str, **more: Any) -> dict[str, Any]:
    """One resource of a state."""
    return {"urn": f"urn:pulumi:local::p::kind::{name}", "id": identity, **more}


def test_a_new_resource_comes_after_the_others() -> None:
    assert [
        one["id"] for one in with_adopted([resource("pool", "a")], [resource("bucket", "b")])
    ] == [
        "a",
        "b",
    ]


def test_a_replacement_takes_the_place_of_what_it_replaces_which_is_deleted_later() -> None:
    known = [resource("pool", "old", protect=True), resource("deployment", "d")]
    found = with_adopted(known, [resource("pool", "new")])
    assert [(one["id"], one.get("delete", False)) for one in found] == [
        ("new", False),
        ("d", False),
        ("old", True),
    ]
    assert found[-1]["protect"] and "delete" not in known[0]


def test_what_was_to_be_deleted_already_stays_so() -> None:
    known = [resource("pool", "older", delete=True), resource("pool", "old")]
    found = with_adopted(known, [resource("pool", "new")])
    assert [(one["id"], one.get("delete", False)) for one in found] == [
        ("older", True),
        ("new", False),
        ("old", True),
    ]


PROVIDER = {
    "urn": "urn:pulumi:local::p::pulumi:providers:kubernetes::ack",
    "id": "new",
    "type": "pulumi:providers:kubernetes",
}
POOL = {**resource("pool", "a"), "type": "kind"}


def pending(**more: Any) -> dict[str, Any]:
    """A resource whose creation was never answered, as it stands among the pending operations."""
    return {**resource("config", ""), "type": "kind", "provider": f"{PROVIDER['urn']}::old", **more}


def test_a_pending_resource_goes_to_the_provider_that_was_made_since() -> None:
    found = with_live_references(pending(), [PROVIDER])
    assert found is not None and found["provider"] == f"{PROVIDER['urn']}::new"


def test_without_a_provider_in_the_state_it_is_not_put_in() -> None:
    assert with_live_references(pending(), [POOL]) is None


def test_what_it_depended_on_and_is_gone_is_no_longer_referred_to() -> None:
    gone = resource("gone", "")["urn"]
    needs = {"a": [gone], "b": [gone, POOL["urn"]], "c": None}
    wanted = pending(parent=gone, dependencies=[gone, POOL["urn"]], propertyDependencies=needs)
    found = with_live_references(wanted, [PROVIDER, POOL])
    assert found is not None and "parent" not in found and found["dependencies"] == [POOL["urn"]]
    assert found["propertyDependencies"] == {"a": [], "b": [POOL["urn"]], "c": []}
    assert wanted["parent"] == gone


def test_what_it_depends_on_and_is_there_stays() -> None:
    wanted = pending(
        parent=POOL["urn"], dependencies=[POOL["urn"]], provider=f"{PROVIDER['urn']}::new"
    )
    assert with_live_references(wanted, [PROVIDER, POOL]) == wanted


@pytest.mark.parametrize(
    ("found", "half"),
    [
        ({"type": "alicloud:oss/bucket:Bucket", "initErrors": ["SetBucketTagging failed"]}, True),
        ({"type": "alicloud:oss/bucket:Bucket"}, False),
        ({"type": "alicloud:oss/bucket:Bucket", "initErrors": ["x"], "delete": True}, False),
        ({"type": "kubernetes:apps/v1:Deployment", "initErrors": ["timed out waiting"]}, False),
    ],
)
def test_what_failed_after_it_had_begun_to_exist_is_half_made(
    found: dict[str, Any], half: bool
) -> None:
    assert is_half_created(found) is half
