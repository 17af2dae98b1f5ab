"""C1, previews: all stacks from a clean clone with no network or credentials; against their own
commit; under the CLI's policy host.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from lab.testing.figures import figure
from ops.engine.previews import parse
from ops.offline import run
from tests.e2e.harness import Lab
from tests.ops.test_offline_previews import sealed
from tests.unit.golden_trees import STACKS


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A copy of this checkout that is a repository of one commit."""
    tree = Lab.create(tmp_path_factory.mktemp("clone"))
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "all"],
    ):
        subprocess.run(["git", *command], cwd=tree.program, check=True)
    return tree


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_previews_offline_and_differs_in_nothing_from_its_own_commit(
    clone: Lab, tmp_path: pathlib.Path, stack: str
) -> None:
    done = sealed(clone, "--stack", stack, "--base", "HEAD", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "out.json").read_text())["changeSummary"]
    assert set(counts) == {"same"}, done.stdout
    figure(
        f"{stack}: {counts['same']} resources previewed with no network, 0 differences from its own commit"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_passes_the_policies_in_the_cli_s_own_host(stack: str) -> None:
    found = run.preview(stack, policies=True)
    preview = parse(found.document)
    assert found.code == 0 and not [
        one for one in preview.violations if one["enforcementLevel"] == "mandatory"
    ], preview.violations
    figure(f"{stack}: policy pack run by the CLI, 0 mandatory violations")


def test_the_cli_s_own_host_refuses_what_a_policy_forbids(
    clone: Lab, tmp_path: pathlib.Path
) -> None:
    settings = clone.program / "Pulumi.prod.yaml"
    text = settings.read_text()
    assert "protect: true" in text
    settings.write_text(text.replace("protect: true", "protect: false"))
    out = tmp_path / "out.json"
    command = [
        sys.executable,
        "-m",
        "ops.preview",
        "--stack",
        "prod",
        "--offline",
        "--policies",
        "--json",
        str(out),
    ]
    done = subprocess.run(
        command,
        cwd=clone.program,
        env=clone.env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    settings.write_text(text)
    assert done.returncode != 0
    assert [one["policyName"] for one in parse(out.read_text()).violations] == [
        "stateful-is-protected"
    ]


def test_a_replaced_bucket_is_told_by_a_preview_of_the_change(
    clone: Lab, tmp_path: pathlib.Path
) -> None:
    settings = clone.program / "Pulumi.dev.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("redundancy: LRS", "redundancy: ZRS"))
    done = sealed(clone, "--stack", "dev", "--base", "HEAD", "--json", str(tmp_path / "out.json"))
    settings.write_text(text)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {step.name: step.op for step in parse((tmp_path / "out.json").read_text()).steps}
    assert steps["models-bucket"] == "replace" and steps["pool-pool"] == "same"
