"""Every command, called wrongly or interrupted, ends with a documented status and in a sentence,
never in a traceback.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.testing.figures import figure
from lab.testing.session import inherited
from ops import entry
from ops.engine.cli import CommandFailed
from tests.e2e.harness import PORTS, Lab
from tests.ops.invocations import CASES, STACK_FILES, Case

LIMIT = 1500.0
"""Seconds; bounds a hang only."""
PROGRAMS = (
    "sh",
    "env",
    "git",
    "make",
    "grep",
    "sed",
    "expand",
    "sleep",
    "touch",
    "unshare",
    "true",
    "cat",
    "readlink",
    "dirname",
    "uname",
)
SIGNAL = """
import os, signal, sys
class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ.get("SIGNAL_AT"):
            del os.environ["SIGNAL_AT"]
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
sys.meta_path.insert(0, AtImport())
"""
"""As sitecustomize: the signal comes when the module is imported, in the first process only."""
CLI = '#!/bin/sh\ntouch "$CLI_RUNS"\ntrap "exit 255" INT TERM\nwhile :; do sleep 0.05; done\n'
"""A CLI that has begun, and waits until it is interrupted."""


class Surroundings:
    """A copy of the checkout with stack files that can't be used, programs without a CLI, and no
    lab.
    """

    def __init__(self, directory: Path) -> None:
        self.tree = Lab.create(directory).program
        self.empty, self.programs, self.cli, self.early = (
            directory / name for name in ("empty", "programs", "cli", "early")
        )
        for one in (self.empty, self.programs, self.cli, self.early):
            one.mkdir()
        for name, text in STACK_FILES.items():
            (self.tree / f"Pulumi.{name}.yaml").write_text(text, encoding="latin-1")
        (self.tree / "Pulumi.folder.yaml").mkdir()
        for name in PROGRAMS:
            if found := shutil.which(name):
                (self.programs / name).symlink_to(found)
        (self.programs / "python3").symlink_to(sys.executable)
        (self.early / "sitecustomize.py").write_text(SIGNAL)
        (self.cli / "pulumi").write_text(CLI)
        (self.cli / "pulumi").chmod(0o755)

    def filled(self, text: str) -> str:
        """With the places put in."""
        return text.format(tree=self.tree, empty=self.empty)

    def run(self, number: int, case: Case) -> tuple[int, str]:
        """(exit status, everything that it printed)."""
        words = self.filled(case.words).split()
        command = words if words[0] == "make" else [sys.executable, "-m", *words]
        runs = self.empty.parent / f"cli-{number}"
        kept = {
            name: value
            for name, value in inherited().items()
            if not name.startswith(("LAB_", "PROVE_", "ALICLOUD_", "PULUMI_", "SMOKE_"))
        }
        env = kept | {
            "PATH": os.pathsep.join([*([str(self.cli)] if case.cli else []), str(self.programs)]),
            "PYTHONPATH": os.pathsep.join(
                [*([str(self.early)] if case.at not in ("", "cli") else []), str(self.tree)]
            ),
            "LAB_HOME": str(self.empty.parent / f"lab-{number}"),
            "CLI_RUNS": str(runs),
            **{name: str(21000 + 3 * number + place) for place, name in enumerate(PORTS)},
            **{name: self.filled(value) for name, value in case.env.items()},
        }
        if case.at not in ("", "cli"):
            env |= {"SIGNAL_AT": case.at, "SIGNAL": str(int(signal.Signals[f"SIG{case.signal}"]))}
        process = subprocess.Popen(
            command, cwd=self.tree, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        try:
            if case.at == "cli":
                self._interrupt(process, runs, case.signal)
            printed, _ = process.communicate(timeout=LIMIT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, printed

    def _interrupt(self, process: subprocess.Popen[str], runs: Path, name: str) -> None:
        """Once the CLI runs: Ctrl-C as a terminal sends it, to the whole group; SIGTERM as a
        supervisor does, to the command alone.
        """
        until = time.monotonic() + LIMIT
        while not runs.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert runs.exists(), "the command has ended before it ran the CLI"
        for _ in range(20):  # a command may run the CLI several times, and ends each in order
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT) if name == "INT" else process.send_signal(
                    signal.SIGTERM
                )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
                return


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[tuple[int, str]]]]:
    """How each case has ended; they run side by side."""
    surroundings = Surroundings(tmp_path_factory.mktemp("invocations"))
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        yield [pool.submit(surroundings.run, number, case) for number, case in enumerate(CASES)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_it_ends_as_documented_and_in_a_sentence(
    number: int, ended: list[Future[tuple[int, str]]]
) -> None:
    case = CASES[number]
    status, printed = ended[number].result()
    assert "Traceback" not in printed, printed
    assert status in case.status and case.said in printed, f"status {status}\n{printed}"


def test_there_are_at_least_sixty_of_them_and_each_is_another(
    ended: list[Future[tuple[int, str]]],
) -> None:
    tracebacks = sum("Traceback" in future.result()[1] for future in ended)
    figure(f"{len(CASES)} wrong invocations and interrupts, {tracebacks} tracebacks")
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize(
    ("error", "said", "status"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (entry.Terminated(), "SIGTERM", 143),
        (CommandFailed(["pulumi", "up"], 255), "", 255),
        (BrokenPipeError(32, "Broken pipe"), "", 141),
        (
            PermissionError(13, "Permission denied", "/x/y"),
            "/x/y: permission denied: this user may not use it",
            1,
        ),
        (
            FileNotFoundError(2, "No such file or directory", "pulumi"),
            "pulumi: no such file or directory",
            1,
        ),
        (
            subprocess.TimeoutExpired(["kubectl", "get"], 20),
            "no answer within 20 s from: kubectl get",
            1,
        ),
    ],
)
def test_what_no_command_handles_itself_ends_in_a_sentence(
    error: BaseException, said: str, status: int
) -> None:
    text, code = entry.message(error)
    assert text is not None and said in text and code == status


def test_a_fault_of_ours_keeps_its_traceback_and_is_called_one() -> None:
    assert entry.message(ZeroDivisionError("x")) == (None, 1)
    code = "import sys; sys.argv = ['-m']; import ops; 1 / 0"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        done.returncode == 1
        and "ZeroDivisionError" in done.stderr
        and "fault of the project" in done.stderr
    )


INTERRUPTED_AT_ITS_LAST_STEP = """
import os, sys; sys.argv = ["-m"]; import ops
class Last:  # goes when modules are cleared: the interpreter no longer runs our handlers
    kill, write, me = os.kill, os.write, os.getpid()
    def __del__(self):
        for number in (2, 15): self.kill(self.me, number)
        self.write(1, b"signals sent")
sys.last_step = Last()
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [("sys.exit(3)", 3), ("raise ops.entry.Terminated", 143), ("raise KeyboardInterrupt", 130)],
)
def test_a_signal_while_the_interpreter_ends_does_not_change_the_status(
    ending: str, status: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_ITS_LAST_STEP + ending],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status and "signals sent" in done.stdout, done.stderr


def test_the_statuses_are_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    documented = set(re.findall(r"(?m)^\| (\d+) \|", page.partition("## Exit statuses")[2]))
    assert {"0", "1", "2", "3", "7", "130", "143", "255"} <= documented
