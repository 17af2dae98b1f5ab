"""`make test` proves what the program promises, `make test-lab` that the lab is true to what it
stands for: on this machine, with progress.

Builds first what the tests need, so that no test waits for a compiler. Most tests wait (for pods,
polls, grace periods), so lanes run side by side, one pytest process each. What moves under load
runs alone, after them: it measures seconds. Its lab is started and its load rises when the first of
the others has ended; what it measures begins when the last has (tests/turn.py). The end says how
long each lane took: the longest should not wait alone.
"""

from __future__ import annotations

import argparse
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
from lab.testing.session import STARTER
from lab.toolchain import tensorflow
from ops.engine.cli import ROOT, environment
from ops.lab import TOOLS

ENDS = tuple(
    f"tests/e2e/test_{name}.py" for name in ("identity", "interrupted", "model", "teardown")
)
"""About half of what needs the whole stack: what breaks parts of it, and takes it down."""
PROVED = (
    *(
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
    ),
    "lab/tests/distribution/test_installed_alone.py",
)
"""What has a lab to itself for minutes, waits there for what does not come, takes the whole stack
down and up again and again, or needs a package index: `make prove` runs them (A7, R1, R5, R6, L1).
"""
WHOLE = tuple(
    path
    for found in sorted(ROOT.glob("tests/e2e/test_*.py"))
    if (path := str(found.relative_to(ROOT))) not in (*ENDS, *PROVED)
)
PROGRAM = (
    {
        "unit": ("tests/unit",),
        "ops": ("tests/ops",),
        "model": ("tests/plugins/ossmodel", "tests/model"),
        "ends": ENDS,
        "engine": ("tests/plugins/engine", "tests/cloud"),
        "whole": WHOLE,
    },
    {"elastic": ("tests/elastic/test_loop.py",)},
)
"""What the program promises: what runs side by side, and what is alone after that. The other
elastic tests take an hour: `make prove` runs them.
"""
LAB = (
    {
        "core": ("lab/tests/core",),
        "alicloud": ("lab/tests/alicloud", "lab/tests/alicloud_plugin"),
        "kubelet": ("lab/tests/kubelet",),
        "serving": ("lab/tests/serving",),
        "toolchain": ("lab/tests/toolchain", "lab/tests/distribution/test_packages.py"),
    },
)
"""What only guards the lab's own fidelity: the doubles against what they stand for, the tool
chain.
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
    return {**environment(), STARTER: str(os.getpid())}  # a lane does not outlive us


def _end_of(text: str) -> str:
    lines = text.splitlines()
    kept = lines if len(lines) <= 2 * KEPT else [*lines[:KEPT], "...", *lines[-KEPT:]]
    return "\n".join(f"    {line[:300]}" for line in kept)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def run_lanes(
    groups: Sequence[dict[str, tuple[str, ...]]], reports: pathlib.Path | None = None
) -> int:
    """Group after group, its lanes side by side; 0 when every one passed. A group begins when the
    first of the group before has ended, and is told when the last has. None begins after Ctrl-C.
    Each lane's report (JUnit XML, with the seconds of each test) is kept in `reports`, if given.
    """
    ended: list[Lane] = []
    codes: list[int] = []
    with contextlib.ExitStack() as stack:
        if reports is None:
            reports = pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="test-reports-"))
            )
        reports.mkdir(parents=True, exist_ok=True)

        def begin(lanes: dict[str, tuple[str, ...]], turn: int | None = None) -> list[Lane]:
            return [
                Lane(name, paths, reports / f"{name}.xml", turn) for name, paths in lanes.items()
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
    """Builds the tools, then runs the lanes, or only the tests that are named."""
    parser = argparse.ArgumentParser(
        prog="make test", description="Run the tests of the program, or those of the lab."
    )
    parser.add_argument("--lab", action="store_true", help="the lab's own tests (make test-lab)")
    parser.add_argument(
        "--reports", type=pathlib.Path, help="directory that keeps each lane's report (JUnit XML)"
    )
    options, named = parser.parse_known_args(arguments)
    # `make test &` in a script and `nohup` start us with SIGINT ignored. What we start would ignore
    # it too, and so would the commands that tests interrupt: their labs then stay. A handler of
    # ours is the default again in what we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    toolchain.ensure([*TOOLS, *(tensorflow.PREFIX + version for version in tensorflow.TESTED)])
    if not named:
        return run_lanes(LAB if options.lab else PROGRAM, options.reports)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *named], cwd=ROOT, env=_environment(), check=False
    ).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
