"""Previews a stack offline, alone or against another tree of this project."""

from __future__ import annotations

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from typing import Any

from ops.engine.cli import ROOT
from ops.offline import baseline
from ops.offline.workspace import OfflineError, Workspace, read_settings
from ops.policy_environment import PACK, ensure

PREVIEW = ("preview", "--json", "--show-sames")
ROUNDS = 3
"""How often the base is previewed at most until no value in its plan waits for the cloud; two are
enough today.
"""


@dataclass(frozen=True)
class Previewed:
    """Exit status and output of an offline `pulumi preview`."""

    code: int
    """Exit status of `pulumi preview`."""
    document: str
    """Standard output: the JSON document, or nothing when the CLI failed before it."""
    log: str
    """Standard error."""
    base: str = ""
    """What it was compared with: a commit, or "" when with nothing."""


def preview(stack: str, base: str = "", *, policies: bool = False) -> Previewed:
    """Previews this checkout offline: as changes against `base` (a commit or branch), or everything
    as new without one. With `policies` the CLI also runs the policy pack; the document is then a
    stream of events, the only form that reports violations.

    When the base itself cannot be previewed, the log says why and everything is shown as new.
    Raises OfflineError, PolicyEnvironmentError.
    """
    with tempfile.TemporaryDirectory(prefix=f"preview-{stack}-") as name:
        directory = pathlib.Path(name)
        workspace = Workspace(directory, stack)
        workspace.lay_plugins()
        note, against = "", ""
        if base:
            commit = _commit(base)
            problem = _lay_base(workspace, _extract(commit, directory / "base"))
            note, against = (
                (f"the base {commit[:12]} can't be compared with: {problem}\n", "")
                if problem
                else ("", commit[:12])
            )
        program = workspace.lay_tree(ROOT, "head")
        if policies:
            ensure()
            pack = ("--policy-pack", str(PACK))
            done = workspace.pulumi(
                program,
                *PREVIEW,
                "--stack",
                stack,
                *pack,
                PULUMI_ENABLE_STREAMING_JSON_PREVIEW="true",
            )
        else:
            done = workspace.pulumi(program, *PREVIEW, "--stack", stack)
        return Previewed(
            done.returncode, done.stdout, note + done.stderr.replace(name, "…"), against
        )


def _lay_base(workspace: Workspace, source: pathlib.Path) -> str:
    """Puts what the base would have deployed into the state; "" or what keeps it from that."""
    try:
        program = workspace.lay_tree(source, "base")
    except OfflineError as error:
        return str(error)
    plan = workspace.directory / "plan.json"
    for number in range(ROUNDS):
        saved = () if number else ("--show-secrets", "--save-plan", str(plan))
        done = workspace.pulumi(program, *PREVIEW, "--stack", workspace.stack, *saved)
        if done.returncode != 0:
            return f"its own preview fails ({_first_error(done)})"
        document = json.loads(done.stdout)
        problem = _import(
            workspace, program, baseline.state_of(document, json.loads(plan.read_text()))
        )
        if problem or baseline.is_fully_known(document):
            return problem
    return "values in its plan are still unknown before a deployment"


def _import(workspace: Workspace, program: pathlib.Path, state: dict[str, Any]) -> str:
    """Puts a checkpoint in place; "" or what the CLI has against it."""
    salt = read_settings(program, workspace.stack)["encryptionsalt"]
    state["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    path = workspace.directory / "state.json"
    path.write_text(json.dumps(state))
    done = workspace.pulumi(
        program, "stack", "import", "--stack", workspace.stack, "--file", str(path)
    )
    return "" if done.returncode == 0 else _first_error(done)


def _first_error(done: subprocess.CompletedProcess[str]) -> str:
    """The first line that tells what is wrong."""
    try:
        messages = [
            one["message"]
            for one in json.loads(done.stdout).get("diagnostics") or []
            if one.get("severity") == "error"
        ]
    except ValueError:
        messages = []
    return next(iter("".join([*messages, done.stderr]).strip().splitlines()), "no message")


def _commit(reference: str) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OfflineError(
            f"--base {reference}: git knows no such commit here; fetch it, or leave --base out"
        )
    return done.stdout.strip()


def _extract(commit: str, directory: pathlib.Path) -> pathlib.Path:
    """The committed files of a commit."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory, filter="data")
    return directory


def write(found: Previewed, json_path: str, log_path: str) -> None:
    """Puts document and log where they were asked for; "-" is standard output, "" nowhere (the log:
    standard error).
    """
    if json_path == "-":
        sys.stdout.write(found.document)
    elif json_path:
        pathlib.Path(json_path).write_text(found.document)
    if log_path:
        pathlib.Path(log_path).write_text(found.log)
    else:
        sys.stderr.write(found.log)
