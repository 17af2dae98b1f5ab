"""Two stacks live side by side in one lab cluster: both answer, neither sees the other's changes,
one outlives the other.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator

import httpx
import pytest
import yaml

from lab.testing.figures import figure
from models.tokenizer import instance
from tests.e2e.harness import STACK, Lab

PROJECT = "elastic-inference"
SECOND = "second"
HOSTS = {STACK: "bert-tfserving.localhost", SECOND: "second.localhost"}
NAMESPACES = {STACK: "inference", SECOND: "inference-second"}


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> Iterator[Lab]:
    """A lab of its own, and the settings of a second stack: what docs/environments.md says they
    must differ in, and nothing else.
    """
    made = Lab.create(tmp_path)
    settings = yaml.safe_load((made.program / f"Pulumi.{STACK}.yaml").read_text())
    config = settings["config"]
    config[f"{PROJECT}:namespace"] = NAMESPACES[SECOND]
    config[f"{PROJECT}:nodeScaler"] = {"mode": "shared"}
    config[f"{PROJECT}:entry"]["host"] = HOSTS[SECOND]
    (made.program / f"Pulumi.{SECOND}.yaml").write_text(yaml.safe_dump(settings))
    started = made.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    for stack in (STACK, SECOND):
        made.pulumi("stack", "init", stack)
    yield made
    made.python("lab", "down")


def up(lab: Lab, stack: str, *arguments: str) -> None:
    """`pulumi up` of one of the two."""
    lab.pulumi("up", "--stack", stack, "--yes", "--skip-preview", *arguments, timeout=600)


def answers(lab: Lab, stack: str) -> int:
    """Status of a prediction asked of one of the two."""
    url = f"http://127.0.0.1:{lab.ports['LAB_INGRESS_PORT']}/v1/models/chnsenticorp:predict"
    body = {"instances": [instance("房间很干净，服务也很好")]}
    with httpx.Client(trust_env=False, timeout=120, headers={"Host": HOSTS[stack]}) as client:
        return client.post(url, json=body).status_code


def test_two_stacks_side_by_side(lab: Lab) -> None:
    begun = time.monotonic()
    up(lab, STACK)
    alone = lab.control("resources")["resources"]
    up(lab, SECOND)
    assert [answers(lab, stack) for stack in HOSTS] == [200, 200]
    for stack in HOSTS:
        up(lab, stack, "--expect-no-changes", "--refresh")
    _each_on_its_own_nodes(lab)

    # A change of the one rolls its pods and touches nothing of the other.
    before = lab.kubectl(
        "get", "pods,deployments,services,ingresses,hpa,pvc", "-n", NAMESPACES[STACK]
    )["items"]
    lab.pulumi("config", "set", "--stack", SECOND, "--path", f"{PROJECT}:model.name", "renamed")
    up(lab, SECOND)
    after = lab.kubectl(
        "get", "pods,deployments,services,ingresses,hpa,pvc", "-n", NAMESPACES[STACK]
    )["items"]
    assert _identities(before) == _identities(after)
    assert answers(lab, STACK) == 200
    end = time.monotonic() + 60  # the pod before it serves until it has left the ingress
    while (found := answers(lab, SECOND)) != 404 and time.monotonic() < end:
        time.sleep(0.5)
    assert found == 404, "the second serves under another name now"

    # The end of the one is not the end of the other.
    lab.pulumi("destroy", "--stack", SECOND, "--yes", "--skip-preview", timeout=600)
    assert answers(lab, STACK) == 200
    up(lab, STACK, "--expect-no-changes", "--refresh")
    kinds = (
        "bucket",
        "ram_role",
        "ram_policy",
        "ram_attachment",
        "node_pool",
        "cluster",
        "addon",
        "vswitch",
    )
    left = lab.control("resources")["resources"]
    assert {kind: left.get(kind) for kind in kinds} == {kind: alone.get(kind) for kind in kinds}
    lab.pulumi("destroy", "--stack", STACK, "--yes", "--skip-preview", timeout=600)
    end = lab.control("resources")
    assert (end["extra"], end["missing"]) == ({}, {})
    figure(f"two stacks up, one changed, both down in {time.monotonic() - begun:.0f} s")


def _each_on_its_own_nodes(lab: Lab) -> None:
    nodes = {
        node["metadata"]["name"]: node["metadata"]["labels"]
        for node in lab.kubectl("get", "nodes")["items"]
    }
    for stack, namespace in NAMESPACES.items():
        pods = lab.kubectl("get", "pods", "-n", namespace, "-l", "app=tensorflow-serving")["items"]
        stacks = {nodes[pod["spec"]["nodeName"]].get("inference-stack") for pod in pods}
        assert stacks == {stack}, json.dumps(nodes, indent=1)


def _identities(items: list[dict]) -> set[tuple[str, str, int]]:
    """Kind, uid and generation: a new object or a changed one differs. Autoscalers' counters are no
    change.
    """
    return {
        (item["kind"], item["metadata"]["uid"], item["metadata"].get("generation", 0))
        for item in items
    }
