"""The real CLI with our language host: whole runs, Ctrl-C, and kill -9."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import toolchain
from lab.inside import without_logs
from lab.tests.toolchain.engine import language_host, wait_until
from lab.toolchain import plugins

PROGRAM = """
import pulumi
class Thing(pulumi.CustomResource):
    def __init__(self, name, **inputs):
        super().__init__("demo:index:Thing", name, {**inputs, "made": None})
thing = Thing("t", seconds=pulumi.Config().get_int("seconds") or 0, size=pulumi.Config().require_int("size"))
pulumi.export("size", thing.urn.apply(lambda _: pulumi.Config().require_int("size")))
pulumi.export("hidden", pulumi.Config().require_secret("hidden"))
"""
PROVIDER = """
import asyncio, pathlib, sys
from pulumi.provider.experimental.provider import (
    CheckResponse, ConfigureResponse, CreateResponse, DiffResponse, Provider, UpdateResponse)
from pulumi.provider.experimental.server import main

class Demo(Provider):
    async def configure(self, request):
        return ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=True, accept_outputs=True)
    async def check(self, request):
        return CheckResponse(inputs=request.new_inputs, failures=[])
    async def diff(self, request):
        return DiffResponse(changes=request.new_inputs["size"].value != request.old_state["size"].value)
    async def create(self, request):
        pathlib.Path("creating").touch()
        if not request.preview:
            await asyncio.sleep(request.properties["seconds"].value)
        return CreateResponse(resource_id="" if request.preview else "id", properties=request.properties)
    async def update(self, request):
        return UpdateResponse(properties=request.news)
    async def delete(self, request):
        return None

main(sys.argv[1:], "1.0.0", Demo())
"""
PROJECT = (
    "name: demo\nruntime: python\nplugins:\n  providers:\n    - name: demo\n      path: provider\n"
)


class Stack:
    """A project with a Python program and a Python provider, in an empty PULUMI_HOME that has our
    language host only.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        provider = self.directory / "provider"
        provider.mkdir(parents=True)
        (self.directory / "Pulumi.yaml").write_text(PROJECT)
        (self.directory / "__main__.py").write_text(PROGRAM)
        (provider / "PulumiPlugin.yaml").write_text("runtime: python\n")
        (provider / "__main__.py").write_text(PROVIDER)
        host = plugins.places(directory / "home")["pulumi-language-python"]
        host.parent.mkdir(parents=True)
        host.symlink_to(language_host())
        without_logs(directory / "home")
        self.pulumi = toolchain.ensure(["pulumi"])["pulumi"].path
        self.environment = {
            **os.environ,
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{directory}",
            "PULUMI_CONFIG_PASSPHRASE": "made-up",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }
        self.run("stack", "init", "dev")
        self.run("config", "set", "size", "1")
        self.run("config", "set", "--secret", "hidden", "word-nobody-sees")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the CLI in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [self.pulumi, *arguments, "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def run(self, *arguments: str, status: int = 0) -> str:
        """The output of a CLI command that ends with `status`."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=1500)
        assert process.returncode == status, output
        return output

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state."""
        return json.loads(self.run("stack", "export"))["deployment"].get("resources", [])

    def processes(self) -> list[str]:
        """Command lines of the processes that run in or for this project."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (
                    (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                )
                here = str(self.directory) in command or (entry / "cwd").resolve().is_relative_to(
                    self.directory
                )
            except OSError:
                continue
            if here and command:
                found.append(command)
        return found


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def test_a_stack_goes_up_stays_changes_and_goes_down(stack: Stack) -> None:
    output = stack.run("up", "--yes")
    assert "2 created" in output and "warning" not in output and "word-nobody-sees" not in output
    assert "2 unchanged" in stack.run("up", "--yes", "--expect-no-changes")
    assert "2 unchanged" in stack.run("preview", "--expect-no-changes")
    stack.run("config", "set", "size", "2")
    assert "1 updated" in stack.run("up", "--yes", "--skip-preview")
    assert stack.run("stack", "output", "size").strip() == "2"
    assert "2 deleted" in stack.run("destroy", "--yes", "--skip-preview")
    assert stack.resources() == []


def test_an_exception_is_shown_once_with_the_program_s_line(stack: Stack) -> None:
    (stack.directory / "__main__.py").write_text("settings = {}\nprint(settings['missing'])\n")
    output = stack.run("preview", status=1)
    assert output.count("KeyError: 'missing'") == 1
    assert '__main__.py", line 2' in output and "execute.py" not in output


def test_ctrl_c_lets_the_running_creation_finish_and_keeps_it(stack: Stack) -> None:
    stack.run("config", "set", "seconds", "4")
    process = stack.start("up", "--yes", "--skip-preview")
    wait_until(lambda: list(stack.directory.rglob("creating")), "the creation did not start")
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=1500)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert [item["id"] for item in stack.resources() if item["type"] == "demo:index:Thing"] == [
        "id"
    ]
    stack.run("config", "set", "seconds", "0")
    assert "demo-dev" in stack.run("up", "--yes", "--skip-preview")


def test_a_killed_cli_leaves_no_process(stack: Stack) -> None:
    stack.run("config", "set", "seconds", "60")
    process = stack.start("up", "--yes", "--skip-preview")
    wait_until(lambda: list(stack.directory.rglob("creating")), "the creation did not start")
    assert len(stack.processes()) >= 3
    process.kill()
    process.communicate(timeout=1500)
    wait_until(lambda: not stack.processes(), "processes were left", seconds=20)
    stack.run("cancel", "--yes")
    assert stack.resources() != []
