"""A run of `make test` can be interrupted, and ends with what started it, however that was started
and ends.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from lab.testing.session import end_with
from ops.engine.cli import ROOT
from ops.test import run_lanes

INTERRUPTED = """
import signal, subprocess

def test_what_a_test_starts_can_be_interrupted():
    started = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    started.send_signal(signal.SIGINT)
    assert started.wait(1500) == -signal.SIGINT
"""


@pytest.mark.parametrize("runner", [["ops.test"], ["pytest", "-p", "lab.testing.session"]])
def test_what_tests_start_can_be_interrupted_where_a_shell_has_told_us_to_ignore_it(
    runner: list[str], tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "test_interrupted.py"
    file.write_text(INTERRUPTED)
    line = [
        "sh",
        "-c",
        'trap "" INT; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        *runner,
        "-q",
        f"--rootdir={tmp_path}",
        str(file),
    ]
    done = subprocess.run(
        line,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


FIRST = """
import pathlib, time

def test_it_ends_when_what_follows_has_begun():
    until = time.monotonic() + 1500
    while not pathlib.Path({begun!r}).exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    time.sleep(1)
    pathlib.Path({over!r}).touch()
"""
ALONE = """
import pathlib
from tests import turn

def test_it_is_alone_from_its_turn_on():
    pathlib.Path({begun!r}).touch()
    turn.wait()
    assert pathlib.Path({over!r}).exists()
    turn.wait()
"""


def test_what_needs_the_machine_alone_begins_when_the_first_has_ended_and_has_its_turn_when_the_last_has(
    tmp_path: pathlib.Path,
) -> None:
    names = {name: str(tmp_path / name) for name in ("begun", "over")}
    texts = {
        "quick": "def test_nothing():\n    pass\n",
        "slow": FIRST.format(**names),
        "alone": ALONE.format(**names),
    }
    paths = {name: (str(tmp_path / f"test_{name}.py"),) for name in texts}
    for name, (path,) in paths.items():
        pathlib.Path(path).write_text(texts[name])
    assert (
        run_lanes(({name: paths[name] for name in ("quick", "slow")}, {"alone": paths["alone"]}))
        == 0
    )


def test_a_lane_is_interrupted_when_what_started_it_is_killed() -> None:
    waits = "import sys, time; from lab.testing.session import end_with; end_with(int(sys.argv[1])); print('up', flush=True); time.sleep(3600)"
    starts = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {waits!r}, str(os.getpid())])"
    with subprocess.Popen(
        [sys.executable, "-c", starts],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as starter:
        assert starter.stdout is not None and starter.stdout.readline() == "up\n"
        starter.kill()
        assert "KeyboardInterrupt" in starter.stdout.read()  # ends with the last that holds it


def test_one_whose_starter_is_gone_already_is_interrupted_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        end_with(os.getpid())  # is not its own parent
