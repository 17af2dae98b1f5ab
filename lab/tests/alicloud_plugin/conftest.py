"""The built plugin, and the outcomes of the scenarios, each run once."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab import toolchain
from lab.testing.plugin import CREDENTIALS, Plugin
from lab.tests.alicloud_plugin.sealed import SCENARIOS, run


@pytest.fixture(scope="session")
def executable() -> Path:
    """The plugin; built if it is not there yet."""
    return toolchain.ensure(["pulumi-resource-alicloud"])["pulumi-resource-alicloud"].path


@pytest.fixture(scope="session")
def plugin(executable: Path):
    """A configured plugin without a cloud: for Check, Diff and errors."""
    with Plugin(executable, CREDENTIALS) as running:
        running.configure()
        yield running


Runs = dict[str, dict[str, "Future[list[dict[str, Any]]]"]]
"""What every step of every scenario sent and answered, by double and scenario, as far as it is
there.
"""


@pytest.fixture(scope="session")
def runs(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every scenario before the recorded answers and before the lab's region. They wait most of the
    time, so all run side by side.
    """
    with ThreadPoolExecutor(2 * len(SCENARIOS)) as pool:
        yield {
            double: {
                name: pool.submit(run, name, executable, tmp_path_factory.mktemp(name), double)
                for name in SCENARIOS
            }
            for double in ("replay", "region")
        }


@pytest.fixture(scope="session")
def outcomes(runs: Runs) -> dict[str, list[dict[str, Any]]]:
    """Before the recorded answers."""
    return {name: future.result() for name, future in runs["replay"].items()}


@pytest.fixture(scope="session")
def received(runs: Runs) -> dict[str, list[dict[str, Any]]]:
    """Before the lab's region: what it received in every step."""
    return {name: future.result() for name, future in runs["region"].items()}
