"""One lab for the whole rung, one deployment for the tests that only look."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e.harness import STACK, Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A fresh lab with an initialised, empty stack."""
    lab = Lab.create(pathlib.Path(tmp_path_factory.mktemp("e2e")))
    started = lab.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        lab.pulumi("stack", "init", STACK)
        yield lab
    finally:
        lab.python("lab", "down")


@pytest.fixture
def deployed(lab: Lab) -> Lab:
    """The lab with the stack up."""
    return lab.stands()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What ends the lab comes last."""
    items.sort(
        key=lambda item: item.path.name == "test_teardown.py" and item.path.parent.name == "e2e"
    )
