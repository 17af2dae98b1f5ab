"""Every action of the double, each called at least once as the API wants it, and refused without
each of what the API requires.

The list of actions is the router's own: an action that is added without an exchange fails here.
"""

from __future__ import annotations

import pytest

from lab.alicloud import api_models, sdk_models
from lab.testing.cloud import CloudDouble
from lab.testing.figures import figure
from lab.tests.alicloud import exchanges
from lab.tests.alicloud.exchanges import Outcome

_done: dict[int, list[Outcome]] = {}


@pytest.fixture
def outcomes(lab: CloudDouble, cloud_names: None, no_faults_left: None) -> list[Outcome]:
    """The exchanges, made once; the lab is as fresh as before afterwards."""
    if id(lab) not in _done:
        lab.ask("reset", {})
        _done[id(lab)] = exchanges.run(lab)
        lab.ask("reset", {})
    return _done[id(lab)]


def test_every_route_has_an_exchange() -> None:
    exercised = {exchanges._route_of(one) for one in exchanges.EXCHANGES}
    assert sorted(exchanges.routes() - exercised) == []
    served = {f"{service}:{action}" for service, action in sdk_models.actions()}
    assert sorted(served - {one.action for one in exchanges.EXCHANGES}) == []


@pytest.mark.parametrize(
    "number", range(len(exchanges.EXCHANGES)), ids=lambda n: exchanges.EXCHANGES[n].action
)
def test_an_action_takes_a_whole_request_and_refuses_one_that_lacks_something(
    outcomes: list[Outcome], number: int
) -> None:
    outcome = outcomes[number]
    assert (outcome.error, outcome.status // 100) == ("", 2), outcome
    assert {name: status for name, status in outcome.refused.items() if status != 400} == {}


def test_no_action_departs_from_the_official_models(
    lab: CloudDouble, outcomes: list[Outcome]
) -> None:
    told = lab.ask("departures")
    served = {f"{service}:{action}" for service, action in sdk_models.actions()}
    judged = served & told["judged"].keys()
    counts = told["counts"]
    figure(
        f"{len(judged)} actions: {counts['reads']} unknown fields, {counts['takes']} missing required ones, "
        f"{counts['answers']} fields answered that the models don't know"
    )
    dropped = sum(len(outcome.refused) for outcome in outcomes)
    taken = [
        f"{outcome.exchange.action} without {name}"
        for outcome in outcomes
        for name, said in outcome.refused.items()
        if said < 300
    ]
    figure(f"{dropped} requests without a required parameter or field: {len(taken)} taken")
    assert told["departures"] == [] and taken == []
    assert served - judged == api_models.UNJUDGED.keys() & served
    assert dropped >= 170
