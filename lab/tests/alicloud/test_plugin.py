"""The real alicloud plugin on the double: every resource is made, read back without a difference,
and removed without a trace.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import toolchain
from lab.tests.alicloud.sealed import WAVES, run

DIFF_NONE = 1


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run of the plugin; it is built first if it is not there."""
    executable = toolchain.ensure(["pulumi-resource-alicloud"])["pulumi-resource-alicloud"].path
    return run(Path(executable), tmp_path_factory.mktemp("plugin"))


@pytest.mark.parametrize("token", [token for wave in WAVES for token in wave])
def test_what_the_plugin_reads_back_is_what_it_asked_for(
    outcome: dict[str, Any], token: str
) -> None:
    found = outcome["resources"][token]
    assert (found["failures"], found["same"]) == ([], True)
    if (
        token != "oss/bucket:Bucket"
        # the bucket takes over what split resources set: a trap of the plugin, met with
        # ignoreChanges
    ):
        assert (found["diffs"], found["changes"]) == ([], DIFF_NONE)


def test_nothing_is_left_and_nothing_of_the_fresh_lab_is_missing(outcome: dict[str, Any]) -> None:
    assert (outcome["extra"], outcome["missing"]) == ({}, {})


def test_every_client_family_of_the_plugin_signs_and_no_call_is_refused_or_unknown(
    outcome: dict[str, Any],
) -> None:
    calls = outcome["calls"]
    assert {c["auth_scheme"] for c in calls} == {
        "",
        "acs",
        "ACS3-HMAC-SHA256",
        "OSS4-HMAC-SHA256",
        "LOG",
    }
    assert {c["service"] for c in calls} >= {
        "location",
        "cs",
        "oss",
        "ram",
        "vpc",
        "ecs",
        "ims",
        "sls",
        "business",
    }
    assert [c for c in calls if c["status"] in (401, 403, 500, 501)] == []
