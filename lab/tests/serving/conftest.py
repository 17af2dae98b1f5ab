"""Real serving processes on loopback, with a real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lab.testing.models import NAME, VERSION
from lab.testing.ports import free_port
from lab.testing.serving import Launch, Server, put_model, start_process
from lab.toolchain import tensorflow as libraries


@pytest.fixture(scope="session", autouse=True)
def tensorflow_libraries() -> None:
    """What computes is there, of the versions that are tested."""
    for version in libraries.TESTED:
        libraries.ensure(version)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts processes whose file tree is `tmp_path`; all are killed after the test."""
    started: list[Server] = []

    def start(*flags: str, default: bool = True, **environment: str) -> Server:
        started.append(
            start_process(tmp_path, list(flags), environment, (free_port(), free_port()), default)
        )
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process for all tests that only ask."""
    root = tmp_path_factory.mktemp("rootfs")
    put_model(root)
    (root / "monitoring").write_text("prometheus_config { enable: true }")
    (root / "models.config").write_text(
        f"model_config_list {{ config {{ name: '{NAME}' base_path: '/models/tensorflow' model_platform: 'tensorflow' "
        f"model_version_policy {{ specific {{ versions: {VERSION} }} }} version_labels {{ key: 'stable' value: {VERSION} }} }} }}"
    )
    flags = [
        "--model_config_file=/models.config",
        "--monitoring_config_file=/monitoring",
        "--enable_grpc_healthcheck_service",
    ]
    server = start_process(root, flags, {}, (free_port(), free_port()), default=False)
    try:
        yield server.wait_up()
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def rest(served: Server) -> Iterator[httpx.Client]:
    """A client of the shared process."""
    with httpx.Client(base_url=served.url, timeout=120) as client:
        yield client
