"""The account is compared before a run settles or refreshes anything: with another account's keys
the state loses nothing.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components import by_hand
from ops import lab, up
from ops.cloud.errors import CloudError
from ops.engine import account, kubeconfig, pending_operations
from ops.engine.cli import BY_COMMAND, Stack
from ops.engine.run import run_operation

OWN, OTHER, CLUSTER = "1234567890123456", "6543210987654321", "c" + "1" * 32
ROLE = {
    "urn": "urn:pulumi:real::p::alicloud:ram/role:Role::access-role",
    "type": "alicloud:ram/role:Role",
    "custom": True,
    "id": "reader",
    "outputs": {"arn": f"acs:ram::{OWN}:role/reader"},
}
POOL = {
    "urn": "urn:pulumi:real::p::alicloud:cs/nodePool:NodePool::pool-pool",
    "type": "alicloud:cs/nodePool:NodePool",
    "custom": True,
    "inputs": {"clusterId": CLUSTER, "nodePoolName": "inference-real-1"},
}
PENDING = [{"type": "creating", "resource": POOL}]


class Recorded(Stack):
    """A stack with this state; what its CLI is asked to do is written down, not done."""

    def __init__(self, name: str, *resources: dict[str, Any], pending: Any = ()) -> None:
        super().__init__(name)
        self.deployment = {"resources": list(resources), "pending_operations": list(pending)}
        self.ran: list[tuple[str, ...]] = []

    def _state_in_lab(self) -> None:
        """In no file."""

    def exists(self) -> bool:
        """The backend knows it."""
        return True

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The export, which changes nothing."""
        state = json.dumps({"version": 3, "deployment": self.deployment})
        return subprocess.CompletedProcess(arguments, 0, state, "")

    def code(self, *arguments: str) -> int:
        """Every other command."""
        self.ran.append(arguments)
        return 0


