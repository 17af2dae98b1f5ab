"""Why a pod does not get ready: the cause, the cluster's own words, what to do; and nothing about
what is healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.kubelet import registry
from lab.testing.figures import figure
from ops import diagnose
from ops.engine.cli import CommandFailed, Stack
from ops.pod_causes import RULES, Evidence, Rule, containers, findings
from tests.ops.pod_cases import (
    CASES,
    POD,
    RUNS,
    Case,
    deployment,
    ended,
    event,
    pod,
    pull,
    replica_set,
    waiting,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_last_screen_names_cause_and_remedy_and_shows_what_was_said(case: Case) -> None:
    (found,) = findings(case.evidence)
    assert case.cause in found.cause, found
    assert case.remedy in found.remedy, found
    assert case.said in found.message and (found.message or not case.said), found
    lines = found.lines()
    assert (
        POD in lines[0]
        and lines[1].startswith("    cause: ")
        and any(line.startswith("    do: ") for line in lines)
    )
    if case.log and case.status:
        assert case.log.splitlines()[-1] in lines[-1], "the container's last line ends it"


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        ("not_found", "its name or its tag is wrong"),
        ("denied", "has no such image, or shows it only to those who log in"),
        ("unauthorized", "does not let the nodes in"),
        ("no_such_host", "the nodes do not reach the registry"),
        ("timeout", "the nodes do not reach the registry"),
        ("refused", "the nodes do not reach the registry"),
        ("reset", "the nodes do not reach the registry"),
        ("digest", "damaged or replaced on the way"),
        ("rate_limit", "rate limit"),
        ("disk_full", "disks are too small"),
        ("platform", "not made for the nodes' processors"),
    ],
)
def test_each_failure_of_a_pull_that_the_lab_plays_is_told_with_its_cause(
    failure: str, cause: str
) -> None:
    said = registry.words(
        failure, "tensorflow/serving:1.15.0-gpu", "docker.io/tensorflow/serving", "1.15.0-gpu"
    )
    (found,) = findings(Case("", "", "", **pull(said)).evidence)
    assert cause in found.cause, found


def test_as_many_ways_as_are_promised_each_with_a_cause_of_its_own() -> None:
    causes = {findings(case.evidence)[0].cause for case in CASES}
    assert len(causes) >= 40 and len(CASES) >= 45
    figure(f"{len(CASES)} ways a pod does not get ready: cause and remedy named in {len(CASES)}")


def test_a_pod_that_has_got_over_its_trouble_is_not_spoken_of() -> None:
    old: list[Mapping[str, Any]] = [
        event("FailedMount", "MountVolume.SetUp failed: AccessDenied"),
        event("Failed", "Failed to pull image: not found"),
    ]
    healthy = Evidence([deployment()], [replica_set()], [pod(RUNS, ready=True)], old)
    assert findings(healthy) == []
    later = Evidence([deployment()], [replica_set()], [pod(ended(137, "OOMKilled"))], old)
    (found,) = findings(later)
    assert "server.memory" in found.cause, "its mount and its image are behind it"


def test_pods_of_earlier_templates_and_placeholders_are_not_spoken_of() -> None:
    broken = pull("not found")
    before = pod(broken["status"], owner="r1", name="old")
    assert (
        findings(
            Evidence(
                [deployment()],
                [replica_set("r1", 1), replica_set()],
                [before, pod(RUNS, ready=True)],
                [],
            )
        )
        == []
    )
    assert (
        findings(
            Evidence(
                [deployment({"pulumi.com/skipAwait": "true"})],
                [replica_set()],
                [pod(broken["status"])],
                [],
            )
        )
        == []
    )


def test_the_same_cause_is_told_once() -> None:
    status = pull("not found")["status"]
    unpulled = [pod(waiting("ErrImagePull", "x: not found"), name=name) for name in ("a", "b")]
    three: list[Mapping[str, Any]] = [*unpulled, pod(status, name="c")]
    found = findings(Evidence([deployment()], [replica_set()], three, []))
    assert next(one.subject for one in found).endswith("(and 1 more)") and len(found) == 2


def test_a_deployment_without_a_pod_says_who_refused_it() -> None:
    refused = event(
        "FailedCreate",
        'pods "bert" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
        "r2",
    )
    (found,) = findings(Evidence([deployment()], [replica_set()], [], [refused]))
    assert (
        "has no pod" in found.subject
        and "pod security" in found.cause
        and "runAsNonRoot" in found.message
    )
    quota = event("FailedCreate", 'pods "bert" is forbidden: exceeded quota: team', "r2")
    assert "quota" in findings(Evidence([deployment()], [replica_set()], [], [quota]))[0].cause


def test_a_claim_without_a_volume_and_an_ingress_without_an_address_are_told() -> None:
    claim = {"metadata": {"name": "c", "uid": "c1"}, "status": {"phase": "Pending"}}
    ingress = {
        "metadata": {"name": "i", "uid": "i1"},
        "spec": {"ingressClassName": "alb"},
        "status": {},
    }
    found = findings(
        Evidence(
            claims=[claim], ingresses=[ingress], events=[event("FailedBinding", "no volume", "c1")]
        )
    )
    assert (
        found[0].message == "FailedBinding: no volume"
        and "no controller of the class alb" in found[1].cause
    )


class Node:
    """Gives logs as a kubelet: one after the other, the last one again."""

    def __init__(self, *texts: str, before: str = "") -> None:
        self.texts, self.before = list(texts), before

    def text(self, query: str) -> str:
        """The log that a query asks for."""
        if "previous=true" in query:
            return self.before
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


BEGUN = "I reader.cc:83] Reading SavedModel from: /models/tensorflow/1\n"
REFUSED = (
    BEGUN
    + "E retrier.cc:37] Loading servable: {name: m version: 1} failed: Invalid argument: NodeDef mentions attr\n"
)


def test_a_log_that_ends_within_a_load_is_read_again_until_it_says_how_the_load_ended() -> None:
    waits: list[float] = []
    assert (
        diagnose._log(Node(BEGUN, BEGUN, REFUSED), "/log", "serving", False, waits.append)
        == REFUSED
    )
    assert waits == [diagnose.LOOK_SECONDS] * 2
    assert diagnose._log(Node(BEGUN), "/log", "serving", False, waits.append) == BEGUN, (
        "a load without an end is not waited for forever"
    )
    assert len(waits) == 2 + diagnose.LOOKS


def test_a_run_that_says_nothing_yet_is_told_by_the_run_before() -> None:
    def waited(seconds: float) -> None:
        pytest.fail(f"waited {seconds} s")

    for current in ("", BEGUN):
        node = Node(current, before=REFUSED)
        assert diagnose._log(node, "/log", "serving", True, waited) == REFUSED
    node = Node(REFUSED, before="old")
    assert diagnose._log(node, "/log", "serving", True, waited) == REFUSED


def test_the_log_of_the_run_before_is_there_when_the_container_has_ended() -> None:
    assert containers(pod(ended(1))) == [("serving", True)]
    assert containers(pod(RUNS)) == [("serving", False)]
    assert containers(pod(waiting("ContainerCreating"))) == []


def test_a_long_message_is_shown_whole_and_an_endless_one_is_cut() -> None:
    said = findings(Case("", "", "", **pull("x" * 900 + " not found")).evidence)[0].message
    assert said.endswith("not found")
    assert len(findings(Case("", "", "", **pull("not found " * 900)).evidence)[0].message) == 1200


def test_every_rule_says_what_to_do() -> None:
    assert all(isinstance(rule, Rule) and rule.cause and rule.remedy for rule in RULES)


def test_when_nobody_can_be_asked_the_run_still_ends_with_its_own_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(stack: Stack) -> dict:
        raise CommandFailed(["pulumi", "stack", "export"], 1)

    monkeypatch.setattr(Stack, "export_state", refused)
    monkeypatch.setattr("sys.argv", ["diagnose", "--stack", "dev"])
    assert diagnose.main() == 1
    assert "could not be asked: pulumi stack export: exit status 1" in capsys.readouterr().out
