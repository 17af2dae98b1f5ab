"""S2: the commands of CI's jobs, killed while the answer to one of their calls is lost; the same
command again ends in the same state: nothing is ordered twice, nothing is left.

The commands are those of `.github/workflows/stack.yml`, without a terminal, by a user of a real
stack (tests/e2e/user.py): their CLI, their keys with the permissions of docs/ram-policy.json, a
kubeconfig that runs out. The cloud double carries a call out and holds its answer back; then every
process of the job is killed (-9), as a runner does that disappears.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.testing.figures import figure
from tests.e2e.harness import ROOT, Lab
from tests.e2e.test_first_deployment import lines
from tests.e2e.user import User
from tests.ops.test_workflows import WORKFLOWS, commands

MOMENTS = int(os.environ.get("CI_KILL_MOMENTS", "10"))
HELD = 3600.0
"""Seconds for which the answer is held back: longer than any run."""
PATIENCE = 1500.0
READS = re.compile(r"^(Describe|Get|List|Query|Head|Check|AssumeRole|Lookup)|^GET|^HEAD")
"""Calls that change nothing."""
JOBS = commands(WORKFLOWS["stack"]["jobs"]["run"])


@dataclass(frozen=True)
class Moment:
    """A call of a clean run, the nth of its name."""

    service: str
    call: str
    nth: int


class Job:
    """CI's job for stack dev."""

    def __init__(self, user: User) -> None:
        self.user, self.lab = user, user.lab

    def begin(self, command: str) -> subprocess.Popen[str]:
        """Starts up, drift or destroy as the workflow does."""
        given = {"$STACK": "dev", "--keep-$KEEP": "--keep-nothing"}
        words = [given.get(word, word) for word in JOBS[command]]
        variables = {**self.user.env, "CI": "true", "GITHUB_ACTIONS": "true"}
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "lab", "exec", "--", "env", "-i"),
                *(f"{name}={value}" for name, value in variables.items()),
                *words,
            ],
            cwd=self.lab.program,
            env=self.lab.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self, command: str, expected: int = 0) -> str:
        """Runs one to its end."""
        process = self.begin(command)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == expected, f"{command}: {process.returncode}\n{said}"
        return said

    def kill(self, command: str, moment: Moment) -> bool:
        """Kills one while the answer to a call is held back; False when it made no such call."""
        fault = {
            "match": {"service": moment.service, "call": moment.call},
            "skip": moment.nth,
            "times": 1,
            "kind": "answered-but-lost",
            "seconds": HELD,
        }
        self.lab.control("faults", "POST", fault)
        process = self.begin(command)
        until = time.monotonic() + PATIENCE
        struck = False
        while not struck and process.poll() is None and time.monotonic() < until:
            (held,) = self.lab.control("faults")["faults"]
            struck = held["hits"] > 0
            time.sleep(0.1)
        if struck:
            time.sleep(1)  # the call is carried out once the double has taken it
            os.killpg(process.pid, signal.SIGKILL)
            # A plugin is a process group of its own, and waits for its answer.
            plugins = str(self.user.home / ".pulumi" / "plugins")
            self.lab.run("pkill", "-KILL", "-f", plugins, check=False)
        process.communicate(timeout=PATIENCE)
        self.lab.control("faults", "DELETE")
        return struck

    def changes_of(self, command: str) -> list[Moment]:
        """The calls of a clean run that change something, in their order."""
        since = self.lab.control("calls?since=-1")["last"]
        self.end(command)
        seen: dict[tuple[str, str], int] = {}
        found = []
        for one in self.lab.control(f"calls?since={since}")["calls"]:
            key = (one["service"], one["call"])
            if not READS.match(one["call"]) and one.get("status", 200) < 400:
                found.append(Moment(*key, seen.get(key, 0)))
            seen[key] = seen.get(key, 0) + 1
        return found

    def state(self) -> dict[str, Any]:
        """The stack's state."""
        code, shown = self.user.type(f"pulumi stack export --stack dev > {self.user.home}/now")
        assert code == 0, shown
        return json.loads((self.user.home / "now").read_text())["deployment"]

    def shape(self) -> dict[str, Any]:
        """What has to be the same after every run."""
        state = self.state()
        assert not state.get("pending_operations")
        kinds = self.lab.control("resources")["resources"]
        return {
            "state": sorted(one["urn"] for one in state.get("resources") or ()),
            **{
                kind: len(found)
                for kind, found in kinds.items()
                if kind not in ("object_version", "instance")
            },
        }


def spread(found: list[Moment]) -> list[Moment]:
    """As many as are wanted, from the first to the last."""
    wanted = min(MOMENTS, len(found))
    return [found[round(place * (len(found) - 1) / max(1, wanted - 1))] for place in range(wanted)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    directory = tmp_path_factory.mktemp("ci")
    # A runner takes the policies' packages from the wheels of another job; here they are kept.
    subprocess.run([sys.executable, "-m", "ops.policy_environment"], cwd=ROOT, check=True)
    lab = Lab.create(directory)
    started = lab.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        user = User.create(lab, directory / "home")
        for line in ["make environment", *next(lines(user))]:
            if not line.startswith("make ") or line == "make environment":
                code, shown = user.type(line)
                assert code == 0, f"{line}\n{shown}"
        yield Job(user)
    finally:
        lab.python("lab", "down")


@pytest.mark.timeout(3 * 3600)
def test_what_a_killed_job_leaves_the_same_command_settles(job: Job) -> None:
    before = job.lab.control("resources")["extra"]
    ups = job.changes_of("up")
    expected = job.shape()
    assert len(job.lab.control("resources")["extra"]["node_pool"]) == 1 and len(ups) >= MOMENTS
    job.end("drift")
    destroys = job.changes_of("destroy")
    empty = job.shape()
    assert job.lab.control("resources")["extra"] == before and len(destroys) >= MOMENTS

    struck = {"up": 0, "destroy": 0, "drift": 0}
    for moment in spread(ups):
        struck["up"] += job.kill("up", moment)
        job.end("up")
        assert job.shape() == expected, f"up, killed at {moment}"
        job.end("destroy")
    job.end("up")
    for moment in (Moment("oss", "GetBucketInfo", 0), Moment("ram", "GetRole", 0)):
        struck["drift"] += job.kill("drift", moment)
        job.end("drift")
        assert job.shape() == expected, f"drift, killed at {moment}"
    for moment in spread(destroys):
        struck["destroy"] += job.kill("destroy", moment)
        job.end("destroy")
        assert job.shape() == empty, f"destroy, killed at {moment}"
        assert job.lab.control("resources")["extra"] == before, f"destroy, killed at {moment}"
        job.end("up")
    job.end("destroy")
    figure(
        f"CI's commands killed with a lost answer: up at {struck['up']}, destroy at {struck['destroy']}, drift at {struck['drift']} moments; "
        "all went on to the same state"
    )
    assert min(struck["up"], struck["destroy"]) >= MOMENTS - 2 and struck["drift"] >= 1
