"""A roll-out on the published kubernetes plugin: Ctrl-C while its pods are waited for, and in which
order a volume is replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.engine import events
from tests.e2e.harness import STACK, Lab
from tests.e2e.test_interrupted import locks, pending

NAMESPACE, PODS = "inference", ("-n", "inference", "-l", "app=tensorflow-serving")
QUOTA = "no-more-pods"
LONGEST = 1500.0
"""Seconds for what the cluster does within a few: a bound on hanging."""


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Waits for it; fails when `process` ends before."""
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        assert process is None or process.poll() is None, "the command ended before that"
        time.sleep(0.2)


def serving(lab: Lab) -> dict[str, Any]:
    """The Deployment in the cluster."""
    (found,) = lab.kubectl("get", "deployments", *PODS)["items"]
    return found


def grace_in_state(lab: Lab) -> int:
    """Its pods' grace period as the state has it, in seconds."""
    (resource,) = [one for one in lab.state() if one["urn"].endswith("::server-deployment")]
    return resource["inputs"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


@pytest.fixture
def full(deployed: Lab) -> Iterator[Lab]:
    """A namespace that takes no more pods: what is rolled out waits for as long as a test needs."""
    count = len(deployed.kubectl("get", "pods", "-n", NAMESPACE)["items"])
    deployed.run("kubectl", "create", "quota", QUOTA, "-n", NAMESPACE, f"--hard=pods={count}")
    yield deployed
    deployed.run("kubectl", "delete", "quota", QUOTA, "-n", NAMESPACE, "--ignore-not-found")


def test_an_interrupted_wait_for_pods_is_still_to_do_and_the_same_command_goes_on(
    full: Lab,
) -> None:
    before = grace_in_state(full)
    full.config("server.graceSeconds", str(before + 1))
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops.up"], cwd=full.program, env=full.env, stdin=subprocess.DEVNULL, stdout=said,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        until(lambda: waits_in_vain(serving(full)), process)
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(LONGEST)
        said.seek(0)
        text = said.read()
    assert code != 0 and "Traceback (most recent call last)" not in text, text
    assert "the same command continues from here" in text, text
    assert locks(full) == [] and pending(full) == [], text
    assert grace_in_state(full) == before, "of a cancelled update the plugin records nothing"
    assert full.http("/v1/models/chnsenticorp").status_code == 200, "the old pods go on answering"
    assert "server-deployment" in still_to_do(full)

    full.run("kubectl", "delete", "quota", QUOTA, "-n", NAMESPACE)
    again = full.python("ops.up", timeout=LONGEST * 2)
    assert again.returncode == 0, again.stdout + again.stderr
    assert grace_in_state(full) == before + 1
    full.up("--expect-no-changes")


def waits_in_vain(deployment: dict[str, Any]) -> bool:
    """Whether the cluster has taken the new template, and can't make a pod of it."""
    conditions = {one["type"]: one["status"] for one in deployment["status"].get("conditions", [])}
    return conditions.get("ReplicaFailure") == "True"


def still_to_do(lab: Lab) -> dict[str, str]:
    """Names and operations that a preview lists."""
    document = json.loads(lab.pulumi("preview", "--stack", STACK, "--json").stdout)
    return {
        step["urn"].split("::")[-1]: step["op"]
        for step in document["steps"]
        if step["op"] != "same"
    }


def test_a_volume_is_replaced_after_the_pods_have_moved_and_no_pod_is_ever_without_one(
    deployed: Lab,
) -> None:
    before = claims(deployed)
    deployed.config("model.volumeSize", "6Gi")
    try:
        with watched(deployed) as seen:
            steps = ordered(deployed)
    finally:
        deployed.pulumi("config", "rm", "--stack", STACK, "--path", "model.volumeSize")
    places = {step: number for number, step in enumerate(steps)}
    made = [places["create-replacement", f"volume-{kind}"] for kind in ("pv", "pvc")]
    gone = [places["delete-replaced", f"volume-{kind}"] for kind in ("pvc", "pv")]
    assert made == sorted(made) and gone == sorted(gone), steps
    assert made[-1] < places["update", "server-deployment"] < gone[0], steps
    after = claims(deployed)
    assert len(after) == len(before) == 1 and not after & before
    assert seen.without == [] and seen.refused == [], (
        "a pod was without its volume, or nobody answered"
    )
    assert (
        seen.looks > 3 and {claim for claims in seen.claims for claim in claims} == before | after
    )
    deployed.up()  # back as it was
    assert claims(deployed) == before


def claims(lab: Lab) -> set[str]:
    """Names of the claims of the namespace."""
    return {
        item["metadata"]["name"] for item in lab.kubectl("get", "pvc", "-n", NAMESPACE)["items"]
    }


def ordered(lab: Lab) -> list[tuple[str, str]]:
    """An up's steps, (operation, name) in the order in which they were done."""
    with tempfile.TemporaryDirectory() as directory:
        log = pathlib.Path(directory) / "events"
        lab.run(
            "pulumi",
            "up",
            "--stack",
            STACK,
            "--yes",
            "--skip-preview",
            "--event-log",
            str(log),
            env=events.EVENT_LOG_ENVIRONMENT,
        )
        done = [json.loads(line).get("resOutputsEvent") for line in log.read_text().splitlines()]
    return [(one["metadata"]["op"], one["metadata"]["urn"].split("::")[-1]) for one in done if one]


class Seen:
    """What was seen of the pods and their claims, look by look."""

    def __init__(self) -> None:
        self.looks = 0
        self.claims: list[set[str]] = []
        self.without: list[str] = []
        self.refused: list[int] = []


@contextlib.contextmanager
def watched(lab: Lab) -> Iterator[Seen]:
    """Looks on, again and again: which claims the pods name, and whether each is bound; and asks
    the model.
    """
    seen, over = Seen(), threading.Event()

    def look() -> None:
        while not over.is_set():
            pods = lab.kubectl("get", "pods", *PODS)["items"]
            bound = {
                item["metadata"]["name"]
                for item in lab.kubectl("get", "pvc", "-n", NAMESPACE)["items"]
                if bound_claim(item)
            }
            missing = {
                pod["metadata"]["name"]: claim_of(pod) for pod in pods if claim_of(pod) not in bound
            }
            if missing:  # between the two looks a pod may have ended, and its claim with it
                still = {
                    pod["metadata"]["name"] for pod in lab.kubectl("get", "pods", *PODS)["items"]
                }
                seen.without += [
                    f"{name}: {claim}" for name, claim in missing.items() if name in still
                ]
            seen.claims.append({claim_of(pod) for pod in pods})
            status = lab.http("/v1/models/chnsenticorp", timeout=1500).status_code
            seen.refused += [status] if status != 200 else []
            seen.looks += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def bound_claim(item: dict[str, Any]) -> bool:
    """Whether the claim has its volume."""
    return item["status"].get("phase") == "Bound"


def claim_of(pod: dict[str, Any]) -> str:
    """The claim that the pod's model comes from."""
    (found,) = [
        v["persistentVolumeClaim"]["claimName"]
        for v in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in v
    ]
    return found
