"""A whole lab in a directory and on ports of its own."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

from lab import state
from lab.testing.ports import free_ports
from lab.testing.session import inherited

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Lab:
    """Commands on one lab."""

    def __init__(self, home: pathlib.Path, **env: str) -> None:
        self.home = home
        names = ("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT")
        self.ports = dict(zip(names, free_ports(3), strict=True))
        self.env = {
            **inherited(),
            "LAB_HOME": str(home),
            "LAB_OWNER_PID": str(os.getpid()),
            **{name: str(port) for name, port in self.ports.items()},
            **env,
        }

    def command(self, *arguments: str) -> list[str]:
        """A `python -m lab` command line."""
        return [sys.executable, "-m", "lab", *arguments]

    def run(
        self, *arguments: str, timeout: float = 1500, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run it; what it prints is in the result."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )

    def up(self) -> str:
        """Start (or join) the lab; returns what was said."""
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def inside(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return self.run("exec", "--", *argv, **options)

    def kubectl(self, *arguments: str) -> Any:
        """`kubectl … -o json`, parsed."""
        done = self.inside("kubectl", *arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def status(self) -> dict[str, Any]:
        """`lab status --json`."""
        return json.loads(self.run("status", "--json").stdout)

    def end(self) -> None:
        """Make sure that nothing of it is left, whatever a test did."""
        self.run("down")
        for pid in state.supervisor_pids(self.home):
            os.kill(pid, signal.SIGKILL)
