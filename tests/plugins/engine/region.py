"""The cloud double alone in a sealed namespace, and small programs of the project's own components
run there by the real CLI.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from lab.testing.ports import free_port
from tests.e2e.harness import Lab
from tests.unit.program import ROOT

OTHERS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "platform objects", "metrics api", "traefik",
    "metrics-adapter", "log-shipper", "node-autoscaler", "node-agent",
)  # fmt: skip
"""Parts of the lab that are left out."""


class Region:
    """One region; programs and their states lie below `directory`."""

    def __init__(self, directory: pathlib.Path) -> None:
        program = directory / "program"
        program.mkdir(parents=True)
        text = f"name: engine\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
        (program / "Pulumi.yaml").write_text(text)
        (directory / "scenario.yaml").write_text("delays: {task: 1, task_cluster: 1}\n")
        names = ("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT")
        ports = {name: free_port() for name in names}
        extra = {"LAB_WITHOUT": ",".join(OTHERS), "LAB_SCENARIO": str(directory / "scenario.yaml")}
        self.lab = _FromRoot(directory / "lab", program, ports, extra)

    def start(self) -> None:
        """Up, within seconds: nothing but the region and the names that lead to it."""
        started = self.lab.python("lab", "up")
        assert started.returncode == 0, started.stdout + started.stderr

    def stop(self) -> None:
        """Nothing is left."""
        self.lab.python("lab", "down")

    def program(self, text: str) -> None:
        """Replace the program."""
        (self.lab.program / "__main__.py").write_text(text)

    def pulumi(self, *arguments: str, expect: int = 0) -> str:
        """All that the CLI printed; checks how it ended."""
        done = self.lab.run(
            "pulumi", *arguments, "--non-interactive", "--color", "never", check=False
        )
        assert done.returncode == expect, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout + done.stderr

    def up(self, *arguments: str, expect: int = 0) -> str:
        """`pulumi up` without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments, expect=expect)

    def configure(self, **values: Any) -> None:
        """Set configuration values of the selected stack."""
        self.pulumi(
            "config",
            "set-all",
            *(word for key, value in values.items() for word in ("--plaintext", f"{key}={value}")),
        )

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return json.loads(self.lab.run("pulumi", "stack", "output", "--json").stdout)

    def calls(self, since: int = -1) -> list[dict[str, Any]]:
        """What clients asked the region for since a call's number."""
        return self.lab.control(f"calls?since={since}")["calls"]

    def last_call(self) -> int:
        """Number of the last recorded call."""
        return self.lab.control("calls?since=-1")["last"]


class _FromRoot(Lab):
    """A lab whose commands run the checkout's code on a program that lies elsewhere."""

    @property
    def env(self) -> dict[str, str]:
        """The environment for commands about this lab."""
        return {**super().env, "PYTHONPATH": str(ROOT)}
