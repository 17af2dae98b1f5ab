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


HANDLER = "interruption-"
"""The interruption handler's resources. They hold nothing: its place and its rights may change with
a version, which `replace_on_changes` of its bindings makes without a moment without rights.
"""


def stateful(preview: Preview) -> dict[str, str]:
    """What would happen to each resource that holds something, by name."""
    return {step.name: step.op for step in preview.steps if step.kind in LOST}


def test_there_is_a_state_of_this_version() -> None:
    assert states.current() in states.recorded(), (
        "a release begins with: make up && .venv/bin/python -m tests.plugins.engine.states"
    )


@pytest.fixture(scope="module", params=states.recorded())
def preview(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """Today's program on the state of each recorded version."""
    return upgrade(request.param, tmp_path_factory.mktemp("upgrade"))


def named_by_content(preview: Preview) -> set[str]:
    """Resources whose name is a digest of what they hold: changed content is another object beside
    the old one. A changed sample model lies in a directory of its content's name, with a window of
    its own on the bucket (volume and claim) and a server configuration that names it.
    """
    model_changes = any(s.name == "models-model" and s.op == "replace" for s in preview.steps)
    other_model = ("models-model", "server-config", "volume-pv", "volume-pvc")
    return {"interruption-code", *(other_model if model_changes else ())}


def test_no_upgrade_replaces_or_deletes_what_holds_something(preview: Preview) -> None:
    found = stateful(preview)
    assert {"pool-pool", "models-bucket", "volume-pv", "namespace"} <= set(found), found
    may_be_new = {name for name, op in found.items() if name.startswith(HANDLER) and op == "create"}
    free = named_by_content(preview) | may_be_new
    kept = {name: op for name, op in found.items() if name not in free}
    assert set(kept.values()) <= {"same", "update"}, kept


def test_no_upgrade_creates_replaces_or_deletes_anything_but_what_is_named_by_its_content(
    preview: Preview,
) -> None:
    """Components have had other types: their aliases must reach every child."""
    moved = {step.name: step.op for step in preview.steps if step.op not in ("same", "update")}
    others = {name for name in moved if not name.startswith(HANDLER)}
    assert others <= named_by_content(preview), moved
    assert len(preview.steps) >= 35, "every resource of the state is in the preview"


def test_the_identity_is_added_in_place(preview: Preview) -> None:
    """Tag and labels of the cluster, which the first versions did not know."""
    found = {step.name: step.op for step in preview.steps}
    marked = ("models-bucket", "access-role", "namespace", "server-deployment", "entry-ingress")
    assert {found[name] for name in marked} == {"update"}, found
    assert found["pool-pool"] in ("same", "update")


def test_a_replacement_would_be_noticed(tmp_path: pathlib.Path) -> None:
    found = stateful(upgrade(states.recorded()[-1], tmp_path, modelStore={"redundancy": "LRS"}))
    assert found["models-bucket"] == "replace"


@pytest.mark.parametrize("version", states.recorded())
def test_no_secret_of_a_lab_lies_in_a_recorded_state(version: str) -> None:
    text = json.dumps(states.read(version))
    assert "client-key-data" not in text and "PRIVATE KEY" not in text and "ciphertext" not in text
