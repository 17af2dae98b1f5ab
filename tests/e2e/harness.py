"""A lab of the tests' own and a copy of the checkout to run it from, so that neither the user's lab
nor the checkout is touched.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import httpx

from lab.testing.ports import free_port
from lab.testing.session import inherited
from ops.clean_clone import PORTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
STACK = "local"
HANG = 1500.0
"""Seconds; bounds a hang only, on a machine that is twenty times as slow as an idle one."""
LOOKS = (
    ("pulumi", "preview"), ("pulumi", "stack", "output"), ("pulumi", "stack", "export"),
    ("kubectl", "get"), ("kubectl", "wait"), ("kubectl", "rollout", "status"),
)  # fmt: skip
"""Beginnings of commands that change nothing of the stack."""


@dataclasses.dataclass
class Lab:
    """One lab and the copy of the checkout that it is run from."""

    home: pathlib.Path
    program: pathlib.Path
    ports: dict[str, int]
    extra: dict[str, str] = dataclasses.field(default_factory=dict)
    """More variables for everything that is run, e.g. LAB_CLOCK."""
    settled: bool = False
    """Whether the last `up` has ended well and nothing has been done since that could change what
    it left. Whoever starts commands on the lab without these methods sets it to False.
    """
    typed: set[str] = dataclasses.field(default_factory=set)
    """Command lines of the pages that have run here."""

    @classmethod
    def create(cls, directory: pathlib.Path) -> Lab:
        """Prepares directories and ports; starts nothing."""
        program = directory / "program"
        listing = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in listing.splitlines():
            (program / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, program / name)
        (program / ".venv").symlink_to(pathlib.Path(sys.prefix))
        return cls(directory / "lab", program, {name: free_port() for name in PORTS})

    @property
    def env(self) -> dict[str, str]:
        """The environment for commands about this lab."""
        return {
            **inherited(),
            **{name: str(port) for name, port in self.ports.items()},
            **self.extra,
            "LAB_HOME": str(self.home),
            "PYTHONPATH": str(self.program),
        }

    def python(
        self, module: str, *arguments: str, timeout: float = HANG
    ) -> subprocess.CompletedProcess[str]:
        """Runs one of the project's commands as a user would."""
        self.settled = False
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            command,
            cwd=self.program,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def run(
        self,
        *command: str,
        timeout: float = HANG,
        check: bool = True,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside the lab; with `check`, a failure shows what it printed."""
        self.settled = self.settled and _looks(command)
        full = [sys.executable, "-m", "lab", "exec", "--", *command]
        done = subprocess.run(
            full,
            cwd=self.program,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """Starts a command inside the lab and leaves it running."""
        self.settled = False
        full = [sys.executable, "-m", "lab", "exec", "--", *command]
        return subprocess.Popen(
            full,
            cwd=self.program,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def pulumi(
        self, *arguments: str, check: bool = True, timeout: float = HANG
    ) -> subprocess.CompletedProcess[str]:
        """Runs the Pulumi CLI on the program's copy."""
        return self.run("pulumi", *arguments, check=check, timeout=timeout)

    def up(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`pulumi up` without a question."""
        done = self.pulumi(
            "up", "--stack", STACK, "--yes", "--skip-preview", *arguments, check=check
        )
        self.settled = done.returncode == 0 and "--target" not in arguments
        return done

    def stands(self) -> Lab:
        """Itself, with the stack up; costs nothing when it is, and nobody has touched it since."""
        if not self.settled:
            self.up()
        return self

    def destroy(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`pulumi destroy` without a question."""
        return self.pulumi("destroy", "--stack", STACK, "--yes", "--skip-preview", check=check)

    def teardown(
        self, *arguments: str, timeout: float = HANG
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """`make destroy`: how it ended, and its report ({} when it refused)."""
        report = self.home / "teardown.json"
        report.unlink(missing_ok=True)
        done = self.python(
            "ops.teardown", "--stack", STACK, "--report", str(report), *arguments, timeout=timeout
        )
        return done, json.loads(report.read_text()) if report.exists() else {}

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return json.loads(self.pulumi("stack", "output", "--json", "--stack", STACK).stdout)

    def config(self, path: str, value: str) -> None:
        """Sets one setting of the copy, e.g. `config("nodePool.maxSize", "3")`."""
        self.pulumi("config", "set", "--stack", STACK, "--path", path, value)

    def state(self) -> list[dict[str, Any]]:
        """The resources in the checkpoint."""
        return json.loads(self.pulumi("stack", "export", "--stack", STACK).stdout)[
            "deployment"
        ].get("resources", [])

    def kubectl(self, *arguments: str) -> Any:
        """`kubectl … -o json`, parsed."""
        return json.loads(self.run("kubectl", *arguments, "-o", "json").stdout)

    def control(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """One call to the cloud double's control interface."""
        command = [
            "curl",
            "-sS",
            "--max-time",
            "30",
            "-X",
            method,
            f"http://10.0.0.2:9090/_lab/{path}",
        ]
        settled = self.settled and method == "GET"
        if body is not None:
            command += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        answer = self.run(*command).stdout
        self.settled = settled
        return json.loads(answer or "null")

    def http(self, path: str, body: Any = None, timeout: float = 1500) -> httpx.Response:
        """One request through the ingress, from outside the lab."""
        url = f"http://127.0.0.1:{self.ports['LAB_INGRESS_PORT']}{path}"
        headers = {"Host": "bert-tfserving.localhost"}
        with httpx.Client(trust_env=False, timeout=timeout, headers=headers) as client:
            return client.get(url) if body is None else client.post(url, json=body)


def _looks(command: tuple[str, ...]) -> bool:
    """Whether a command changes nothing: it asks, or it is an up that fails unless there is nothing
    to do.
    """
    return "--expect-no-changes" in command or any(
        command[: len(start)] == start for start in LOOKS
    )
