"""What the elastic tests drive: a lab that runs faster than life, load, the market, figures; all
times in modelled seconds.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import yaml

from ops.engine.cli import ROOT, Stack
from ops.load.profile import Profile
from ops.load.session import Session
from tests.e2e.harness import STACK, Lab
from tests.elastic.live import CLOCK, LONG, QUIET, Live

SEED = int(os.environ.get("ELASTIC_SEED", "1"))
"""Of boot times, notices and arrivals."""


def settings(clock: int) -> dict[str, dict[str, Any]]:
    """What differs from stack local: the delays of prod, room for three dozen pods and for their
    replacements beside them, and the periods of the cluster's own objects in the lab's time.
    """
    return {
        "nodePool": {"maxSize": 80, "minSize": 1},
        "nodeScaler": {"scanInterval": "10s", "scaleDownDelay": "5m"},
        "autoscaler": {
            "maxReplicas": 40,
            "metricDelaySeconds": 5,
            "scaleDownSeconds": 300 // clock,
            "scaleUpPeriodSeconds": max(1, 60 // clock),
            "scaleDownPeriodSeconds": max(1, 300 // clock),
        },
        "interruption": {"noticeSeconds": 300 // clock, "drainSeconds": 3},
        "mix": {"afterSeconds": 300 // clock},
        "server": {"preStopSeconds": 2, "graceSeconds": 4},
    }


@contextlib.contextmanager
def deployed(
    place: pathlib.Path,
    changes: dict[str, dict[str, Any]] | None,
    delays: dict[str, float],
    secrets: dict[str, str] | None = None,
) -> Iterator[Rig]:
    """The stack in a lab of its own with stub pods and minutes of boot, or these delays; taken
    down at the end.
    """
    lab = Lab.create(place)
    scenario = place / "scenario.yaml"
    wanted = yaml.safe_load((ROOT / "lab/scenarios/elastic.yaml").read_text())
    scenario.write_text(
        yaml.safe_dump({**wanted, "seed": SEED, "delays": {**wanted["delays"], **delays}})
    )
    lab.extra = {"LAB_CLOCK": str(CLOCK), "LAB_STUB_PODS": "1", "LAB_SCENARIO": str(scenario)}
    configure(lab, settings(CLOCK), changes or {})
    before = dict(os.environ)
    os.environ.update({name: lab.env[name] for name in (*lab.ports, *lab.extra, "LAB_HOME")})
    started = lab.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        lab.pulumi("stack", "init", STACK)
        for key, value in (secrets or {}).items():
            lab.pulumi("config", "set", "--stack", STACK, "--secret", key, value)
        lab.up()
        yield Rig(lab, kept() or place / "runs")
    finally:
        lab.python("lab", "down")
        os.environ.clear()
        os.environ.update(before)


def kept() -> pathlib.Path | None:
    """A new directory in PROVE_KEEP for the runs of one lab; None when nothing is kept."""
    place = os.environ.get("PROVE_KEEP")
    return pathlib.Path(place) / f"{time.strftime('%Y%m%d-%H%M%S')}-seed-{SEED}" if place else None


def configure(lab: Lab, *changes: dict[str, dict[str, Any]]) -> None:
    """Write settings into the stack's file, group by group."""
    file = lab.program / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(file.read_text())
    for change in changes:
        for group, values in change.items():
            document["config"].setdefault(f"elastic-inference:{group}", {}).update(values)
    file.write_text(yaml.safe_dump(document))


class Rig:
    """A deployed stack under load."""

    def __init__(self, lab: Lab, runs: pathlib.Path) -> None:
        self.lab, self.runs = lab, runs

    @contextlib.contextmanager
    def load(self, name: str, *points: tuple[float, float], steps: bool = False) -> Iterator[Live]:
        """Load along the points (seconds of the run, requests per second) while the block runs,
        recorded.
        """
        with Session(
            Stack(STACK), self.runs / name, name, SEED, program=self.lab.program
        ) as session:
            process = session.load(Profile(name, points, steps), begun=session.meta["started"])
            try:
                yield Live(self, session)
            finally:
                process.terminate()
                process.wait(timeout=1500)

    @contextlib.contextmanager
    def full(self, name: str) -> Iterator[Live]:
        """Load that rises until it needs 20 pods, which serve, on nodes that are billed by then;
        the stack has calmed down.
        """
        with self.load(name, (0, QUIET), (LONG, QUIET)) as live:
            live.rise()
            live.calm()
            yield live

    def market(self, **body: Any) -> None:
        """Change stock or prices."""
        self.lab.control("market", "POST", body)

    def metrics(self, mode: str) -> None:
        """Have the metrics adapter fail or lie."""
        done = self.lab.python("lab", "metrics", mode)
        assert done.returncode == 0, done.stderr
