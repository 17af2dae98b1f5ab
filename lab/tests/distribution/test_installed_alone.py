"""The lab installed alone, from the registry, into an empty virtual environment: a program of
another project comes up and goes down in it. Takes minutes and needs a package index: `make prove`.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.testing.ports import free_ports

LAB = pathlib.Path(__file__).resolve().parents[2]
UV = pathlib.Path(sys.prefix) / "bin" / "uv"


def run(*command: str | pathlib.Path, cwd: pathlib.Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory with the environment `env`, in which the lab is installed and nothing else of
    this repository, and with the example and its own environment.
    """
    place = tmp_path_factory.mktemp("alone")
    left_out = shutil.ignore_patterns(
        "tests", "testing", "examples", "__pycache__", "build", "*.egg-info"
    )
    shutil.copytree(LAB, place / "source" / "lab", ignore=left_out)
    shutil.copytree(LAB / "examples" / "pulumi", place / "example")
    for environment, asked in (
        (place / "env", (place / "source" / "lab",)),
        (place / "example" / "venv", ("-r", place / "example" / "requirements.txt")),
    ):
        run(UV, "venv", "-q", "--clear", "--python", sys.executable, environment, cwd=place)
        run(UV, "pip", "install", "-q", "--python", environment, *asked, cwd=place)
    return place


@pytest.fixture(scope="module")
def env(place: pathlib.Path) -> Iterator[dict[str, str]]:
    """The environment of commands: nothing of this repository, a lab of its own."""
    ours = str(pathlib.Path(sys.prefix))
    path = [part for part in os.environ["PATH"].split(":") if not part.startswith(ours)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV") and not name.startswith("LAB_")
    }
    ports = dict(
        zip(("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT"), free_ports(3), strict=True)
    )
    values = {
        **kept,
        **{name: str(port) for name, port in ports.items()},
        "PATH": ":".join(path),
        "LAB_HOME": str(place / "home"),
        "LAB_OWNER_PID": str(os.getpid()),
    }
    yield values
    subprocess.run([place / "env" / "bin" / "ack-lab", "down"], env=values, check=False)


def test_only_the_lab_is_there(place: pathlib.Path, env: dict[str, str]) -> None:
    code = (
        "import importlib.util as u, lab; print(lab.__file__);"
        "print([n for n in ('components', 'settings', 'ops', 'policy', 'providers') if u.find_spec(n)])"
    )
    file, others = run(place / "env/bin/python", "-c", code, cwd=place, env=env).splitlines()
    assert file.startswith(str(place / "env")) and others == "[]"
    assert "ack-lab " in run(place / "env/bin/ack-lab", "--version", cwd=place, env=env)


def test_a_program_of_another_project_comes_up_and_goes_down(
    place: pathlib.Path, env: dict[str, str]
) -> None:
    lab, example = place / "env/bin/ack-lab", place / "example"
    said = run(lab, "up", cwd=place, env=env)
    assert "the lab is ready" in said

    def inside(*command: str) -> str:
        return run(lab, "exec", "--", *command, cwd=example, env=env)

    inside("pulumi", "stack", "init", "dev")
    inside("pulumi", "up", "--stack", "dev", "--yes", "--skip-preview")
    outputs = json.loads(inside("pulumi", "stack", "output", "--json", "--stack", "dev"))
    assert outputs["vpc"].startswith("vpc-") and outputs["vswitch"].startswith("vsw-")
    made = inside("curl", "-sS", "http://10.0.0.2:9090/_lab/resources")
    assert outputs["vpc"] in made and outputs["bucket"] in made, "the cloud has what was made"
    inside("pulumi", "preview", "--stack", "dev", "--expect-no-changes")
    inside("kubectl", "get", "nodes")
    inside("pulumi", "destroy", "--stack", "dev", "--yes", "--skip-preview")
    left = inside("curl", "-sS", "http://10.0.0.2:9090/_lab/resources")
    assert outputs["vpc"] not in left and outputs["bucket"] not in left
    run(lab, "down", cwd=place, env=env)
