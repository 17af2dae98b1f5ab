"""Running the stages: again after a failure, in order after an interruption, from what a killed
update left; and the command line.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from ops.engine import checkpoint, pending_operations
from ops.engine.checkpoint import Resource
from ops.engine.cli import ROOT, CommandFailed, Stack
from ops.teardown import teardown

pytestmark = pytest.mark.usefixtures("own_account")

COUNTING = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
number = len(path.read_text()) + 1 if path.exists() else 1
path.write_text("x" * number)
sys.exit(number < int(sys.argv[2]))
"""
"""Fails until it has been started so often."""
WAITING = """
import pathlib, sys, time
try:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path(sys.argv[2]).touch()
"""
"""Ends in order when it is interrupted."""


class Scripted(Stack):
    """A stack whose CLI is a small program."""

    def __init__(self, *program: str) -> None:
        super().__init__("dev")
        self.program, self.asked = program, []

    def command(self, *arguments: str) -> list[str]:
        """The program in place of the CLI; what was asked for is written down."""
        self.asked.append(list(arguments))
        return [sys.executable, "-c", *self.program]


def word_after(option: str, words: list[str]) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name == option]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "PAUSE", 0.0)


def test_a_stage_that_fails_is_settled_and_tried_again(tmp_path: pathlib.Path) -> None:
    stack, states = Scripted(COUNTING, str(tmp_path / "count"), "3"), [{"x", "y"}, {"y", "z"}]
    targets = [Resource(urn, "t") for urn in ("w", "x", "y")]
    teardown.run_destroy(stack, targets, {}, lambda: states.pop(0))
    assert [word_after("--target", words) for words in stack.asked] == [
        ["w", "x", "y"],
        ["x", "y"],
        ["y"],
    ], "what an attempt has deleted is no target of the next: the CLI knows no such resource"
    assert not states and all("--yes" in words for words in stack.asked)


def test_a_stage_whose_last_resource_went_though_the_cli_failed_is_done(
    tmp_path: pathlib.Path,
) -> None:
    stack = Scripted(COUNTING, str(tmp_path / "count"), "9")
    teardown.run_destroy(stack, [Resource("x", "t")], {}, lambda: {"of a later stage"})
    assert len(stack.asked) == 1, "an attempt without a target would delete everything"


def test_a_stage_that_fails_each_time_ends_with_the_cli_s_exit_status(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(CommandFailed) as failed:
        teardown.run_destroy(Scripted("raise SystemExit(7)"), None, {}, set)
    assert failed.value.code == 7


def test_everything_goes_without_a_target_and_the_cli_gets_the_extra_environment(
    tmp_path: pathlib.Path,
) -> None:
    stack = Scripted(
        "import os,sys;sys.exit(os.environ['PULUMI_K8S_DELETE_UNREACHABLE'] != 'true')"
    )
    teardown.run_destroy(stack, None, teardown.UNREACHABLE, set)
    assert "--target" not in stack.asked[0]


def test_an_interruption_reaches_the_cli_and_is_no_failure(tmp_path: pathlib.Path) -> None:
    ready, ended = tmp_path / "ready", tmp_path / "ended"

    def press() -> None:
        while not ready.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    stack = Scripted(WAITING, str(ready), str(ended))
    with pytest.raises(KeyboardInterrupt):
        teardown.run_destroy(stack, None, {}, set)
    assert ended.exists() and len(stack.asked) == 1


class Recorded(Stack):
    """A real stack with one creation that was never answered."""

    def __init__(self, kind: str) -> None:
        super().__init__("dev")
        resource = {
            "urn": f"urn:pulumi:dev::p::{kind}::x",
            "type": kind,
            "custom": True,
            "inputs": {"roleName": "r", "metadata": {"name": "n"}},
        }
        self.state = {
            "deployment": {
                "resources": [],
                "pending_operations": [{"type": "creating", "resource": resource}],
            }
        }
        self.written: list[dict[str, Any]] = []
        self.ran: list[tuple[str, ...]] = []

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The export."""
        return subprocess.CompletedProcess(arguments, 0, json.dumps(self.state), "")

    def code(self, *arguments: str) -> int:
        self.run(*arguments)
        return 0

    def run(self, *arguments: str) -> None:
        """Import and refresh are written down."""
        self.ran.append(arguments)
        if "import" in arguments:
            self.written.append(json.loads(pathlib.Path(arguments[-1]).read_text()))


def test_a_killed_update_of_a_real_stack_is_settled_and_the_lab_s_locks_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        pending_operations, "release_stale_locks", lambda: pytest.fail("these are the lab's")
    )
    stack = Recorded("alicloud:ram/role:Role")
    pending_operations.settle_interrupted_run(stack)
    (state,) = stack.written
    assert [one["id"] for one in state["deployment"]["resources"]] == ["r"] and state["deployment"][
        "pending_operations"
    ] == []
    assert stack.ran[-1][0] == "refresh"


def test_of_a_cluster_that_is_gone_nothing_is_taken_up() -> None:
    stack = Recorded("kubernetes:core/v1:PersistentVolume")
    pending_operations.settle_interrupted_run(stack, "kubernetes:")
    assert stack.written[0]["deployment"]["resources"] == [] and stack.ran[-1][0] == "stack"


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m ops.teardown` as somebody types it, where there is neither lab nor CLI."""
    env = {
        "PATH": "/nowhere",
        "HOME": "/nowhere",
        "PYTHONPATH": str(ROOT),
        "LAB_HOME": "/nowhere/lab",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "ops.teardown", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stack", "local"), "the lab does not run"),
        (("--stack", "dev"), "no `pulumi` on PATH"),
        (("--stack", "dev", "--confirm", "dev-2"), "--confirm dev-2: expected dev, the name of"),
        (("--stack", "dev", "--keep-protected", "--unprotect"), "expected one of them"),
        (("--patience", "long"), "invalid float value: 'long'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_message_and_touches_nothing(
    arguments: tuple[str, ...], message: str
) -> None:
    done = command(*arguments)
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr


def test_protection_is_taken_off_where_it_is_asked_for_and_nowhere_else() -> None:
    state = {
        "deployment": {
            "resources": [
                {"urn": "a", "protect": True},
                {"urn": "b", "protect": True},
                {"urn": "c"},
            ]
        }
    }
    assert checkpoint.unprotect(state, {"a", "c"}) and not checkpoint.unprotect(state, {"c"})
    assert [row.get("protect") for row in state["deployment"]["resources"]] == [False, True, None]


def test_a_kubeconfig_that_has_run_out_is_replaced_as_a_secret() -> None:
    old = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": "v1:x",
    }
    row = {
        "urn": "a",
        "type": "pulumi:providers:kubernetes",
        "inputs": {"kubeconfig": old},
        "outputs": {"kubeconfig": old},
    }
    state = {
        "deployment": {
            "resources": [row, {"urn": "b", "type": "pulumi:providers:alicloud", "inputs": {}}]
        }
    }
    assert checkpoint.renew(state, "apiVersion: v1\n")
    for side in ("inputs", "outputs"):
        assert (
            json.loads(row[side]["kubeconfig"]["plaintext"]) == "apiVersion: v1\n"
            and "ciphertext" not in row[side]["kubeconfig"]
        )
    assert not checkpoint.renew({"deployment": {}}, "x")
