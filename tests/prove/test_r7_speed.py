"""The daily commands beside the plain CLI, and the whole beside what a user would pick instead. `make prove ITEM=R7` runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ops.bench import DAILY
from tests.e2e.harness import Lab
from tests.figures import figure


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own, in which both sides are measured one after the other."""
    lab = Lab.create(tmp_path_factory.mktemp("speed"))
    try:
        yield lab
    finally:
        lab.python("lab", "down")


def figures_of(lab: Lab, option: str) -> dict[str, float]:
    """What `ops.bench` measured."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", option, "--json"], cwd=lab.program, env=lab.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(1800)
def test_the_daily_commands_cost_little_more_than_the_plain_cli(bench: Lab) -> None:
    measured = figures_of(bench, "--daily")
    bounds = {name: (measured[f"{name.replace(' ', '_')}_cpu_ratio"], bound) for name, (_, _, bound) in DAILY.items()}
    ratios = ", ".join(f"{name} {ratio:.2f}x" for name, (ratio, _) in bounds.items())
    figure(f"{ratios}; check {measured['check_cpu_s']:.2f} s and status {measured['status_cpu_s']:.2f} s of processor time")
    assert all(ratio <= bound for ratio, bound in bounds.values())
    assert measured["check_cpu_s"] <= 1 and measured["status_cpu_s"] <= 2


@pytest.mark.timeout(3600)
def test_up_noop_and_destroy_beside_opentofu_and_kubectl(bench: Lab) -> None:
    measured = figures_of(bench, "--peers")
    steps = ("up", "noop", "destroy")
    ratios = {step: (measured[f"{step}_ratio"], measured[f"{step}_cpu_ratio"]) for step in steps}
    figure("; ".join(f"{step} {wall:.2f}x wall, {cpu:.2f}x CPU of the peers" for step, (wall, cpu) in ratios.items()))
    assert all(wall <= 1.0 and cpu <= 1.2 for wall, cpu in ratios.values())
