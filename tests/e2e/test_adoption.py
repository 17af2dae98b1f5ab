"""A namespace that is there already: taken over when it is as the stack needs it, named and left
alone when it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.harness import STACK, Lab

PROJECT, ADOPTING, NAMESPACE = "elastic-inference", "adopting", "given"


@pytest.fixture
def adopting(lab: Lab) -> Iterator[Lab]:
    """A second stack, for a namespace that somebody else has made."""
    settings = yaml.safe_load((lab.program / f"Pulumi.{STACK}.yaml").read_text())
    settings["config"] |= {
        f"{PROJECT}:namespace": NAMESPACE,
        f"{PROJECT}:adopt": {"namespace": True},
        f"{PROJECT}:nodeScaler": {"mode": "shared"},
    }
    path = lab.program / f"Pulumi.{ADOPTING}.yaml"
    path.write_text(yaml.safe_dump(settings))
    lab.run("kubectl", "create", "namespace", NAMESPACE)
    lab.pulumi("stack", "init", ADOPTING)
    yield lab
    lab.pulumi("stack", "rm", "--yes", "--force", ADOPTING)
    path.unlink(missing_ok=True)
    lab.run("kubectl", "delete", "namespace", NAMESPACE)


def test_an_existing_namespace_is_taken_over_or_what_differs_is_named(adopting: Lab) -> None:
    urn = f"urn:pulumi:{ADOPTING}::{PROJECT}::kubernetes:core/v1:Namespace::namespace"
    only = (
        "--stack",
        ADOPTING,
        "--yes",
        "--skip-preview",
        "--target",
        urn,
        "--target",
        f"urn:pulumi:{ADOPTING}::{PROJECT}::*::ack",
    )
    before = adopting.kubectl("get", "namespace", NAMESPACE)["metadata"]["labels"]
    refused = adopting.pulumi("up", *only, check=False)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert (
        "is adopted and is not as this stack asks for" in said
        and "run again with --refresh" in said
    ), said
    assert "pod-security.kubernetes.io/enforce" in said
    assert adopting.kubectl("get", "namespace", NAMESPACE)["metadata"]["labels"] == before

    adopting.run(
        "kubectl", "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"
    )
    assert adopting.pulumi("up", *only, check=False).returncode != 0, (
        "the state knows the namespace as it was"
    )
    adopting.pulumi("up", "--refresh", *only)
    exported = json.loads(adopting.pulumi("stack", "export", "--stack", ADOPTING).stdout)[
        "deployment"
    ]["resources"]
    (known,) = [one for one in exported if one["urn"] == urn]
    assert known["id"] == NAMESPACE and known["protect"] and known["retainOnDelete"]
    steps = json.loads(adopting.pulumi("preview", "--stack", ADOPTING, "--json").stdout)["steps"]
    assert {step["op"] for step in steps if step["urn"] == urn} <= {"same"}
