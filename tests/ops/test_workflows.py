"""The workflows: both linters pass, actions are pinned, permissions are small, and every command
they run exists.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.testing.session import inherited
from lab.toolchain.specs import PULUMI_VERSION
from policy import stacks

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
TEXTS = {
    path.stem: path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
BIN = Path(sys.executable).parent


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every step, with its workflow's name."""
    return [
        (name, step)
        for name, flow in WORKFLOWS.items()
        for job in flow["jobs"].values()
        for step in job.get("steps", [])
    ]


def lint(*command: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which(str(BIN / command[0])), (
        f"{command[0]} is missing: requirements-dev.txt has it"
    )
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_actionlint_finds_nothing() -> None:
    done = lint(
        "actionlint",
        "-shellcheck=",
        "-pyflakes=",
        *(str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml")),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = lint(
        "zizmor",
        "--offline",
        "--persona",
        "pedantic",
        "--quiet",
        "--no-progress",
        str(ROOT / ".github"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_linters_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: nowhere\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }} ${{ x.y }}\n"
    )
    assert lint("actionlint", "-shellcheck=", "-pyflakes=", str(bad)).returncode == 1
    assert lint("zizmor", "--offline", "--quiet", str(bad)).returncode != 0


def test_make_lint_runs_both() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert (
        ".venv/bin/actionlint " in recipe
        and ".venv/bin/zizmor " in recipe
        and "--persona pedantic" in recipe
    )


def test_there_are_the_workflows_that_the_documentation_names() -> None:
    assert set(WORKFLOWS) == {"pull-request", "lab", "comment", "main", "drift", "destroy", "stack"}
    assert len(steps()) > 20


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_a_commit_with_its_version_beside_it(name: str) -> None:
    for used in re.findall(r"uses: (.*)", TEXTS[name]):
        assert (
            re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)
            or used == "$/.github/workflows/stack.yml"
        ), used


