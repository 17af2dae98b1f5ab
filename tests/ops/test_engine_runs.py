"""What a run of the engine costs beside the engine: the state from the lab's file, and the look for
doubled node pools meanwhile.
"""

from __future__ import annotations

import json
import pathlib
import sys
import threading
from typing import Any

import pytest

from ops.cloud.resources import NODE_POOL
from ops.engine import duplicate_node_pools, events
from ops.engine.cli import Stack
from ops.engine.events import Report

POOL = {
    "urn": f"urn:pulumi:local::p::inference:compute:NodePool${NODE_POOL}::pool-pool",
    "type": NODE_POOL,
    "id": "c1:np1",
    "inputs": {"clusterId": "c1", "nodePoolName": "inference-local-1"},
}
SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "v1:x",
}


@pytest.fixture
def checkpoint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the lab's state lies in this test."""
    file = tmp_path / "local.json"
    monkeypatch.setattr("ops.engine.cli._checkpoint_of_lab", lambda name: file)
    return file


def test_the_labs_state_is_read_from_its_file_and_secrets_stay_hidden(
    checkpoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "capture", lambda *_: pytest.fail("the CLI is asked"))
    latest = {
        "resources": [
            {
                "type": "pulumi:pulumi:Stack",
                "outputs": {"endpoint": "http://x", "kubeconfig": SECRET},
            }
        ]
    }
    checkpoint.write_text(
        json.dumps({"version": 3, "checkpoint": {"stack": "local", "latest": latest}})
    )
    assert Stack("local").export_state() == {"version": 3, "deployment": latest}
    assert Stack("local").outputs() == {"endpoint": "http://x", "kubeconfig": "[secret]"}
    checkpoint.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "local"}}))
    assert Stack("local").export_state() == {"version": 3, "deployment": {}}, (
        "a stack that was only made"
    )


@pytest.mark.parametrize("content", [None, "", '{"version": 3, "check', "{}"])
def test_without_a_file_that_can_be_read_and_on_real_stacks_the_cli_is_asked(
    checkpoint: pathlib.Path, content: str | None
) -> None:
    if content is not None:
        checkpoint.write_text(content)
    assert Stack("local")._state_in_lab() is None
    checkpoint.write_text('{"version": 3, "checkpoint": {}}')
    assert Stack("prod")._state_in_lab() is None


def test_what_is_made_is_told_while_the_run_goes_on(tmp_path: pathlib.Path) -> None:
    log, told, seen = tmp_path / "events", threading.Event(), []

    def made(resource: dict[str, Any]) -> None:
        seen.append(resource)
        told.set()

    def line(operation: str, new: dict[str, Any] | None) -> str:
        return json.dumps({"resOutputsEvent": {"metadata": {"op": operation, "new": new}}}) + "\n"

    with events.follow_log(log, made), log.open("w") as file:
        file.write(
            line("same", POOL) + line("delete", None) + "no JSON\n" + line("create", POOL)[:30]
        )
        file.flush()
        assert not told.wait(1), "a line that is not whole yet"
        file.write(line("create", POOL)[30:])
        file.flush()
        assert told.wait(1500)
    assert seen == [POOL]


class Asked(Stack):
    """A stack whose looks for pools are answered by a line of Python."""

    def __init__(self, answer: str) -> None:
        super().__init__("local")
        self.answer, self.questions = answer, []

    def inside(self, *command: str) -> list[str]:
        """The answer instead of the question."""
        self.questions.append(command)
        return [sys.executable, "-c", self.answer]


def test_a_pool_is_looked_at_once_as_soon_as_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    stack = Asked("print('[\"np2\"]')")
    looks = duplicate_node_pools.DuplicateCheck(stack, 1000.0)
    looks.on_created({**POOL, "type": "alicloud:oss/bucket:Bucket"})
    assert stack.questions == []
    looks.on_created(POOL)
    (question,) = stack.questions
    assert question[5:7] == ("c1", "inference-local-1") and json.loads(question[7]) == ["c1:np1"]
    looks.finish(Report([], [POOL]))
    assert (
        len(stack.questions) == 1
        and "ordered twice" in (said := capsys.readouterr().err)
        and "np2" in said
    )


def test_a_look_that_the_run_did_not_begin_is_made_at_its_end_and_one_that_fails_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = Asked("raise SystemExit('no answer')")
    duplicate_node_pools.DuplicateCheck(stack, 1000.0).finish(Report([], [POOL]))
    assert len(stack.questions) == 1
    said = capsys.readouterr().err
    assert (
        "no answer" in said
        and "whether node pool inference-local-1 was ordered twice is not known" in said
    )
