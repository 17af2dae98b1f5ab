"""Inside a lab that has the region and nothing else: the real program's cloud half, run by the
commands' own code, from a known start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Any

import httpx
import psutil

from lab.environment import CONTROL_URL
from ops.engine.cli import ROOT, CommandFailed, Stack, environment
from ops.engine.run import run_operation
from tests.faults import shape
from tests.faults.cases import Case

LONGEST = 900
"""Seconds after which a run counts as hanging."""
READ_TIMEOUT = 1500
"""Milliseconds that the plugin waits for an answer, in place of a minute."""
PLUGIN = {"CLIENT_READ_TIMEOUT": str(READ_TIMEOUT)}
NOT_HERE = ("--exclude", "**kubernetes**")
"""There is no cluster behind this region: what lives in one is the part of
tests/faults/inside.py.
"""
STARTS = {"up": "empty", "refresh": "deployed", "destroy": "deployed"}
ARGUMENTS = {"up": NOT_HERE, "refresh": (), "destroy": ()}


@dataclasses.dataclass
class Run:
    """How one run of a command ended."""

    code: int
    seconds: float
    output: str
    told: str
    """What our own code said of it."""


class Inside(Stack):
    """Stack `local`, from inside the lab; what the CLI prints is kept."""

    def __init__(self, arguments: dict[str, tuple[str, ...]], variables: dict[str, str]) -> None:
        super().__init__("local")
        self._arguments, self._variables = arguments, variables
        self.output = ""
        self.at_start: Any = lambda process: None
        home = pathlib.Path(os.environ["LAB_HOME"])
        self.checkpoint = home / "pulumi/state/.pulumi/stacks/elastic-inference/local.json"

    def code(self, *arguments: str) -> int:
        """Runs the CLI on the half of the program that is looked at."""
        command = self.command(
            *arguments,
            *self._arguments.get(arguments[0], ()),
            "--non-interactive",
            "--color",
            "never",
        )
        variables = {**environment(), "PULUMI_DEBUG_COMMANDS": "true", **self._variables}
        with (self.checkpoint.parents[4] / "last-run.log").open("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self.at_start(process)
                code = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                kill(process)
                code = 124
            log.seek(0)
            self.output += log.read()
        return code

    def saved_state(self) -> None:
        """Not where the lab has it."""

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the CLI prints; a state with nothing to settle is read from its file, which takes no
        time.
        """
        if arguments[:2] == ("stack", "export"):
            latest = json.loads(self.checkpoint.read_text())["checkpoint"]["latest"] or {}
            if not latest.get("pending_operations"):
                return subprocess.CompletedProcess(
                    arguments, 0, json.dumps({"version": 3, "deployment": latest}), ""
                )
        return super().capture(*arguments)


def kill(process: subprocess.Popen[Any]) -> None:
    """Ends the CLI with SIGKILL, and then what it started: nothing of the run goes on."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        for child in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


class World:
    """One region and one stack that can be brought back to where they were."""

    def __init__(
        self,
        arguments: dict[str, tuple[str, ...]] = ARGUMENTS,
        variables: dict[str, str] | None = None,
    ) -> None:
        self.stack = Inside(arguments, PLUGIN if variables is None else variables)
        self._client = httpx.Client(base_url=f"{CONTROL_URL}/_lab/", trust_env=False, timeout=60)
        self._states: dict[str, str] = {}
        self.expected: dict[str, shape.Shape] = {}

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """One request to the region's control interface."""
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    def keep(self, name: str) -> None:
        """Puts region and state aside under a name."""
        self.ask(f"snapshots/{name}", "POST")
        self._states[name] = self.stack.checkpoint.read_text()

    def restore(self, name: str) -> None:
        """Brings them back; no fault is left."""
        self.ask("faults", "DELETE")
        self.ask(f"snapshots/{name}", "PUT")
        self.stack.checkpoint.write_text(self._states[name])
        for lock in self.stack.checkpoint.parents[2].glob("locks/**/*.json"):
            lock.unlink()

    def begin(self, batch: list[Case]) -> None:
        """Things are as before the operation, and the faults wait for it."""
        self.restore(STARTS[batch[0].operation])
        for case in batch:
            self.ask("faults", "POST", case.order())

    def run(self, operation: str, at_start: Any = lambda process: None) -> Run:
        """The command as a user gives it: settles what is left, runs, explains."""
        self.stack.output, self.stack.at_start = "", at_start
        told, started, code = io.StringIO(), time.monotonic(), 0
        with contextlib.redirect_stderr(told):
            try:
                run_operation(self.stack, operation, "--yes", "--skip-preview")
            except CommandFailed as failure:
                code = failure.code
        return Run(code, round(time.monotonic() - started, 1), self.stack.output, told.getvalue())

    def shape(self) -> shape.Shape:
        """State and region as they are now."""
        database = pathlib.Path(os.environ["LAB_HOME"]) / "data/region.sqlite"
        return {**shape.of_state(self.stack.checkpoint), **shape.of_region(database)}

    def settle(self, quiet: float = 1.0) -> None:
        """Waits until what a run has ordered has happened: nothing has changed for a while."""
        last, since = self.shape(), time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(0.1)
            found = self.shape()
            if found != last:
                last, since = found, time.monotonic()

    def differences(self, operation: str, patience: float = 4.0) -> list[str]:
        """How things differ from those after a clean run, once what is under way has ended.

        A resource may be in the state as an up leaves it or as a refresh reads it: after a fault
        the commands read some of them.
        """
        names = [name for name in ("up", "refresh", "up after refresh") if name in self.expected]
        also = [self.expected[name] for name in names] if operation != "destroy" else []
        end = time.monotonic() + patience
        while True:
            now = self.shape()
            found = shape.differences(self.expected[operation], now, also)
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.2)

    def kill_when_struck(self, case: Case) -> Any:
        """Kills a run's CLI at the moment the case's fault strikes: before the call is done, or
        after.
        """
        since = self.ask("calls?since=-1")["last"]

        def watch(process: subprocess.Popen[Any]) -> None:
            while process.poll() is None:
                struck = self.ask("faults")["faults"][0]["hits"] > 0
                if struck and case.fault == "kill-after":
                    calls = self.ask(f"calls?since={since}")["calls"]
                    struck = any(
                        (call["service"], call["call"], call["status"])
                        == (case.service, case.call, 0)
                        for call in calls
                    )
                if struck:
                    return kill(process)
                time.sleep(0.05)

        return watch
