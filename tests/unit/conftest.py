"""Both kinds of run of the stack `local`, and the project's directory as the place to run in."""

import pytest

from tests.unit.monitor import Recording
from tests.unit.program import ROOT, local


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def up(_in_the_project: None) -> Recording:
    """What an `up` of the stack local registers."""
    return local(preview=False)


@pytest.fixture(params=["preview", "up"])
def either(_in_the_project: None, request: pytest.FixtureRequest) -> Recording:
    """A preview, and an up."""
    return local(preview=request.param == "preview")