def test_one_version_of_an_action_is_used_everywhere() -> None:
    used = {
        re.sub(r" #.*", "", one)
        for text in TEXTS.values()
        for one in re.findall(r"uses: (.*)", text)
    }
    assert len(used) == len({one.partition("@")[0] for one in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_permitted_but_by_the_job_that_needs_it(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job in WORKFLOWS[name]["jobs"].values():
        granted = {f"{key}: {value}" for key, value in job["permissions"].items()}
        assert granted <= {
            "contents: read",
            "actions: read",
            "id-token: write",
            "pull-requests: write",
        }
        assert "pull-requests: write" not in granted or name == "comment"
        assert "timeout-minutes" in job or "uses" in job


@pytest.mark.parametrize("name", ["pull-request", "lab"])
def test_what_runs_for_a_fork_has_neither_secret_nor_identity(name: str) -> None:
    text = TEXTS[name]
    assert (
        "secrets." not in text
        and "id-token" not in text
        and "write" not in re.sub(r"#.*", "", text)
    )
    assert set(WORKFLOWS[name][True]) == {"pull_request"}  # YAML reads `on` as true


def test_what_may_write_comments_runs_none_of_the_pull_request_s_code() -> None:
    text = re.sub(r"#.*", "", TEXTS["comment"])
    assert (
        "ref:" not in text and "pip" not in text and "make" not in text and "secrets." not in text
    )
    assert [step["run"] for name, step in steps() if name == "comment" and "run" in step] == [
        'python3 -m ops.preview_comment publish previews --head "$OWNER:$BRANCH" --sha "$SHA"'
    ]


def test_only_previews_of_known_stacks_are_fetched() -> None:
    """The pattern is minimatch's, which knows braces."""
    (step,) = (
        step for name, step in steps() if name == "comment" and "artifact" in step.get("uses", "")
    )
    names = re.fullmatch(r"preview-\{([a-z,]+)\}", step["with"]["pattern"])
    assert names and set(names[1].split(",")) == set(stacks.load())


def test_no_key_of_the_cloud_is_stored() -> None:
    stored = {one for text in TEXTS.values() for one in re.findall(r"secrets\.(\w+)", text)}
    assert stored == {"PULUMI_CONFIG_PASSPHRASE"}
    assert "role-to-assume" in TEXTS["stack"]


def test_no_text_of_an_event_reaches_a_shell_but_through_the_environment() -> None:
    for name, step in steps():
        assert "${{" not in step.get("run", ""), f"{name}: {step['run']}"


CHANGES = re.compile(r"\bpulumi\b(?!/actions)")
"""The CLI, called by a step itself."""


def commands(job: dict[str, Any]) -> dict[str, list[str]]:
    """What each `case` of the job's one step with cases runs, as words."""
    (script,) = [step["run"] for step in job["steps"] if 'case "' in step.get("run", "")]
    return {
        name: shlex.split(line)
        for name, line in re.findall(r"^\s*(\w+)\) (.+?) ;;", script, re.MULTILINE)
    }


def test_no_workflow_calls_the_cli_but_by_the_project_s_own_commands() -> None:
    shell = [
        (name, line) for name, step in steps() for line in step.get("run", "").splitlines() if line
    ]
    assert len(shell) > 10
    assert [found for found in shell if CHANGES.search(found[1])] == []
    # A step that ran it would be seen, whatever stands around it.
    for line in ("pulumi up --yes", "cd x && pulumi  refresh", "env A=b pulumi --cwd . destroy"):
        assert CHANGES.search(line)
    # The action that installs the CLI runs a command when it is told one.
    assert {
        tuple(step["with"]) for _, step in steps() if "pulumi/actions" in step.get("uses", "")
    } == {("pulumi-version",)}


def test_what_has_an_identity_installs_no_package_of_an_index() -> None:
    """Whoever gets code into a package would run with the cloud's credentials. Packages are built
    by a job without them; the job that has them takes these wheels.
    """
    jobs = WORKFLOWS["stack"]["jobs"]
    identified = {
        (name, key)
        for name, flow in WORKFLOWS.items()
        for key, job in flow["jobs"].items()
        if "id-token" in job["permissions"] and "uses" not in job
    }
    assert identified == {("stack", "run")}
    packages = jobs["packages"]
    assert packages["permissions"] == {"contents": "read"}
    assert "environment" not in packages and "secrets." not in str(packages)
    assert jobs["run"]["needs"] == "packages"
    built, installed = (
        [step["run"].partition(" #")[0] for step in jobs[name]["steps"] if "bootstrap" in str(step)]
        for name in ("packages", "run")
    )
    assert built == ["python3 ops/bootstrap.py wheels wheels"]
    assert installed == ["python3 ops/bootstrap.py deploy wheels"]
    shell = "\n".join(step.get("run", "") for step in jobs["run"]["steps"])
    assert not re.search(r"\bmake\b|\bpip\b|\buv\b", shell)
    handed_over = {
        step["with"]["name"]
        for name in ("packages", "run")
        for step in jobs[name]["steps"]
        if step.get("with", {}).get("path") == "wheels"
    }
    assert handed_over == {"packages-${{ inputs.stack }}"}, (
        "three stacks share a run: each has its own"
    )


def test_a_stack_is_deployed_compared_and_destroyed_by_one_command_each() -> None:
    stack = ["--stack", "$STACK"]
    run = commands(WORKFLOWS["stack"]["jobs"]["run"])
    assert run == {
        "up": [".venv/bin/python", "-m", "ops.up", *stack, "--yes", "--refresh", "--policies"],
        "drift": [".venv/bin/python", "-m", "ops.drift", *stack, "--program"],
        "destroy": [
            *(".venv/bin/python", "-m", "ops.teardown", *stack),
            *("--confirm", "$STACK", "--keep-$KEEP"),
        ],
    }
    called = {
        job["with"]["command"]
        for flow in WORKFLOWS.values()
        for job in flow["jobs"].values()
        if str(job.get("uses", "")).endswith("/stack.yml")
    }
    assert called == set(run)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("ops.up", ["--yes", "--refresh", "--policies"]),
        ("ops.drift", ["--program"]),
        ("ops.teardown", ["--confirm", "nosuch", "--keep-model"]),
    ],
)
def test_the_commands_take_the_options_that_the_workflow_gives(
    module: str, words: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--stack", "nosuch", *words],
        cwd=ROOT,
        env={**inherited(), "PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert "usage:" not in told and ("nosuch" in told or "no `pulumi` on PATH" in told), told


def test_credentials_live_as_long_as_the_job_and_the_cluster_s_a_little_longer() -> None:
    """The token that GitHub gives is traded once and can't be renewed: a job that outlives what it
    got ends in the middle of a change.
    """
    job = WORKFLOWS["stack"]["jobs"]["run"]
    seconds = job["timeout-minutes"] * 60
    (session,) = [
        step["with"]["role-session-expiration"]
        for step in job["steps"]
        if "role-to-assume" in step.get("with", {})
    ]
    assert seconds <= session <= 43_200, "12 hours is the most that RAM gives"
    for stack in ("dev", "staging", "prod"):
        config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
        minutes = config["elastic-inference:cluster"]["credentialMinutes"]
        assert minutes > job["timeout-minutes"], (
            f"{stack}: a run would lose the cluster before it ends"
        )
        assert "elastic-inference:kubeconfig" not in config, f"{stack}: a standing way in"


def test_a_stack_has_one_change_at_a_time_and_none_that_waits_is_cancelled() -> None:
    job = WORKFLOWS["stack"]["jobs"]["run"]
    assert job["concurrency"] == {
        "group": "${{ inputs.command == 'drift' && 'drift' || 'stack' }}-${{ inputs.stack }}",
        "cancel-in-progress": False,
        "queue": "max",
    }
    for name in ("main", "destroy"):
        assert WORKFLOWS[name]["concurrency"]["queue"] == "max", name
    assert WORKFLOWS["drift"]["concurrency"]["group"] == "drift"
    assert all(
        not flow["concurrency"]["cancel-in-progress"]
        for name, flow in WORKFLOWS.items()
        if name not in ("pull-request", "lab", "stack")
    )


def test_stacks_of_the_workflows_are_those_of_the_repository() -> None:
    stacks = {path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")}
    assert (
        set(WORKFLOWS["pull-request"]["jobs"]["preview"]["strategy"]["matrix"]["stack"]) == stacks
    )
    assert set(WORKFLOWS["drift"]["jobs"]["drift"]["strategy"]["matrix"]["stack"]) == stacks - {
        "local"
    }
    assert set(
        WORKFLOWS["destroy"][True]["workflow_dispatch"]["inputs"]["stack"]["options"]
    ) == stacks - {"local"}
    assert {job["with"]["stack"] for job in WORKFLOWS["main"]["jobs"].values()} == stacks - {
        "local"
    }


def test_every_command_the_workflows_run_exists() -> None:
    shell = "\n".join(step.get("run", "") for _, step in steps())
    modules, targets = (
        set(re.findall(r"python3? -m ([\w.]+)", shell)),
        set(re.findall(r"^make ([\w-]+)", shell, re.MULTILINE)),
    )
    assert {"ops.preview_comment", "ops.up", "ops.drift", "ops.teardown"} <= modules and {
        "lint",
        "environment",
        "test",
        "test-lab",
    } <= targets
    assert all(importlib.util.find_spec(module) for module in modules)
    made = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", made, re.MULTILINE) for target in targets)


def test_the_cli_of_the_workflows_is_the_one_everything_is_verified_on() -> None:
    assert {
        str(step["with"]["pulumi-version"])
        for _, step in steps()
        if "pulumi/actions" in step.get("uses", "")
    } == {PULUMI_VERSION}
