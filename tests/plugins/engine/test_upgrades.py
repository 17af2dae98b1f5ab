"""The state that each released version left, previewed with the program of today: nothing that
holds anything is replaced.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from ops.engine.cli import LAB_STACK, ROOT
from ops.engine.previews import Preview, parse
from ops.offline.workspace import Workspace, read_settings, write_settings
from ops.preview_comment.losses import LOST
from tests.plugins.engine import states


def upgrade(version: str, directory: pathlib.Path, **changed: dict[str, Any]) -> Preview:
    """What an up of today's program would do to a stack of that version; `changed` are settings of
    groups.
    """
    workspace = Workspace(directory, LAB_STACK)
    workspace.lay_plugins()
    program = workspace.lay_tree(ROOT, "today")
    states.put(workspace, program, states.read(version))
    document = read_settings(program, LAB_STACK)
    for group, values in changed.items():
        document["config"].setdefault(f"elastic-inference:{group}", {}).update(values)
    write_settings(program / f"Pulumi.{LAB_STACK}.yaml", document)
    done = workspace.pulumi(program, "preview", "--json", "--show-sames", "--stack", LAB_STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    return parse(done.stdout)


def stateful(preview: Preview) -> dict[str, str]:
    """What would happen to each resource that holds something, by name."""
    return {step.name: step.op for step in preview.steps if step.kind in LOST}


def test_there_is_a_state_of_this_version() -> None:
    assert states.current() in states.recorded(), (
        "a release begins with: make up && .venv/bin/python -m tests.plugins.engine.states"
    )


@pytest.mark.parametrize("version", states.recorded())
def test_no_upgrade_replaces_or_deletes_what_holds_something(
    version: str, tmp_path: pathlib.Path
) -> None:
    preview = upgrade(version, tmp_path)
    found = stateful(preview)
    assert {"pool-pool", "models-bucket", "volume-pv", "namespace"} <= set(found), found
    # Volume and claim are one digest's window on the bucket: another sample model since then means
    # another pair, made beside the old one.
    if any(step.name == "models-model" and step.op == "update" for step in preview.steps):
        found = {name: op for name, op in found.items() if name not in ("volume-pv", "volume-pvc")}
    assert set(found.values()) <= {"same", "update"}, found


def test_a_replacement_would_be_noticed(tmp_path: pathlib.Path) -> None:
    found = stateful(upgrade(states.recorded()[-1], tmp_path, modelStore={"redundancy": "LRS"}))
    assert found["models-bucket"] == "replace"


@pytest.mark.parametrize("version", states.recorded())
def test_no_secret_of_a_lab_lies_in_a_recorded_state(version: str) -> None:
    text = json.dumps(states.read(version))
    assert "client-key-data" not in text and "PRIVATE KEY" not in text and "ciphertext" not in text
