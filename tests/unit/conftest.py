"""Both kinds of run of the stack `local`, and the project's directory as the place to run in."""

import functools
from collections.abc import Iterator

import pytest

import settings.server
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


@pytest.fixture(scope="module")
def model_is_read_once() -> Iterator[None]:
    """For tests that load settings hundreds of times: nine tenths of a load is reading the sample
    model, whose files don't change.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings.server.check, "check", functools.cache(settings.server.check.check))
        yield
