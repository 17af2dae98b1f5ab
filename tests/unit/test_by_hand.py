"""`pulumi up` by hand is refused where only the project's command is safe: over creations that
nobody knows the outcome of, and with another account's credentials.
"""

from __future__ import annotations

import threading
from typing import Any

import pulumi
import pytest

from components import by_hand
from components.by_hand import EngineState, open_operations

OWN, OTHER = "1234567890123456", "6543210987654321"
POOL = "alicloud:cs/nodePool:NodePool"


def operation(kind: str, type_: str, name: str = "it") -> dict[str, Any]:
    """One row of `pending_operations`."""
    return {"type": kind, "resource": {"urn": f"urn:pulumi:s::p::{type_}::{name}", "type": type_}}


def state(*operations: dict[str, Any], account: str = OWN) -> dict[str, Any]:
    """A state with one RAM role in it."""
    role = {
        "type": "alicloud:ram/role:Role",
        "outputs": {"arn": f"acs:ram::{account}:role/reader"},
    }
    return {"deployment": {"resources": [role], "pending_operations": list(operations)}}


def check(found: dict[str, Any], expected: str | None = None, own: str = OWN) -> None:
    """What the program does with this state."""
    EngineState(lambda: found).refuse_unsafe(expected, lambda: own)


def test_what_a_killed_run_was_creating_is_not_created_again() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        check(state(operation("creating", POOL, "pool-pool")))
    said = str(refused.value)
    assert "pool-pool (alicloud:cs/nodePool:NodePool)" in said and "make up STACK=" in said
    assert "ops.engine.pending_operations" in said


@pytest.mark.parametrize(
    ("kind", "type_", "is_open"),
    [
        ("creating", POOL, True),
        ("creating", "kubernetes:core/v1:Namespace", True),
        ("updating", "kubernetes:helm.sh/v3:Release", True),
        ("deleting", "kubernetes:helm.sh/v3:Release", True),
        ("updating", POOL, False),
        ("deleting", POOL, False),
        ("creating", "pulumi:providers:alicloud", False),
        ("creating", "pulumi:pulumi:Stack", False),
    ],
)
def test_open_is_what_the_command_settles_and_the_running_update_has_not_begun_itself(
    kind: str, type_: str, is_open: bool
) -> None:
    assert bool(open_operations(state(operation(kind, type_))["deployment"])) is is_open


def test_a_state_in_which_nothing_is_open_passes() -> None:
    check(state())
    check({"deployment": None})


def test_the_account_that_the_state_records_is_compared_where_the_settings_name_none() -> None:
    with pytest.raises(pulumi.RunError, match=f"{OTHER}.*{OWN}"):
        check(state(), own=OTHER)
    check(state(), expected=OWN, own=OTHER)  # compared by components/compute/lookups.py


def test_a_state_that_can_not_be_read_is_told_and_no_reason_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def unreadable() -> dict[str, Any]:
        raise RuntimeError("there is no `pulumi` on PATH")

    monkeypatch.setattr(pulumi.log, "warn", told.append)
    EngineState(unreadable).refuse_unsafe(None, lambda: pytest.fail("nothing to compare with"))
    assert len(told) == 1 and "no `pulumi` on PATH" in told[0]


@pytest.mark.parametrize(
    ("command", "preview", "reads"),
    [("", False, True), ("1", False, False), ("", True, False), ("1", True, False)],
)
def test_only_an_update_by_hand_reads_the_state(
    command: str, preview: bool, reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def name() -> str:
        assert threading.current_thread() is threading.main_thread(), "known nowhere else"
        return "prod"

    def export(stack: str) -> dict[str, Any]:
        asked.append(stack)
        return state()

    monkeypatch.setattr(pulumi, "get_stack", name)

    monkeypatch.setenv(by_hand.VARIABLE, command)
    monkeypatch.setattr(by_hand, "has_engine", lambda: True)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    monkeypatch.setattr(by_hand, "export", export)
    by_hand.read_early().refuse_unsafe(OWN, lambda: OWN)
    assert bool(asked) is reads and all(one.endswith("/prod") for one in asked)
