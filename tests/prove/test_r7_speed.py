"""The daily commands beside the plain CLI, and the whole beside what a user would pick instead.
`make prove ITEM=R7` runs it.

A cold `make up` builds for most of half an hour and is measured once, by itself (`make prove
ITEM=A1`). `COLD_UP_SECONDS=1320 make prove ITEM=R7` judges what such a run took beside the warm and
the second one, which are measured here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lab.testing.figures import figure
from ops.bench import DAILY
from ops.bench_peers import table
from tests.e2e.harness import Lab


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own, in which both sides are measured one after the other."""
    lab = Lab.create(tmp_path_factory.mktemp("speed"))
    try:
        yield lab
    finally:
        lab.python("lab", "down")


def test_a_warm_up_and_a_second_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    lab = Lab.create(tmp_path_factory.mktemp("warm"))
    took = []
    try:
        for _ in range(2):
            began = time.monotonic()
            done = lab.python("ops.up", timeout=900)
            took.append(time.monotonic() - began)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        lab.python("lab", "down")
    given = os.environ.get("COLD_UP_SECONDS")
    cold = (
        f"cold {float(given) / 60:.1f} min (of the run that was given)"
        if given
        else "cold not measured here (make prove ITEM=A1)"
    )
    figure(f"{cold}, warm {took[0]:.0f} s, second {took[1]:.1f} s")
    assert took[0] <= 60 and took[1] <= 10
    assert given is None or float(given) <= 25 * 60


def figures_of(lab: Lab, option: str) -> dict[str, float]:
    """What `ops.bench` measured."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", option, "--json"],
        cwd=lab.program,
        env=lab.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_daily_commands_cost_little_more_than_the_plain_cli(bench: Lab) -> None:
    measured = figures_of(bench, "--daily")
    bounds = {
        name: (measured[f"{name.replace(' ', '_')}_cpu_ratio"], bound)
        for name, (_, _, bound) in DAILY.items()
    }
    ratios = ", ".join(f"{name} {ratio:.2f}x" for name, (ratio, _) in bounds.items())
    figure(
        f"{ratios}; check {measured['check_cpu_s']:.2f} s and status {measured['status_cpu_s']:.2f} s of processor time"
    )
    assert all(ratio <= bound for ratio, bound in bounds.values())
    assert measured["check_cpu_s"] <= 1 and measured["status_cpu_s"] <= 2


@pytest.mark.timeout(3600)
def test_up_noop_and_destroy_beside_opentofu_and_kubectl(bench: Lab) -> None:
    measured = figures_of(bench, "--peers")
    steps = ("up", "noop", "destroy")
    ratios = {step: (measured[f"{step}_ratio"], measured[f"{step}_cpu_ratio"]) for step in steps}
    print("\n" + "\n".join(table(measured)))
    figure(
        "; ".join(
            f"{step} {wall:.2f}x wall, {cpu:.2f}x CPU of the peers"
            for step, (wall, cpu) in ratios.items()
        )
    )
    assert all(wall <= 1.0 and cpu <= 1.2 for wall, cpu in ratios.values())
