"""The policies: each lets the good through and refuses the bad, and all of them hold for every
stack of this repository.
"""

import datetime
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from lab.testing.figures import figure
from ops import policy_check
from policy import stacks, waivers
from policy.resources import Deployment, Resource
from policy.rule import ADVISORY
from policy.rules import ALL
from tests.ops import preview_cases as previews
from tests.ops.policy_cases import CASES, KEY, NOBODY
from tests.ops.policy_resources import (
    bucket,
    config,
    guards,
    ingress,
    network_policy,
    one,
    workload,
)
from tests.ops.preview_recordings import read
from tests.unit.golden_trees import STACKS, offline_preview

SETTINGS = stacks.load()
PROD = SETTINGS["prod"]
RULES = {rule.name: rule for rule in ALL}
PASSING = [(name, number) for name, (good, _) in CASES.items() for number in range(len(good))]
FAILING = [(name, number) for name, (_, bad) in CASES.items() for number in range(len(bad))]


def messages(name: str, resources: list[Resource]) -> list[str]:
    """What a rule says of resources in stack prod."""
    return [message for _, message in RULES[name].check(Deployment(PROD, tuple(resources)))]


def test_every_policy_has_a_passing_and_a_failing_case() -> None:
    assert CASES.keys() == RULES.keys() and len(ALL) == len(RULES) >= 25
    assert all(good and bad for good, bad in CASES.values())
    figure(
        f"{len(ALL)} policies, {len(PASSING)} passing and {len(FAILING)} failing cases, {len(STACKS)} stacks"
    )


@pytest.mark.parametrize(("name", "number"), PASSING)
def test_a_policy_lets_good_resources_through(name: str, number: int) -> None:
    assert messages(name, CASES[name][0][number]) == []


@pytest.mark.parametrize(("name", "number"), FAILING)
def test_a_policy_refuses_bad_resources_and_says_why(name: str, number: int) -> None:
    resources, said = CASES[name][1][number]
    found = messages(name, resources)
    assert any(said in message for message in found), found
    assert all(
        len(message) > 30 and (":" in message or ";" in message) for message in found
    )  # what it is, and what to do


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [None], {"a": None}])
def test_no_policy_stumbles_over_inputs_of_odd_shape(rule: Any, odd: Any) -> None:
    keys = (
        "spec",
        "metadata",
        "tags",
        "policy",
        "policyDocument",
        "assumeRolePolicyDocument",
        "scalingConfig",
        "labels",
        "data",
        "acl",
        "instanceTypes",
        "rules",
        "subjects",
        "roleRef",
        "items",
        "statements",
        "document",
    )
    kinds = {
        resource.kind
        for good, bad in CASES.values()
        for group in (*good, *(one for one, _ in bad))
        for resource in group
    }
    resources = [
        Resource(
            f"urn:pulumi:prod::p::{kind}::x",
            {"spotStrategy": "SpotAsPriceGo", **dict.fromkeys(keys, odd)},
        )
        for kind in sorted(kinds)
    ]
    list(rule.check(Deployment(PROD, tuple(resources))))


def test_no_message_repeats_a_key() -> None:
    found = messages(
        "no-access-key",
        [config(KEY), config({KEY: "x"}), workload(env=[{"name": KEY, "value": KEY}])],
    )
    assert len(found) >= 3 and not any(KEY in message for message in found)


@functools.cache
def of_stack(stack: str) -> Deployment:
    """The resources of a committed stack, as the program registers them in a preview."""
    registered = [one for one in offline_preview(stack).resources if one.custom]
    return Deployment(
        SETTINGS[stack], tuple(Resource(one.urn, one.inputs, one.protect) for one in registered)
    )


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_keeps_every_policy_or_says_why_not(stack: str) -> None:
    deployment = of_stack(stack)
    assert len(deployment.resources) > 20
    violations = policy_check.judge(deployment, waivers.load(policies=RULES))
    assert [one.as_dict() for one in violations if not one.waiver] == []


def test_no_waiver_is_left_over() -> None:
    used = {
        (one.rule.name, stack, one.resource.name)
        for stack in STACKS
        for one in policy_check.judge(of_stack(stack), waivers.load())
    }
    written = {(one.policy, stack, one.resource) for one in waivers.load() for stack in one.stacks}
    assert written and written <= used


def test_prod_of_this_repository_without_protection_is_refused() -> None:
    resources = [Resource(one.urn, one.inputs, protect=False) for one in of_stack("prod").resources]
    found = policy_check.judge(Deployment(PROD, tuple(resources)), waivers.load())
    assert {one.rule.name for one in found if one.blocking} == {"stateful-is-protected"}


