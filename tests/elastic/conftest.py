"""Labs for the elastic tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.elastic.labs import Labs
from tests.elastic.live import Live


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """One lab at a time, for the tests that bring their own load."""
    found = Labs(tmp_path_factory.mktemp("elastic"))
    yield found
    found.close()


@pytest.fixture
def peak(labs: Labs) -> Live:
    """The run that is at its peak: 20 pods serve steady load, in the wanted mix, with nothing going
    on.
    """
    return labs.peak()
