"""What of Helm's records is removed after a kill, by what the run was killed in and what the
records say.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.engine import helm_releases, pending_operations, remediation
from ops.engine.cli import CommandFailed
from ops.engine.helm_releases import (
    Revisions,
    blocking_revisions,
    is_deployed,
    release_id,
    state_outputs,
)
from tests.ops.test_teardown_run import Recorded

pytestmark = pytest.mark.usefixtures("own_account")

INPUTS = {
    "name": "adapter",
    "namespace": "kube-system",
    "chart": "https://charts.example/adapter.tgz",
}
IDENTITY = "kube-system/adapter"
PROVIDER = {
    "urn": "urn:pulumi:dev::p::pulumi:providers:kubernetes::ack",
    "type": "pulumi:providers:kubernetes",
    "id": "1",
}


@pytest.mark.parametrize(
    ("operation", "revisions", "removed"),
    [
        ("creating", {}, []),
        ("creating", {1: "pending-install"}, [1]),
        ("creating", {1: "failed"}, [1]),
        ("creating", {1: "failed", 2: "pending-upgrade"}, [1, 2]),
        ("creating", {1: "uninstalling"}, [1]),
        ("creating", {1: "deployed"}, []),
        ("creating", {1: "superseded", 2: "deployed"}, []),
        ("updating", {1: "deployed", 2: "pending-upgrade"}, [2]),
        ("updating", {1: "superseded", 2: "deployed", 3: "pending-rollback"}, [3]),
        ("updating", {1: "superseded", 2: "deployed"}, []),
        ("updating", {1: "failed"}, []),
        ("deleting", {1: "uninstalling"}, []),
        ("deleting", {}, []),
    ],
)
def test_records_that_keep_helm_from_doing_it_again_are_removed_and_no_others(
    operation: str, revisions: Revisions, removed: list[int]
) -> None:
    assert blocking_revisions(operation, revisions) == removed


def test_a_release_is_made_when_its_newest_revision_is() -> None:
    assert (
        is_deployed({9: "superseded", 10: "deployed"})
        and not is_deployed({})
        and not is_deployed({1: "deployed", 2: "pending-upgrade"})
    )
    assert release_id({"name": "adapter"}) == "default/adapter" and release_id(INPUTS) == IDENTITY


def test_secrets_are_not_put_into_another_secret() -> None:
    assert json.loads(state_outputs(INPUTS)["__inputs"]["plaintext"]) == INPUTS
    secret = {
        **INPUTS,
        "values": {
            "key": {
                "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
                "ciphertext": "v1:x",
            }
        },
    }
    assert state_outputs(secret) == secret


class Killed(Recorded):
    """A real stack that was killed in one operation on its release."""

    def __init__(self, operation: str) -> None:
        super().__init__(helm_releases.RELEASE)
        (pending,) = self.state["deployment"]["pending_operations"]
        pending["type"] = operation
        pending["resource"] |= {"inputs": INPUTS, "provider": f"{PROVIDER['urn']}::1"}
        own = [] if operation == "creating" else [{**pending["resource"], "id": IDENTITY}]
        self.state["deployment"]["resources"] = [PROVIDER, *own]


@pytest.mark.parametrize(
    ("operation", "revisions", "in_state", "removed", "read"),
    [
        ("creating", {1: "pending-install"}, False, [f"{IDENTITY}/1"], False),
        ("creating", {1: "deployed"}, True, [], True),
        ("creating", {}, False, [], False),
        ("updating", {1: "deployed", 2: "pending-upgrade"}, True, [f"{IDENTITY}/2"], False),
        ("deleting", {1: "uninstalling"}, True, [], False),
        (
            "deleting",
            {},
            True,
            [],
            True,
        ),  # read, so that the state drops it: Helm refuses to uninstall what it does not know
    ],
)
def test_a_killed_run_is_settled(
    operation: str,
    revisions: Revisions,
    in_state: bool,
    removed: list[str],
    read: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgotten: list[str] = []
    stack = Killed(operation)

    def forget(_: Any, records: list[str]) -> None:
        assert stack.written, "the CLI has to agree first that no other run holds the stack"
        forgotten.extend(records)

    monkeypatch.setattr(helm_releases, "look_up", lambda _, ids: dict.fromkeys(ids, revisions))
    monkeypatch.setattr(helm_releases, "delete_records", forget)
    pending_operations.settle_pending(stack)
    (state,) = stack.written
    assert state["deployment"]["pending_operations"] == [] and forgotten == removed
    assert [one.get("id") for one in state["deployment"]["resources"][1:]] == (
        [IDENTITY] if in_state else []
    )
    assert [command[0] for command in stack.ran if command[0] == "refresh"] == (
        ["refresh"] if read else []
    )


def test_a_cluster_that_does_not_answer_leaves_everything_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unanswered(*_: Any) -> None:
        raise CommandFailed(["look"], 1)

    monkeypatch.setattr(helm_releases, "look_up", unanswered)
    stack = Killed("creating")
    with pytest.raises(CommandFailed):
        pending_operations.settle_pending(stack)
    assert stack.written == []


def test_of_a_cluster_that_is_gone_helm_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm_releases, "look_up", lambda *_: pytest.fail("there is nobody to ask"))
    monkeypatch.setattr(
        helm_releases,
        "delete_records",
        lambda _, records: records and pytest.fail("there is nothing to remove"),
    )
    stack = Killed("creating")
    pending_operations.settle_pending(stack, "kubernetes:")
    assert stack.written[0]["deployment"]["pending_operations"] == []


@pytest.mark.parametrize(
    "message",
    [
        "cannot re-use a name that is still in use",
        "another operation (install/upgrade/rollback) is in progress",
    ],
)
def test_who_meets_a_foreign_record_is_told_what_to_do(message: str) -> None:
    assert remediation.cause(message) == remediation.HELM_PENDING
