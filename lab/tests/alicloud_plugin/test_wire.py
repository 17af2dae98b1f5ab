"""For the same inputs the plugin calls the cloud as the published one was recorded to, call by call
and field by field.
"""

from typing import Any

import pytest

from lab.tests.alicloud_plugin.calls import comparable, recorded, select
from lab.tests.alicloud_plugin.scenarios import Step
from lab.tests.alicloud_plugin.scenarios_oss import DIGESTS
from lab.tests.alicloud_plugin.sealed import SCENARIOS, STEPS, outcome_of


@pytest.mark.parametrize(
    ("name", "title", "step"),
    STEPS,
    ids=[f"{name}-{title}-{step.do}-{step.name}" for name, title, step in STEPS],
)
def test_calls_equal_the_recorded_ones(
    outcomes: dict[str, list[dict[str, Any]]], name: str, title: str, step: Step
) -> None:
    outcome = outcome_of(outcomes, name, title, step)
    assert [comparable(call) for call in outcome["calls"]] == [
        comparable(call) for call in select(recorded(name, DIGESTS), step.calls)
    ]
    if step.error:
        assert step.error in outcome["error"]
    else:
        assert outcome["error"] == ""


def test_scenarios_cover_every_recorded_call_of_the_data() -> None:
    for name, scenario in SCENARIOS.items():
        used = {call for phase in scenario() for step in phase.steps for call in step.calls}
        assert used == set(recorded(name)) and used, name


def test_requests_are_signed_by_each_client_family(
    outcomes: dict[str, list[dict[str, Any]]],
) -> None:
    headers = {
        name: [
            call["headers"].get("authorization", "")
            for item in outcomes[name]
            for call in item["calls"]
        ]
        for name in outcomes
    }
    assert any(value.startswith("acs LTAI0000000000000000:") for value in headers["nodepool"])
    signed = [value for value in headers["oss"] if value]
    assert signed and all(
        value.startswith("OSS4-HMAC-SHA256 Credential=LTAI0000000000000000/") for value in signed
    )


def test_split_resources_read_back_what_they_wrote(
    outcomes: dict[str, list[dict[str, Any]]],
) -> None:
    states = {
        item["name"]: item["state"][2] for item in outcomes["oss"] if item["phase"] == "refresh"
    }
    assert states["BucketVersioning"]["status"] == "Enabled"
    assert states["BucketHttpsConfig"]["tlsVersions"] == ["TLSv1.2", "TLSv1.3"]
    assert states["BucketHttpsConfig"]["enable"] is True
    assert states["BucketAcl"]["acl"] == "private"
    assert states["BucketPublicAccessBlock"]["blockPublicAccess"] is True
    assert states["BucketServerSideEncryption"]["sseAlgorithm"] == "AES256"
    assert '"acs:SecureTransport"' in states["BucketPolicy"]["policy"]
