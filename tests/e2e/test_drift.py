"""Drift: an autoscaler's work is told from a change by hand, and no refresh undoes the first."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e.harness import STACK, Lab

IN = ("-n", "inference")
SERVING = (*IN, "-l", "app=tensorflow-serving")


@pytest.fixture
def scaled(lab: Lab) -> Iterator[Lab]:
    """A pod more than there are nodes, and the node that the scaler ordered for it: of an earlier
    test's rollout a second node may still be there, and in the state. The HPA, without its metric,
    leaves it at that.
    """
    lab.up("--refresh")
    name = lab.outputs()["deployment"]
    assert lab.python("lab", "metrics", "outage").returncode == 0
    try:
        lab.run(
            "kubectl",
            "wait",
            "hpa",
            "--all",
            *IN,
            "--for=condition=ScalingActive=false",
            "--timeout=1500s",
        )
        more = sizes(lab)[1] + 1
        lab.run("kubectl", "scale", "deployment", name, *IN, f"--replicas={more}")
        lab.run("kubectl", "rollout", "status", "deployment", name, *IN, "--timeout=1500s")
        yield lab
    finally:
        lab.python("lab", "metrics", "normal")
        lab.run("kubectl", "scale", "deployment", name, *IN, "--replicas=1")
        lab.run(
            "kubectl",
            "wait",
            "deployment",
            name,
            *IN,
            "--for=jsonpath={.status.replicas}=1",
            "--timeout=1500s",
        )


def sizes(lab: Lab) -> tuple[int, int]:
    """Pods and nodes that are asked for."""
    pool = lab.outputs()["nodePoolId"].split(":")[-1]
    (deployment,) = lab.kubectl("get", "deployments", *SERVING)["items"]
    nodes = [
        found
        for found in lab.control("instances")["instances"]
        if found["nodepool_id"] == pool and found["status"] != "Deleted"
    ]
    return deployment["spec"]["replicas"], len(nodes)


def drift(lab: Lab, path: pathlib.Path, status: int) -> tuple[str, dict[tuple[str, str], dict]]:
    """What `make drift` says, and its differences by sort and name."""
    done = lab.python("ops.drift", "--json", str(path))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, {(one["sort"], one["name"]): one for one in json.loads(path.read_text())}


def test_autoscalers_differences_are_told_from_changes_by_hand_and_survive_a_refresh(
    scaled: Lab, tmp_path: pathlib.Path
) -> None:
    before = sizes(scaled)
    assert before[0] >= 2 and before[1] >= before[0]
    said, found = drift(scaled, tmp_path / "owned.json", 0)
    assert f"spec.replicas: 1, is now {before[0]} (the HPA)" in said
    assert "(the node scaler)" in said and set(found) == {
        ("owned", "server-deployment"),
        ("owned", "pool-pool"),
    }, said
    call = scaled.control("calls?since=-1")["last"]

    service = scaled.outputs()["deployment"]
    scaled.run(
        "kubectl",
        "label",
        "service",
        service,
        *IN,
        "heritage=hand",
        "--overwrite",
        "--field-manager=console",
    )
    scaled.run("kubectl", "delete", "pdb", "--all", *IN)
    said, found = drift(scaled, tmp_path / "changed.json", 7)
    (label,) = found["changed", "server-service"]["properties"]
    assert label == {
        "path": "metadata.labels.heritage",
        "was": '"hand"',
        "now": '"pulumi"',
        "owner": "",
    }
    assert ("gone", "server-budget") in found and ("owned", "server-deployment") in found
    assert "make up STACK=local REFRESH=1" in said and said.splitlines()[-1].endswith(
        "1 changed, 1 gone, 2 moved by autoscalers"
    ), said

    refused = scaled.pulumi(
        "up", "--stack", STACK, "--yes", "--skip-preview", "--refresh", check=False
    )
    told = refused.stdout + refused.stderr
    assert refused.returncode != 0 and 'conflict with "console"' in told, (
        f"what others set is not overwritten unasked\n{told}"
    )

    again = scaled.python("ops.up", "--refresh")
    assert again.returncode == 0, again.stdout + again.stderr
    _, found = drift(scaled, tmp_path / "repaired.json", 0)
    assert found == {}, "the refresh has taken the pods into the state, too"
    assert sizes(scaled) == before, "the refresh gave back nothing that the autoscalers ordered"
    writes = [
        one["call"]
        for one in scaled.control(f"calls?since={call}")["calls"]
        if one["call"].startswith(("Modify", "Scale", "Remove"))
    ]
    assert writes == []
