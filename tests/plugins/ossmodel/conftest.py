"""One region for the module tests, a plugin process per test that asks for one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import oss2
import pytest

from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Plugin, environment


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The cloud double; its redirect of host names ends with it."""
    kept = {name: os.environ.get(name) for name in ("TEST_CLOUD", "REQUESTS_CA_BUNDLE")}
    region = Cloud(tmp_path_factory.mktemp("region"))
    try:
        yield region
    finally:
        region.close()
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults of one test never reach the next."""
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").control("DELETE", "/_lab/faults")


@pytest.fixture
def bucket(cloud: Cloud) -> oss2.Bucket:
    """A fresh, empty bucket."""
    return cloud.new_bucket(f"models-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Plugin]]:
    """Starts plugin processes with a clean environment, in the test's directory, and ends them."""
    running: list[Plugin] = []

    def begin(parent: list[str] | None = None, **env: str) -> Plugin:
        variables = environment(
            **{"EI_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), **env}
        )
        plugin = Plugin(tmp_path, variables, parent)
        running.append(plugin)
        return plugin

    yield begin
    for plugin in running:
        plugin.close()


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """A configured plugin whose every name leads nowhere: it must not need the network. Shared, as
    it keeps nothing.
    """
    plugin = Plugin(
        tmp_path_factory.mktemp("offline"),
        environment(TEST_CLOUD="127.0.0.1:1", ALICLOUD_REGION="cn-shanghai"),
    )
    plugin.configure()
    yield plugin
    plugin.close()


@pytest.fixture
def plugin(start: Callable[..., Plugin], cloud: Cloud) -> Plugin:
    """A configured plugin connected to the region."""
    started = start(**cloud.environment)
    started.configure()
    return started
