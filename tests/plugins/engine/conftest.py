"""One region for the tests that need a cloud."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.plugins.engine.region import Region


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A cloud double without a cluster behind it."""
    made = Region(pathlib.Path(tmp_path_factory.mktemp("region")))
    made.start()
    yield made
    made.stop()
