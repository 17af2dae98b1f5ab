"""The lab's region receives from the plugin the calls which the published plugin was recorded to
send, and leads it the same way.
"""

import itertools
import json
import re
from typing import Any

import pytest

from lab.tests.alicloud_plugin.calls import comparable, recorded, select
from lab.tests.alicloud_plugin.scenarios import Step
from lab.tests.alicloud_plugin.scenarios_oss import DIGESTS
from lab.tests.alicloud_plugin.sealed import STEPS, outcome_of

_STEPS = [(name, title, step) for name, title, step in STEPS if not step.staged]
_IDS = ((r"\bnp[0-9a-f]{30}\b", "<pool>"), (r"\bT-[0-9a-f]+\b", "<task>"))


def _without_ids(calls: list[dict[str, Any]]) -> Any:
    """Calls with the ids that every double makes up itself replaced by what they are ids of.

    How often the plugin looks at a task before it is done is a matter of time: looks that follow
    each other are one.
    """
    text = json.dumps([comparable(call) for call in calls])
    for pattern, replacement in _IDS:
        text = re.sub(pattern, replacement, text)
    return [call for call, _ in itertools.groupby(json.loads(text))]


@pytest.mark.parametrize(
    ("name", "title", "step"),
    _STEPS,
    ids=[f"{name}-{title}-{step.do}-{step.name}" for name, title, step in _STEPS],
)
def test_calls_equal_the_recorded_ones(
    received: dict[str, list[dict[str, Any]]], name: str, title: str, step: Step
) -> None:
    outcome = outcome_of(received, name, title, step)
    assert outcome["error"] == ""
    assert _without_ids(outcome["calls"]) == _without_ids(
        select(recorded(name, DIGESTS), step.calls)
    )
    assert all(call["status"] < 400 or call["status"] == 404 for call in outcome["calls"])
