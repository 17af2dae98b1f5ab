"""The planner's model beside the lab, on the same half hour."""

from __future__ import annotations

import re
import subprocess
import sys

from lab.testing.figures import figure, measure
from ops.engine.cli import ROOT, environment
from tests.elastic.labs import Labs
from tests.elastic.live import FULL, QUIET

BEGIN = 1800
"""The half hour begins when the stack has come up to half the load and rests: while pods are short,
a run records what was answered.
"""


def test_the_planner_says_what_the_lab_does_within_its_bounds(labs: Labs) -> None:
    half = FULL / 2
    points = (
        (0, QUIET),
        (900, half),
        (BEGIN + 600, half),
        (BEGIN + 1500, FULL),
        (BEGIN + 1800, FULL),
    )
    with labs.fresh().load("common", *points) as live:
        live.pause(BEGIN + 1795)
        run = live.session.run
    command = [
        sys.executable,
        "-m",
        "ops.plan",
        "--check",
        str(run),
        "--since",
        str(BEGIN),
        "--stack",
        "local",
        "--seeds",
        "5",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    figure(" ".join(done.stdout.split()))
    assert done.returncode == 0, done.stdout + done.stderr
    for line, name in (
        ("cost, CNY", "planner against the lab: % of cost"),
        ("in time, %", "planner against the lab: points in time"),
    ):
        shown = re.search(rf"{line}.* ([+-][0-9.]+) ", done.stdout)
        assert shown, f"no line {line!r} in:\n{done.stdout}"
        measure(name, abs(float(shown[1])))
