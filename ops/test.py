"""`make test`: every rung, on this machine, with progress.

Builds first what the tests need, so that no test waits for a compiler. Most tests wait (for pods,
polls, grace periods: four lanes used less than half of two cores), so six run side by side: the
program, the model plugin, the lab, the program under the engine (with the lab's model server), and
the whole stack in two labs. What moves under load runs alone, after them: it measures seconds. Its
lab is started when the first of them has ended, and its load when the last has (tests/turn.py). How
long each lane took is said at the end: the longest should not wait alone.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from xml.etree import ElementTree

from lab import toolchain
from lab.toolchain import tensorflow
from ops.engine.cli import ROOT, environment
from ops.lab import TOOLS

ENDS = tuple(
    f"tests/e2e/test_{name}.py" for name in ("identity", "interrupted", "model", "teardown")
)
"""About half of what needs the whole stack: what breaks parts of it, and takes it down."""
PROVED = tuple(
    f"tests/e2e/test_{name}.py"
    for name in (
        "first_deployment",
        "helm_release",
        "killed",
        "pods_not_ready",
        "rollout",
        "state_secrets",
        "waits",
    )
)
"""What has a lab to itself for minutes, waits there for what does not come, or takes the whole
stack down and up again and again: `make prove` runs them (A7, R1, R5, R6).
"""
WHOLE = tuple(
    path
    for found in sorted(ROOT.glob("tests/e2e/test_*.py"))
    if (path := str(found.relative_to(ROOT))) not in (*ENDS, *PROVED)
)
LANES = (
    {
        "program": (
            "tests/unit",
            "tests/ops",
            "tests/plugins/alicloud",
            "lab/tests/toolchain",
            "lab/tests/distribution/test_packages.py",
        ),
        "model": ("tests/plugins/ossmodel",),
        "lab": tuple(f"lab/tests/{name}" for name in ("core", "kubelet", "alicloud")),
        "ends": ENDS,
        "engine": ("tests/plugins/engine", "lab/tests/serving"),
        "whole": WHOLE,
    },
    {"elastic": ("tests/elastic/test_b1_loop.py", "tests/elastic/test_b6_scale_in.py")},
)
"""What runs side by side, and what is alone after that. The other elastic tests take an hour: `make
prove` runs them.
"""

INTERRUPTED = 2
"""How pytest ends after Ctrl-C."""
KEPT = 12
"""Lines kept from each end of what a failed test said."""


class Lane:
    """One pytest process and what it prints, line by line under its name."""

    def __init__(
        self, name: str, paths: Sequence[str], report: pathlib.Path, turn: int | None = None
    ) -> None:
        """`turn` is the end of a pipe; when it ends, the lane is alone (tests/turn.py)."""
        self.name, self.report = name, report
        command = [
            sys.executable,
            "-u",
            "-m",
            "pytest",
            "-q",
            "--no-header",
            "--durations=10",
            f"--junitxml={report}",
            *paths,
        ]
        told = {} if turn is None else {"TESTS_TURN": str(turn)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**_environment(), **told}, pass_fds=[] if turn is None else [turn], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._began, self.seconds = time.monotonic(), 0.0
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._printer.start()

    def _print(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(f"{self.name:<8}{line}", end="", flush=True)
        self.seconds = time.monotonic() - self._began

    @property
    def code(self) -> int | None:
        """How it has ended; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Waits for the end; Ctrl-C has reached pytest by itself, which then cleans up."""
        while True:
            try:
                code = self._process.wait()
                self._printer.join(timeout=10)
                return code
            except KeyboardInterrupt:
                continue

    def counts(self) -> tuple[int, int]:
        """(passed, failed) as the report has it; a lane that ended without one has failed."""
        if not self.report.exists():
            return 0, 1
        suites = ElementTree.parse(self.report).getroot().iter("testsuite")
        total = failed = skipped = 0
        for suite in suites:
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
        return total - failed - skipped, failed

    def failures(self) -> list[tuple[str, str]]:
        """(name and reason in a line, ends of what it said) of each failed test."""
        if not self.report.exists():
            return [(f"{self.name}: ended without a report", "")]
        cases = ElementTree.parse(self.report).getroot().iter("testcase")
        found = [
            (case, case.find("failure") if case.find("failure") is not None else case.find("error"))
            for case in cases
        ]
        return [
            (
                _line(
                    f"{self.name}: {case.get('classname')}::{case.get('name')}: {fault.get('message')}"
                ),
                _end_of(fault.text or ""),
            )
            for case, fault in found
            if fault is not None
        ]


def _first_end(running: Sequence[Lane]) -> int:
    """Waits until one of them has ended; how."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # pytest has it, too
            for lane in running:
                if (code := lane.code) is not None:
                    return code
            time.sleep(0.5)


def _environment() -> dict[str, str]:
    return {
        **environment(),
        "TESTS_END_WITH": str(os.getpid()),
    }  # tests/conftest.py: a lane does not outlive us


def _end_of(text: str) -> str:
    lines = text.splitlines()
    kept = lines if len(lines) <= 2 * KEPT else [*lines[:KEPT], "...", *lines[-KEPT:]]
    return "\n".join(f"    {line[:300]}" for line in kept)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def run_lanes(groups: Sequence[dict[str, tuple[str, ...]]]) -> int:
    """Group after group, its lanes side by side; 0 when every one passed. A group begins when the
    first of the group before has ended, and is told when the last has. None begins after Ctrl-C.
    """
    ended: list[Lane] = []
    codes: list[int] = []
    with tempfile.TemporaryDirectory(prefix="test-reports-") as reports:

        def begin(lanes: dict[str, tuple[str, ...]], turn: int | None = None) -> list[Lane]:
            return [
                Lane(name, paths, pathlib.Path(reports) / f"{name}.xml", turn)
                for name, paths in lanes.items()
            ]

        running = begin(groups[0])
        for lanes in groups[1:]:
            following: list[Lane] = []
            theirs, ours = os.pipe()
            if _first_end(running) != INTERRUPTED:
                following = begin(lanes, theirs)
            os.close(theirs)
            codes += [lane.wait() for lane in running]
            os.close(ours)
            ended, running = ended + running, following
        codes += [lane.wait() for lane in running]
        ended += running
        failures = [text for lane in ended for text in lane.failures()]
        passed, failed = (
            sum(column) for column in zip(*(lane.counts() for lane in ended), strict=True)
        )
    for name, ends in failures:
        print(f"{name}\n{ends}")
    # Once more without the texts: who keeps only the end of a long log still has every name and
    # reason.
    took = ", ".join(f"{lane.name} {lane.seconds:.0f} s" for lane in ended)
    print("\n".join([*(name for name, _ in failures), took, f"{passed} passed, {failed} failed"]))
    return 0 if passed and not any(codes) else 1


def main(arguments: list[str]) -> int:
    """Tools, then every rung, or only what is named (as pytest takes it)."""
    # `make test &` in a script and `nohup` start us with SIGINT ignored. What we start would ignore
    # it too, and so would the commands that tests interrupt: their labs then stay. A handler of
    # ours is the default again in what we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    toolchain.ensure([*TOOLS, *(tensorflow.PREFIX + version for version in tensorflow.TESTED)])
    if not arguments:
        return run_lanes(LANES)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=_environment(), check=False
    ).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
