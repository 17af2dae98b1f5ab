"""A preview that needs no cloud, no credentials, no network and no state."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from ops import preview
from ops.offline import baseline, run
from ops.offline.workspace import OfflineError, offline_settings, read_settings
from settings.core.stack_file import PLACEHOLDERS
from tests.e2e.harness import Lab
from tests.ops.preview_recordings import read
from tests.unit.golden_trees import STACKS

PROJECT = "elastic-inference"
SEALED = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")
"""A network namespace with nothing in it but a loopback that is up."""


def sealed(tree: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m ops.preview --offline …` in a copy of the checkout, with no way out and no
    credentials.
    """
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "EI_CACHE", "XDG_CACHE_HOME", "TMPDIR")
        if name in os.environ
    }
    command = f'ip link set lo up && exec "$0" -m ops.preview --offline {" ".join(arguments)}'
    return subprocess.run(
        [*SEALED, "sh", "-c", command, sys.executable], cwd=tree.program, env={**kept, "PYTHONPATH": str(tree.program)},
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip


def test_a_clean_clone_previews_with_no_network_and_no_credentials(tmp_path: pathlib.Path) -> None:
    done = sealed(Lab.create(tmp_path), "--stack", "prod", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "out.json").read_text())["changeSummary"]
    assert set(counts) == {"create"} and counts["create"] > 40
    assert done.stdout == f"prod: {counts['create']} create, compared with nothing\n"
    assert sorted(one.name for one in (tmp_path / "program").glob("Pulumi.*.yaml")) == sorted(
        f"Pulumi.{name}.yaml" for name in STACKS
    )


def test_secrets_of_a_stack_file_become_placeholders_and_its_salt_goes() -> None:
    hidden = {"secure": "v1:abc"}
    given = {"encryptionsalt": "v1:x", "config": {
        f"{PROJECT}:htpasswd": hidden, f"{PROJECT}:entry": {"auth": "basic", "tls": "provided"}, f"{PROJECT}:extra": {"a": [{"b": hidden}]},
    }}  # fmt: skip
    settings, secrets = offline_settings(given)
    assert set(settings) == {"config"} and "secure" not in json.dumps(settings)
    assert settings["config"][f"{PROJECT}:extra"] == {"a": [{"b": "offline"}]}
    names = ("htpasswd", "kubeconfig", "tlsCertificate", "tlsPrivateKey")
    assert secrets == {f"{PROJECT}:{name}": PLACEHOLDERS[name] for name in names}


def test_what_the_settings_answer_themselves_is_not_replaced() -> None:
    own = {"clusterVersion": "1.34.1-aliyun.1"}
    config = {f"{PROJECT}:lookups": own, f"{PROJECT}:cluster": {"id": "c1", "accountId": "42"}}
    settings, _ = offline_settings({"config": config})
    lookups = settings["config"][f"{PROJECT}:lookups"]
    assert (
        lookups["clusterVersion"] == own["clusterVersion"]
        and lookups["accountId"] == "42"
        and lookups["oidcIssuer"].endswith("/c1")
    )


@pytest.mark.parametrize("stack", STACKS)
def test_every_lookup_of_a_committed_stack_is_answered(stack: str) -> None:
    settings, secrets = offline_settings(read_settings(run.ROOT, stack))
    assert set(settings["config"][f"{PROJECT}:lookups"]) == {
        "accountId",
        "clusterVersion",
        "oidcIssuer",
        "oidcProviderArn",
    }
    assert f"{PROJECT}:kubeconfig" in secrets


def test_a_stack_that_is_not_there_is_named_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(
        OfflineError,
        match=r"there is no Pulumi.nope.yaml; expected one of dev, local, prod, staging",
    ):
        read_settings(run.ROOT, "nope")
    options = argparse.Namespace(
        stack="dev", base="no-such-branch", policies=False, json="", log=""
    )
    assert preview.offline(options) == 1
    assert "git knows no such commit" in capsys.readouterr().err


def test_options_for_offline_are_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["preview", "--base", "HEAD"])
    with pytest.raises(SystemExit) as ended:
        preview.main()
    assert ended.value.code == 2


PLANNED = json.loads(read("new-stack"))
EMPTY_PLAN: dict[str, Any] = {"resourcePlans": {}}


def test_a_plan_becomes_a_state_that_names_everything_before_it_is_used() -> None:
    resources = baseline.state_of(PLANNED, EMPTY_PLAN)["deployment"]["resources"]
    seen: set[str] = set()
    for one in resources:
        provider = (one.get("provider") or "").rpartition("::")[0]
        needed = {one.get("parent"), provider, *(one.get("dependencies") or ())} - {None, ""}
        assert needed <= seen, one["urn"]
        seen.add(one["urn"])
    assert (
        len(resources) == len(PLANNED["steps"]) + 2
    )  # the default providers of alicloud and ossmodel, of which no step tells
    assert all(one["id"] and one["outputs"] is not None for one in resources if one["custom"])


def test_a_hidden_input_is_taken_from_the_plan_file() -> None:
    urn = next(step["urn"] for step in PLANNED["steps"] if step["urn"].endswith("::entry-users"))
    secret = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"x"',
    }
    plan = {"resourcePlans": {urn: {"goal": {"inputDiff": {"adds": {"data": secret}}}}}}
    found = {one["urn"]: one for one in baseline.state_of(PLANNED, plan)["deployment"]["resources"]}
    assert (
        found[urn]["inputs"]["data"] == secret
        and found[urn]["outputs"]["__inputs"]["data"] == secret
    )


def test_a_plan_that_waits_for_the_cloud_is_not_settled() -> None:
    assert not baseline.is_fully_known(PLANNED) and baseline.is_fully_known(
        {"steps": [{"newState": {"inputs": {"a": 1}}}, {"op": "delete"}]}
    )


def test_the_summary_names_errors_and_broken_policies() -> None:
    text = preview.summary("prod", 1, read("bad-settings"), "abc")
    assert "nodePool.maxSize is 17" in text and text.endswith(
        "prod: the preview failed (exit status 1), compared with abc"
    )
    assert (
        preview.summary("dev", 0, read("nothing-changes"), "")
        == "dev: 44 same, compared with nothing"
    )
    assert (
        preview.summary("dev", 255, "{", "")
        == "dev: the preview failed (exit status 255), compared with nothing"
    )
