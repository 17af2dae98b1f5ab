"""One real lab for these tests, in a directory and on ports of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import state
from lab.testing.lab import Lab


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("core") / "lab")
    yield lab
    lab.end()


@pytest.fixture
def lab(started: Lab) -> Lab:
    """The running lab; a test that stopped it costs the next one a start."""
    if not state.is_running(started.home):
        started.up()
    return started
