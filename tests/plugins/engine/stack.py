"""A stack of the real Pulumi CLI in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import toolchain
from lab.inside import without_logs

SECONDS = 1500


@dataclass
class Stack:
    """One project directory with its own PULUMI_HOME and state."""

    directory: Path
    environment: dict[str, str]
    cli: str

    def run(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the CLI and check how it ended."""
        command = [self.cli, *arguments, "--non-interactive", "--color", "never"]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == expect, (
            f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def up(self, *arguments: str, expect: int = 0) -> str:
        """`pulumi up`, all it printed."""
        done = self.run("up", "--yes", "--skip-preview", *arguments, expect=expect)
        return done.stdout + done.stderr

    def resources(self) -> dict[str, dict[str, Any]]:
        """The stack's resources by `type::name`."""
        exported = json.loads(self.run("stack", "export", "--show-secrets").stdout)
        return {r["urn"].split("::", 2)[2]: r for r in exported["deployment"].get("resources", [])}

    def program(self, text: str) -> None:
        """Replace the program."""
        (self.directory / "__main__.py").write_text("import pulumi\n" + text)


def new_stack(directory: Path) -> Stack:
    """An empty stack `dev` of project `lab` in `directory`. It has no plugin but what the engine
    itself keeps.
    """
    tools = toolchain.ensure(["pulumi", "pulumi-language-python"])
    (directory / "state").mkdir()
    places = [
        str(tools["pulumi-language-python"].path.parent),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
    ]
    (directory / "home").mkdir(exist_ok=True)
    without_logs(directory / "home")
    environment = {
        "PATH": os.pathsep.join(places),
        "HOME": str(directory),
        "PULUMI_HOME": str(directory / "home"),
        "PULUMI_BACKEND_URL": f"file://{directory / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
    }
    (directory / "Pulumi.yaml").write_text(
        f"name: lab\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    (directory / "__main__.py").write_text("")
    stack = Stack(directory, environment, str(tools["pulumi"].path))
    stack.run("stack", "init", "dev")
    return stack
