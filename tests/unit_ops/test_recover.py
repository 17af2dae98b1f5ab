"""What a killed update was creating, put into the state: beside the others, or in the place of what it was to replace."""

from typing import Any

from ops.recover import put_in


def resource(name: str, identity: str, **more: Any) -> dict[str, Any]:
    """One resource of a state."""
    return {"urn": f"urn:pulumi:local::p::kind::{name}", "id": identity, **more}


def test_a_new_resource_comes_after_the_others() -> None:
    assert [one["id"] for one in put_in([resource("pool", "a")], [resource("bucket", "b")])] == ["a", "b"]


def test_a_replacement_takes_the_place_of_what_it_replaces_which_is_deleted_later() -> None:
    known = [resource("pool", "old", protect=True), resource("deployment", "d")]
    found = put_in(known, [resource("pool", "new")])
    assert [(one["id"], one.get("delete", False)) for one in found] == [("new", False), ("d", False), ("old", True)]
    assert found[-1]["protect"] and "delete" not in known[0]


def test_what_was_to_be_deleted_already_stays_so() -> None:
    known = [resource("pool", "older", delete=True), resource("pool", "old")]
    found = put_in(known, [resource("pool", "new")])
    assert [(one["id"], one.get("delete", False)) for one in found] == [("older", True), ("new", False), ("old", True)]
