"""The CLI killed (-9) at many moments of up and of destroy; the same command again ends in the same
state.
"""

from __future__ import annotations

import os
import pathlib
import random
import re
import subprocess
import time

import pytest

from lab.testing.figures import figure
from ops.engine import events
from tests.e2e.harness import STACK, Lab

MOMENTS = int(os.environ.get("KILL_MOMENTS", "1"))
SEED = 7
STEPS = ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent")
"""What the engine tells when it begins with a resource, and when it is done with it."""


def moments(whole: int) -> list[tuple[int, float]]:
    """Moments spread over a run of so many steps, each somewhere in its own slice, drawn the same
    way at every call: the step after which is killed, and the seconds until then, if no other step
    comes before. Told by what the run does, not by the clock: a machine that is busy in one run and
    idle in the next would miss the moments of the second.
    """
    rng = random.Random(SEED)
    return [
        (int((number + rng.random()) * whole / MOMENTS), 2 * rng.random())
        for number in range(MOMENTS)
    ]


def steps(log: pathlib.Path) -> int:
    """How many steps the engine has told so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    return sum(any(f'"{name}"' in line for name in STEPS) for line in lines)


def begun(lab: Lab, command: str, options: list[str]) -> subprocess.Popen[str]:
    """A run of the CLI that writes its events down (`events.event_log`)."""
    known = [f"{name}={value}" for name, value in events.EVENT_LOG_ENVIRONMENT.items()]
    return lab.popen(
        "env", *known, "pulumi", command, "--stack", STACK, "--yes", "--skip-preview", *options
    )


def length(lab: Lab, command: str) -> int:
    """How many steps a clean run has."""
    with events.event_log() as (options, log):
        process = begun(lab, command, options)
        said, _ = process.communicate(timeout=1500)
        assert process.returncode == 0, said
        return steps(log)


def kill_during(lab: Lab, command: str, after: int, seconds: float) -> bool:
    """Kills the CLI so many seconds after a step of a command, or at the next step if that comes
    first; False when it had ended by then.
    """
    with events.event_log() as (options, log):
        process = begun(lab, command, options)
        while steps(log) < after and process.poll() is None:
            time.sleep(0.02)
        deadline = time.monotonic() + seconds
        while steps(log) <= after and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is not None:
            return False
        lab.run("pkill", "-KILL", "-x", "pulumi", check=False)
        process.wait(timeout=1500)
        return True


def shape(lab: Lab) -> dict[str, str]:
    """What must be the same after every run: URNs in the state, resources by kind in the region,
    objects in the cluster.

    How many instances the pool has is the node autoscaler's business (a rollout may have added
    one); that none is outside a pool is ours.
    """
    names = lab.kubectl(
        "get", "deployments,services,ingresses,hpa,pvc,configmaps,pdb", "-n", "inference"
    )["items"]
    resources = lab.control("resources")["resources"]
    return {
        **{f"state {resource['urn']}": "is there" for resource in lab.state()},
        **{
            f"region {kind}": str(len(found))
            for kind, found in resources.items()
            if kind not in ("object_version", "instance")
        },
        "region instances outside a pool": str(
            sum(found["nodepool_id"] not in resources["node_pool"] for found in living(lab))
        ),
        "region current objects": ", ".join(
            sorted({name.split("?")[0] for name in resources["object_version"]})
        ),
        **{
            f"cluster {item['kind']}/{without_random(item['metadata']['name'])}": "is there"
            for item in names
        },
    }


def living(lab: Lab) -> list[dict]:
    """The region's instances that have not been released."""
    return [
        found for found in lab.control("instances")["instances"] if found["status"] != "Deleted"
    ]


def without_random(name: str) -> str:
    """The name without the ending that is drawn at every creation (Ingress, disruption budget)."""
    return re.sub(r"^(entry-ingress|server-budget)-[0-9a-f]{8}$", r"\1", name)


@pytest.mark.timeout(3 * 3600)
def test_up_killed_at_any_moment_ends_in_the_same_state_when_repeated(lab: Lab) -> None:
    lab.destroy()
    whole = length(lab, "up")
    expected = shape(lab)
    killed = 0
    for step, seconds in moments(whole):
        lab.destroy()
        killed += kill_during(lab, "up", step, seconds)
        again = lab.python("ops.up", timeout=1500)
        assert again.returncode == 0, f"killed at step {step}\n{again.stdout}{again.stderr}"
        assert shape(lab) == expected, f"killed at step {step}"
    figure(
        f"up killed at {killed} of {MOMENTS} moments of {whole} steps: all went on to the same state"
    )
    assert killed > MOMENTS / 2, "most runs had ended before their moment: nothing was shown"


@pytest.mark.timeout(3 * 3600)
def test_destroy_killed_at_any_moment_leaves_nothing_when_repeated(lab: Lab) -> None:
    lab.up()
    whole = length(lab, "destroy")
    killed = 0
    for step, seconds in moments(whole):
        lab.up()
        killed += kill_during(lab, "destroy", step, seconds)
        ended = lab.python("ops.teardown", timeout=1500)
        assert ended.returncode == 0, f"killed at step {step}\n{ended.stdout}{ended.stderr}"
        assert lab.state() == [] and lab.control("resources")["extra"] == {}, (
            f"killed at step {step}"
        )
    figure(
        f"destroy killed at {killed} of {MOMENTS} moments of {whole} steps: nothing was left by the next"
    )
    assert killed > MOMENTS / 2, "most runs had ended before their moment: nothing was shown"