class Cloud:
    """One account's; a cluster of another account is not there."""

    mine: str = OWN
    asked: int = 0

    def __init__(self, region: str, credentials: Any) -> None:
        assert region == "cn-shanghai"

    @property
    def account(self) -> str:
        """Whose credentials these are."""
        type(self).asked += 1
        return self.mine

    def cs(self, path: str) -> dict[str, Any]:
        """The cluster, for its own account."""
        if self.mine != OWN:
            raise CloudError(f"cs {path}", "ErrorClusterNotFound", "cluster not found", 404)
        return {"region_id": "cn-shanghai"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> type[Cloud]:
    """The cloud that the credentials lead to, and a stack file with a region and no account."""

    class Own(Cloud):
        pass

    config = {"alicloud:region": "cn-shanghai", "elastic-inference:cluster": {"id": CLUSTER}}
    monkeypatch.setattr(account, "Cloud", Own)
    monkeypatch.setenv("ALICLOUD_ACCESS_KEY", "k")
    monkeypatch.setattr(account, "find_credentials", lambda config: None)
    monkeypatch.setattr(account, "config_of", lambda name: config)
    return Own


def test_credentials_that_the_plugins_do_not_find_are_refused_before_a_new_stack_is_begun(
    cloud: type[Cloud], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ALICLOUD_ACCESS_KEY")
    for name in ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    stack = Recorded("real")
    with pytest.raises(SystemExit, match=r"(?s)none are named.*ALICLOUD_PROFILE.*Nothing was"):
        run_operation(stack, "up", "--yes")
    assert stack.ran == []


@pytest.mark.parametrize("options", [["--refresh"], []])
@pytest.mark.parametrize("pending", [[], PENDING])
def test_with_the_keys_of_another_account_a_run_ends_before_it_touches_the_state(
    cloud: type[Cloud], options: list[str], pending: list[Any]
) -> None:
    cloud.mine = OTHER
    stack = Recorded("real", ROLE, pending=pending)
    with pytest.raises(SystemExit) as refused:
        run_operation(stack, "up", "--yes", "--skip-preview", *options)
    assert OWN in str(refused.value) and OTHER in str(refused.value)
    assert "Nothing was changed" in str(refused.value)
    assert stack.ran == []


def test_what_is_pending_is_not_settled_with_the_keys_of_another_account(
    cloud: type[Cloud],
) -> None:
    cloud.mine = OTHER
    stack = Recorded("real", ROLE, pending=PENDING)
    with pytest.raises(SystemExit):
        pending_operations.settle_pending(stack)
    assert stack.ran == []


def test_in_the_lab_the_question_is_asked_inside_and_before_a_refresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []
    stack = Recorded("local", ROLE)

    def ask(module: str, *words: str, timeout: float) -> str:
        assert stack.ran == []
        asked.append((module, *words))
        return "account: these credentials belong to somebody else"

    monkeypatch.setattr(stack, "ask", ask)
    monkeypatch.setattr(pending_operations, "release_stale_locks", list)
    with pytest.raises(SystemExit, match="somebody else"):
        run_operation(stack, "up", "--yes", "--refresh")
    assert asked == [("ops.engine.account", "local")] and stack.ran == []
    run_operation(stack, "up", "--yes", "--skip-preview")
    assert len(asked) == 1, "a second is not spent where nothing can be lost"
    assert [words[0] for words in stack.ran] == ["up"]


def test_where_no_record_names_the_account_the_cluster_tells(cloud: type[Cloud]) -> None:
    stack = Recorded("real", {**POOL, "id": f"{CLUSTER}:np1"})
    assert account.problem_of(stack) == ""
    cloud.mine = OTHER
    problem = account.problem_of(stack)
    assert CLUSTER in problem and OTHER in problem and "cluster.accountId" in problem


def test_its_own_account_passes_and_a_stack_without_anything_is_not_asked_about(
    cloud: type[Cloud],
) -> None:
    assert account.problem_of(Recorded("real")) == "" and cloud.asked == 0
    assert account.problem_of(Recorded("real", ROLE)) == "" and cloud.asked == 1
    stack = Recorded("real", ROLE)
    run_operation(stack, "up", "--yes")
    assert [words[0] for words in stack.ran] == ["up"]


def test_a_refresh_in_the_lab_keeps_its_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(lab, "start", lambda stack: None)
    prepared: list[bool] = []
    monkeypatch.setattr(
        up,
        "run_operation",
        lambda stack, *words, prepare=None: (ran.append(words), prepared.append(bool(prepare))),
    )
    up.deploy_in_lab(Recorded("local"), "--refresh")
    up.deploy_in_lab(Recorded("local"))
    assert ran == [("up", "--yes", "--refresh"), ("up", "--yes", "--skip-preview")]
    assert prepared == [True, False], "what others added is taken away where that was asked for"


def test_without_a_terminal_a_real_stack_is_deployed_only_on_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(up, "require_good", lambda name: None)
    monkeypatch.setattr(up, "require_stack", lambda stack: None)
    monkeypatch.setattr(up, "after_up", lambda stack: None)
    monkeypatch.setattr(up, "refuse_wrong", lambda stack: None)
    prepared: list[bool] = []
    monkeypatch.setattr(
        up,
        "run_operation",
        lambda stack, *words, prepare=None: (ran.append(words), prepared.append(bool(prepare))),
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal
    with pytest.raises(SystemExit, match="YES=1"):
        up.deploy("real", refresh=False)
    assert ran == []
    assert up.deploy("real", refresh=True, yes=True) == 0
    assert ran == [("up", "--refresh", *up.UNASKED)] and "--skip-preview" not in ran[0]
    assert prepared == [True]


def test_the_program_knows_the_command_s_runs_by_the_same_variable() -> None:
    assert {by_hand.VARIABLE} == set(BY_COMMAND)


PROVIDER = {
    "urn": "urn:pulumi:real::p::pulumi:providers:kubernetes::ack",
    "type": "pulumi:providers:kubernetes",
    "custom": True,
    "id": "1",
    "inputs": {"kubeconfig": "ran out"},
    "outputs": {"kubeconfig": "ran out"},
}


class Written(Recorded):
    """A stack whose CLI takes an edited state; as the real one, without its pending operations."""

    def import_state(self, state: dict[str, Any]) -> None:
        """Writes it down."""
        self.ran.append(("import", json.dumps(state["deployment"]["resources"])))
        self.deployment = {**state["deployment"], "pending_operations": []}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, cloud: type[Cloud]) -> None:
    """The stack asks ACK for a kubeconfig that runs out."""
    config = {"elastic-inference:cluster": {"id": CLUSTER, "credentialMinutes": 150}}
    reader = type("Reader", (), {"kubeconfig": "new"})()
    monkeypatch.setattr(kubeconfig, "config_of", lambda name: config)
    monkeypatch.setattr(kubeconfig, "open_cluster", lambda stack: (None, None, reader))


def kubeconfigs(written: str) -> list[str]:
    """Those in the provider of a written state."""
    (provider,) = [row for row in json.loads(written) if row["type"] == PROVIDER["type"]]
    return [provider[side]["kubeconfig"]["plaintext"] for side in ("inputs", "outputs")]


@pytest.mark.usefixtures("temporary")
def test_a_refresh_reads_the_cluster_by_a_kubeconfig_that_has_not_run_out() -> None:
    stack = Written("real", ROLE, PROVIDER)
    run_operation(stack, "up", "--yes", "--refresh")
    (written, content), *rest = stack.ran
    assert written == "import" and [words[0] for words in rest] == ["up"]
    assert kubeconfigs(content) == ['"new"', '"new"']


@pytest.mark.usefixtures("temporary")
def test_a_new_kubeconfig_is_written_together_with_what_was_adopted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The CLI drops pending operations from a state that it imports: one write of its own before
    would be the last that is known of them, if the run were killed there.
    """
    monkeypatch.setattr(pending_operations, "_id_of", lambda *_: f"{CLUSTER}:np1")
    stack = Written("real", ROLE, PROVIDER, pending=PENDING)
    pending_operations.settle_pending(stack)
    (written, content), refresh = stack.ran
    assert written == "import" and refresh[0] == "refresh" and POOL["urn"] in refresh
    assert kubeconfigs(content) == ['"new"', '"new"']
    assert f"{CLUSTER}:np1" in [row.get("id") for row in json.loads(content)]


def test_a_standing_kubeconfig_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, cloud: type[Cloud]
) -> None:
    monkeypatch.setattr(kubeconfig, "config_of", lambda name: {})
    stack = Written("real", ROLE, PROVIDER)
    run_operation(stack, "up", "--yes", "--refresh")
    assert [words[0] for words in stack.ran] == ["up"]
