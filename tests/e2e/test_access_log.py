"""The bucket's access log by the real provider against the double: it is there, a refresh finds no
difference, and it goes, full or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import STACK, Lab

SETTING = "modelStore.accessLogDays"
OSS = """
import json, sys
from ops.cloud.client import Cloud
from ops.cloud.credentials import find_credentials
model, log = (Cloud("cn-shanghai", find_credentials({})).bucket(name) for name in sys.argv[1:])
log.put_object(f"{model.bucket_name}/2026-12-01-03-00-00-0001", b"a line of OSS")
found, rule = model.get_bucket_logging(), log.get_bucket_lifecycle().rules[0]
print(json.dumps([found.target_bucket, found.target_prefix, rule.expiration.days, log.get_bucket_acl().acl]))
"""
"""Writes an object, as OSS does, and reads what is set at both buckets."""


@pytest.fixture
def logged(deployed: Lab) -> Iterator[Lab]:
    """The stack with an access log."""
    deployed.config(SETTING, "30")
    deployed.up()
    yield deployed
    if SETTING.partition(".")[2] in json.dumps(settings(deployed)):
        deployed.pulumi("config", "rm", "--stack", STACK, "--path", f"elastic-inference:{SETTING}")
        deployed.up()


def settings(lab: Lab) -> Any:
    """The stack's configuration."""
    return json.loads(lab.pulumi("config", "--json", "--stack", STACK).stdout)


def buckets(lab: Lab) -> set[str]:
    """Names of the buckets in the state."""
    return {
        row["outputs"]["bucket"] for row in lab.state() if row["type"].endswith("/bucket:Bucket")
    }


def test_the_access_log_is_written_into_a_bucket_of_its_own_and_goes_with_it(logged: Lab) -> None:
    model = logged.outputs()["bucket"]
    log = f"{model}-log"
    assert buckets(logged) == {model, log}
    said = logged.run("python", "-c", OSS, model, log).stdout.splitlines()[-1]
    assert json.loads(said) == [log, f"{model}/", 30, "private"]
    logged.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", "--refresh", "--expect-no-changes")  # fmt: skip
    logged.pulumi("config", "rm", "--stack", STACK, "--path", f"elastic-inference:{SETTING}")
    logged.up()
    assert buckets(logged) == {model}, "full as it is, it goes"
    assert log not in json.dumps(logged.control("resources"))
