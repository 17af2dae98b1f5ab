"""The built plugin, and the outcomes of the scenarios, each run once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import toolchain
from tests.plugins.alicloud.plugin import CREDENTIALS, Plugin
from tests.plugins.alicloud.sealed import SCENARIOS, run


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


@pytest.fixture(scope="session")
def outcomes(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What every step of every scenario sent and answered. They wait most of the time, so they run side by side."""
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(run, name, executable, tmp_path_factory.mktemp(name)) for name in SCENARIOS}
        return {name: future.result() for name, future in running.items()}