def test_a_waiver_holds_for_its_stack_and_resource_and_until_its_day() -> None:
    day = datetime.date(2026, 12, 31)
    waiver = waivers.Waiver("tls-at-the-entry", ("prod",), "thing", "because", day)
    entry = ingress(False)
    assert waiver.covers("tls-at-the-entry", "prod", entry, day)
    assert not waiver.covers("tls-at-the-entry", "prod", entry, day + datetime.timedelta(days=1))
    assert not waiver.covers("tls-at-the-entry", "dev", entry, day) and not waiver.covers(
        "no-access-key", "prod", entry, day
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy='tls-at-the-entry'\nstacks=['dev']\nresource='x'", "reason is missing"),
        ("policy='nope'\nstacks=['dev']\nresource='x'\nreason='y'", "there is none"),
        ("policy='spot-mix'\nstacks=[]\nresource='x'\nreason='y'", "stacks: expected"),
        (
            "policy='spot-mix'\nstacks=['dev']\nresource='x'\nreason='y'\nuntil='soon'",
            "a date such as",
        ),
        ("why='x'", "why: no such key"),
    ],
)
def test_a_waiver_that_waives_too_much_is_refused(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(f"[[waiver]]\n{text}\n")
    assert run(tmp_path, previews.document(), "--waivers", str(path)) == 1
    err = capsys.readouterr().err
    assert said in err and all(line.startswith("error: ") for line in err.splitlines())


@pytest.mark.parametrize("text", ["a = 1", "[", "waiver = 1", "waiver = ['x']"])
def test_a_waivers_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    with pytest.raises(waivers.WaiverError, match="expected"):
        waivers.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prod]\npaid_share = [1, 2]", "protected: expected"),
        ("[prod]\nprotected = 'no'\npaid_share = [1, 2]", "protected: expected"),
        ("[prod]\nprotected = true", "paid_share: expected"),
        ("[prod]\nprotected = true\npaid_share = [2, 1]", "paid_share: expected"),
        ("[prod]\nprotected = true\npaid_share = [1, 2]\nwhy = 1", "why: no such key"),
        ("prod = 1", "expected protected and paid_share"),
        ("[", "expected one table"),
    ],
)
def test_a_stack_s_settings_are_complete_or_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "stacks.toml"
    path.write_text(text)
    with pytest.raises(stacks.StacksError, match=said):
        stacks.load(path)


def test_protection_is_a_setting_and_no_name_escapes_it() -> None:
    unprotected = one(bucket().kind, dict(bucket().inputs))
    open_entry = ingress(True, **NOBODY)
    judged = {
        name: {
            rule
            for rule in ("stateful-is-protected", "entry-asks-who-calls")
            if list(
                RULES[rule].check(
                    Deployment(stacks.named(name, SETTINGS), (unprotected, open_entry))
                )
            )
        }
        for name in ("prod", "prod-eu", "production", "PROD", "dev", "staging", "local")
    }
    both = {"stateful-is-protected", "entry-asks-who-calls"}
    assert judged == {
        **dict.fromkeys(("prod", "prod-eu", "production", "PROD"), both),
        **{name: set() for name in ("dev", "staging", "local")},
    }


def test_the_stacks_settings_are_for_the_repository_s_stacks() -> None:
    assert set(SETTINGS) == set(STACKS) and PROD.protected


def run(tmp_path: Path, text: str, *arguments: str, stack: str = "prod") -> int:
    path = tmp_path / "preview.json"
    path.write_text(text)
    return policy_check.main([str(path), "--stack", stack, *arguments])


def document(*resources: Resource) -> str:
    """A preview that makes resources."""
    return previews.document(
        *(
            {
                "op": "create",
                "urn": one.urn,
                "newState": {"inputs": one.inputs, "protect": one.protect},
            }
            for one in resources
        )
    )


def test_a_preview_that_keeps_all_policies_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, document(*guards()), "--json", str(tmp_path / "out.json")) == 0
    assert "0 broken" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "stack": "prod",
        "policies": len(ALL),
        "resources": 5,
        "violations": [],
    }


def test_a_preview_that_breaks_one_fails_and_is_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(tmp_path, document(*guards(acl="public-read")), "--json", str(tmp_path / "out.json"))
        == 1
    )
    written = json.loads((tmp_path / "out.json").read_text())["violations"]
    assert {one["policy"] for one in written} == {
        "bucket-is-private",
        "bucket-is-guarded",
    } and written[0]["level"] == "mandatory"
    assert "broken  bucket-is-private" in capsys.readouterr().out


def test_advice_alone_fails_nothing(tmp_path: Path) -> None:
    advice = workload(securityContext=None)
    assert (
        RULES["containers-are-hardened"].level == ADVISORY
        and run(tmp_path, document(advice, network_policy())) == 0
    )


def test_a_preview_of_another_stack_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, document(*guards()), stack="dev") == 1
    assert "another stack" in capsys.readouterr().err


def test_what_is_deleted_need_not_keep_any_policy(tmp_path: Path) -> None:
    gone = previews.step("delete", bucket().kind, "old", {"acl": "public-read"})
    assert run(tmp_path, previews.document(gone)) == 0


def test_a_preview_without_its_unchanged_resources_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, read("bucket-replaced"), stack="dev") == 1
    assert "--show-sames" in capsys.readouterr().err


def test_a_real_preview_of_prod_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = read("new-stack")
    assert run(tmp_path, text) == 0
    created = json.loads(text)["changeSummary"]["create"]
    assert f"{created} resources: 0 broken" in capsys.readouterr().out
