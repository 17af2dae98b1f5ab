"""A stack under another name: what docs/environments.md says that it does, by the CLI itself."""

from __future__ import annotations

import json
import pathlib

import pytest

from ops.engine.cli import ROOT
from ops.engine.previews import parse
from ops.offline import run
from ops.offline.workspace import Workspace

KEEP_BUCKET = "pulumi config set --path 'elastic-inference:modelStore.bucket'"
RENAME = "pulumi stack rename test --stack dev"
POOL_AND_ACCESS = {
    "access-attachment",
    "access-policy",
    "access-role",
    "interruption-code",
    "pool-pool",
    "volume-pv",
    "volume-pvc",
}
STORE = {
    "models-access-block",
    "models-acl",
    "models-bucket",
    "models-encryption",
    "models-model",
    "models-tls-only",
    "models-versioning",
}
SERVES = {"namespace", "server-deployment", "server-service", "autoscaler-hpa", "entry-ingress"}
"""What a client of the model, or a DNS record, depends on."""


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, pathlib.Path, str]:
    """Stack dev as deployed, renamed to test; its program and its bucket."""
    workspace = Workspace(tmp_path_factory.mktemp("rename"), "dev")
    workspace.lay_plugins()
    assert run._lay_base(workspace, ROOT) == ""
    program = workspace.directory / "trees" / "base"
    export = workspace.pulumi(program, "stack", "export", "--stack", "dev").stdout
    bucket = next(
        row["inputs"]["bucket"]
        for row in json.loads(export)["deployment"]["resources"]
        if row["type"] == "alicloud:oss/bucket:Bucket"
    )
    done = workspace.pulumi(program, *RENAME.split()[1:])
    assert done.returncode == 0, done.stderr
    assert (program / "Pulumi.test.yaml").exists() and not (program / "Pulumi.dev.yaml").exists()
    return workspace, program, bucket


def by_step(workspace: Workspace, program: pathlib.Path) -> dict[str, set[str]]:
    done = workspace.pulumi(program, "preview", "--json", "--show-sames", "--stack", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    steps: dict[str, set[str]] = {}
    for step in parse(done.stdout).steps:
        steps.setdefault(step.op, set()).add(step.name)
    return steps


def test_what_has_the_name_in_its_own_is_replaced_and_what_serves_stays(
    renamed: tuple[Workspace, pathlib.Path, str],
) -> None:
    workspace, program, bucket = renamed
    steps = by_step(workspace, program)
    assert set(steps) == {"same", "replace", "update"}
    assert steps["replace"] == POOL_AND_ACCESS | STORE
    assert steps["update"] >= SERVES
    command = [*KEEP_BUCKET.replace("'", "").split()[1:], bucket]
    done = workspace.pulumi(program, *command, "--stack", "test")
    assert done.returncode == 0, done.stderr
    steps = by_step(workspace, program)
    assert steps["replace"] == POOL_AND_ACCESS, "the model stays where it is"
    assert "models-bucket" in steps["update"], "its tags name the stack"


def test_the_page_prints_these_commands() -> None:
    page = (ROOT / "docs" / "environments.md").read_text()
    assert KEEP_BUCKET in page and RENAME in page
