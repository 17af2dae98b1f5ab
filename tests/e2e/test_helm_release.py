"""The metrics adapter's Helm release, from a chart on this machine: installed, and taken up again
after a kill at each step.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.harness import STACK, Lab

RELEASE = "kubernetes:helm.sh/v3:Release"
NAME, NAMESPACE = "ack-alibaba-cloud-metrics-adapter", "kube-system"
CHART = pathlib.Path("tests", "data", "metrics-adapter-chart")
ADDED = f"""
from components.serving.metrics_adapter import MetricsAdapter, MetricsAdapterArgs
from settings.cluster import CreateSettings

create = CreateSettings.model_validate(
    {{"vswitches": {{"cn-shanghai-e": "10.0.0.0/20", "cn-shanghai-g": "10.0.16.0/20"}}, "metricsAdapterChart": "{CHART}"}}
)
MetricsAdapter("metrics", MetricsAdapterArgs(create, stack.region), k8s_opts)
"""
"""What the program does for a cluster from nothing, put into the one that this lab's stack runs
(`make prove ITEM=C2` runs it as it is).
"""
NOT_TO_BE_HAD = "registry.example.com/nowhere:1"
"""While a pod waits for its image, Helm waits for the pod: a release stays pending for as long as a
test needs.
"""


@pytest.fixture
def charted(deployed: Lab) -> Iterator[Lab]:
    """The stack with the metrics adapter added to its program, not installed yet; afterwards it is
    as it was.
    """
    program, values = deployed.program / "__main__.py", deployed.program / CHART / "values.yaml"
    before = {path: path.read_text() for path in (program, values)}
    program.write_text(before[program] + ADDED)
    yield deployed
    for path, text in before.items():
        path.write_text(text)
    again = deployed.python("ops.up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert records(deployed) == {}


def image(lab: Lab, name: str) -> None:
    """Has the chart ask for another image."""
    path = lab.program / CHART / "values.yaml"
    lines = [
        f"  image: {name}" if line.startswith("  image:") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")


def records(lab: Lab) -> dict[int, str]:
    """Status by revision, as Helm records it."""
    found = lab.kubectl("get", "secrets", "-n", NAMESPACE, "-l", f"owner=helm,name={NAME}")["items"]
    labels = [secret["metadata"]["labels"] for secret in found]
    return {int(label["version"]): label["status"] for label in labels}


def deployment(lab: Lab) -> dict[str, Any]:
    """The Deployment that the chart makes."""
    return lab.kubectl("get", "deployment", NAME, "-n", NAMESPACE)


def killed(lab: Lab, when: Callable[[dict[int, str]], bool]) -> None:
    """An up whose engine and plugins are killed (-9) as soon as Helm's records are so."""
    process = lab.popen("pulumi", "up", "--stack", STACK, "--yes", "--skip-preview")
    deadline = time.monotonic() + 1500
    while not when(records(lab)):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate(
            timeout=1500
        )[0]
    lab.run("pkill", "-KILL", "-x", "pulumi", check=False)
    lab.run("pkill", "-KILL", "-f", "/pulumi-resource-kubernetes", check=False)
    process.wait(timeout=1500)


def goes_on(lab: Lab) -> str:
    """`make up` ends with the release deployed and nothing left to do; what it said."""
    again = lab.python("ops.up")
    assert again.returncode == 0, again.stdout + again.stderr
    (release,) = [one for one in lab.state() if one["type"] == RELEASE]
    assert release["outputs"]["status"]["status"] == "deployed" and release["inputs"][
        "chart"
    ] == str(CHART)
    assert deployment(lab)["status"]["readyReplicas"] == 2
    lab.up("--expect-no-changes")
    return again.stderr


def test_killed_while_it_is_installed_and_while_it_is_upgraded_and_after_its_answer_was_lost(
    charted: Lab,
) -> None:
    image(charted, NOT_TO_BE_HAD)
    killed(charted, lambda found: found == {1: "pending-install"})
    first = deployment(charted)["metadata"]["uid"]
    image(charted, "registry.k8s.io/pause:3.10")
    said = goes_on(charted)
    assert "Helm was killed in it (pending-install)" in said, said
    assert (
        records(charted) == {1: "deployed"} and deployment(charted)["metadata"]["uid"] == first
    ), "taken over, not made anew"

    image(charted, NOT_TO_BE_HAD)
    elsewhere(charted)
    killed(charted, lambda found: found.get(2) == "pending-upgrade")
    assert deployment(charted)["status"]["readyReplicas"] >= 1, "the one before serves on"
    image(charted, "registry.k8s.io/pause:3.9")
    said = goes_on(charted)
    assert "Helm was killed in it (pending-upgrade)" in said, said
    assert (
        records(charted) == {1: "superseded", 2: "deployed"}
        and deployment(charted)["metadata"]["uid"] == first
    )

    forgotten(charted)
    said = goes_on(charted)
    assert f"adopted as {NAMESPACE}/{NAME}" in said, said
    assert records(charted) == {1: "superseded", 2: "deployed"}, (
        "adopted as it is, without another revision"
    )


def elsewhere(lab: Lab) -> None:
    """Gives the release another value."""
    path = lab.program / "__main__.py"
    before = path.read_text()
    after = before.replace("Args(create, stack.region)", 'Args(create, "cn-beijing")')
    assert after != before, "the added lines no longer pass the region as this expects"
    path.write_text(after)


def forgotten(lab: Lab) -> None:
    """The state as a kill after Helm's work and before its answer leaves it: the creation is
    pending.
    """
    (path,) = (lab.home / "pulumi" / "state" / ".pulumi" / "stacks").glob(f"**/{STACK}.json")
    document = json.loads(path.read_text())
    latest = document["checkpoint"]["latest"]
    (release,) = [one for one in latest["resources"] if one["type"] == RELEASE]
    latest["resources"].remove(release)
    asked = {
        key: value
        for key, value in release.items()
        if key not in ("id", "outputs", "created", "modified")
    }
    latest["pending_operations"] = [{"resource": asked, "type": "creating"}]
    path.write_text(json.dumps(document))
