"""The CLI killed (-9) at many moments of up and of destroy; the same command again ends in the same state."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable

import pytest

from tests.e2e.harness import STACK, Lab
from tests.figures import figure

MOMENTS = int(os.environ.get("KILL_MOMENTS", "1"))
SEED = 7


def moments(longest: float) -> list[float]:
    """Moments spread over a run that lasts so many seconds, each somewhere in its own slice, drawn the same way at every call."""
    rng = random.Random(SEED)
    return [round((number + rng.random()) * longest / MOMENTS, 2) for number in range(MOMENTS)]


def kill_during(lab: Lab, command: str, after: float) -> bool:
    """Kills the CLI after so many seconds of a command; False when it had ended by then."""
    process = lab.popen("pulumi", command, "--stack", STACK, "--yes", "--skip-preview")
    deadline = time.monotonic() + after
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    if process.poll() is not None:
        return False
    lab.run("pkill", "-KILL", "-x", "pulumi", check=False)
    process.wait(timeout=120)
    return True


def shape(lab: Lab) -> dict[str, str]:
    """What must be the same after every run: URNs in the state, resources by kind in the region, objects in the cluster.

    How many instances the pool has is the node autoscaler's business (a rollout may have added one); that none is outside a pool is ours.
    """
    names = lab.kubectl("get", "deployments,services,ingresses,hpa,pvc,configmaps,pdb", "-n", "inference")["items"]
    resources = lab.region("resources")["resources"]
    return {
        **{f"state {resource['urn']}": "is there" for resource in lab.state()},
        **{f"region {kind}": str(len(found)) for kind, found in resources.items() if kind not in ("object_version", "instance")},
        "region instances outside a pool": str(sum(found["nodepool_id"] not in resources["node_pool"] for found in living(lab))),
        "region current objects": ", ".join(sorted({name.split("?")[0] for name in resources["object_version"]})),
        **{f"cluster {item['kind']}/{without_random(item['metadata']['name'])}": "is there" for item in names},
    }


def living(lab: Lab) -> list[dict]:
    """The region's instances that have not been released."""
    return [found for found in lab.region("instances")["instances"] if found["status"] != "Deleted"]


def without_random(name: str) -> str:
    """The name without the ending that is drawn at every creation (Ingress, disruption budget)."""
    return re.sub(r"^(entry-ingress|server-budget)-[0-9a-f]{8}$", r"\1", name)


def lasted(function: Callable[..., object], *arguments: str) -> float:
    """Seconds that a clean run takes here and now: the moments are spread over those, however busy the machine is."""
    begun = time.monotonic()
    function(*arguments)
    return time.monotonic() - begun


@pytest.mark.timeout(3 * 3600)
def test_up_killed_at_any_moment_ends_in_the_same_state_when_repeated(lab: Lab) -> None:
    lab.destroy()
    seconds = lasted(lab.up)
    expected = shape(lab)
    killed = 0
    for after in moments(seconds):
        lab.destroy()
        killed += kill_during(lab, "up", after)
        again = lab.python("ops.up")
        assert again.returncode == 0, f"killed after {after} s\n{again.stdout}{again.stderr}"
        assert shape(lab) == expected, f"killed after {after} s"
    figure(f"up killed at {killed} of {MOMENTS} moments of {seconds:.0f} s: all went on to the same state")
    assert killed > MOMENTS / 2, "most runs had ended before their moment: nothing was shown"


@pytest.mark.timeout(3 * 3600)
def test_destroy_killed_at_any_moment_leaves_nothing_when_repeated(lab: Lab) -> None:
    lab.up()
    seconds = lasted(lab.destroy)
    killed = 0
    for after in moments(seconds):
        lab.up()
        killed += kill_during(lab, "destroy", after)
        ended = lab.python("ops.teardown")
        assert ended.returncode == 0, f"killed after {after} s\n{ended.stdout}{ended.stderr}"
        assert lab.state() == [] and lab.region("resources")["extra"] == {}, f"killed after {after} s"
    figure(f"destroy killed at {killed} of {MOMENTS} moments of {seconds:.0f} s: nothing was left by the next")
    assert killed > MOMENTS / 2, "most runs had ended before their moment: nothing was shown"
