"""Check and Diff give what the published plugin was recorded to give."""

from __future__ import annotations

import re

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.plugins.kubernetes import recorded
from tests.plugins.kubernetes.process import Plugin, running

CHECKS = recorded.load("check.json")["cases"]
DIFFS = recorded.load("diff.json")["cases"]
KINDS = provider_pb2.PropertyDiff.Kind


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A plugin whose cluster does not answer: Check and Diff need none."""
    home = tmp_path_factory.mktemp("home")
    config = home / "kubeconfig"
    config.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
    )
    with running(str(home)) as started:
        started.configure(str(config))
        yield started


def name_of(case: dict) -> str:
    """A test id."""
    return f"{case['urn'].split(':')[-3]}-{case.get('op', 'check')}"


def as_written(case: dict) -> dict:
    """The inputs as the program gave them: no made-up name, a volume's empty class still there."""
    inputs = case["inputs"]
    if inputs["kind"] == "ConfigMap":
        metadata = {k: v for k, v in inputs["metadata"].items() if k not in ("name", "annotations")}
        return {**inputs, "metadata": metadata}
    if inputs["kind"] == "PersistentVolume":
        return {**inputs, "spec": {**inputs["spec"], "storageClassName": ""}}
    return inputs


@pytest.mark.parametrize("case", CHECKS, ids=name_of)
def test_check_gives_the_recorded_inputs(offline: Plugin, case: dict) -> None:
    assert recorded.unequal(recorded.settled(case["inputs"]), recorded.settled(offline.check(case["urn"], as_written(case)))) == []


@pytest.mark.parametrize("case", CHECKS, ids=name_of)
def test_check_of_checked_inputs_changes_nothing(offline: Plugin, case: dict) -> None:
    assert offline.check(case["urn"], as_written(case), olds=case["inputs"]) == case["inputs"]


def test_there_are_recorded_cases_of_every_kind_in_the_graph() -> None:
    kinds = {case["inputs"]["kind"] for case in CHECKS}
    assert len(kinds) == len(CHECKS) == 10
    assert {case["op"] for case in DIFFS} == {"replace", "update", "same"} and len(DIFFS) == 10


@pytest.mark.parametrize("case", DIFFS, ids=name_of)
def test_diff_gives_the_recorded_changes_and_replacements(offline: Plugin, case: dict) -> None:
    answer = offline.diff(case["urn"], case["state"], case["inputs"])
    found = {path: {"kind": _kind(change.kind), "inputDiff": change.inputDiff} for path, change in answer.detailedDiff.items()}
    assert found == (case["detailedDiff"] or {})
    assert sorted(answer.replaces) == case["replaceReasons"]
    assert answer.changes == (provider_pb2.DiffResponse.DIFF_NONE if case["op"] == "same" else provider_pb2.DiffResponse.DIFF_SOME)
    assert not answer.deleteBeforeReplace
    assert answer.hasDetailedDiff


def _kind(kind: int) -> str:
    return KINDS.Name(kind).lower().replace("_", "-")


def test_made_up_names_have_the_published_form(offline: Plugin) -> None:
    case = next(c for c in CHECKS if c["inputs"]["kind"] == "ConfigMap")
    name = offline.check(case["urn"], as_written(case))["metadata"]["name"]
    assert re.fullmatch(r"monitoring-[0-9a-f]{8}", name)
