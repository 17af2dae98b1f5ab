"""The planner's model beside the lab, on the same half hour."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ops.pulumi import ROOT, environment
from tests.elastic.labs import Labs
from tests.figures import figure, measure


@pytest.mark.timeout(1800)
def test_the_planner_says_what_the_lab_does_within_its_bounds(labs: Labs) -> None:
    with labs.fresh().load("common", (0, 8), (600, 8), (1800, 30), (2400, 30)) as live:
        live.pause(2390)
        run = live.session.run
    command = [sys.executable, "-m", "ops.plan", "--check", str(run), "--stack", "local", "--seeds", "5"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    figure(" ".join(done.stdout.split()))
    assert done.returncode == 0, done.stdout + done.stderr
    measure("lines compared", len(re.findall(r"\n", done.stdout)), worst=min)
