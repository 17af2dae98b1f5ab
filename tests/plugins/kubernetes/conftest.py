"""One API server for all tests of the stand-in, a configured plugin per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import kubernetes.client
import kubernetes.config
import pytest

from tests.plugins.kubernetes.control_plane import ControlPlane
from tests.plugins.kubernetes.kubelet import Kubelet
from tests.plugins.kubernetes.process import Plugin, running


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with controllers."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> kubernetes.client.ApiClient:
    """The official client, for looking and for playing other people."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(control_plane.kubeconfig), client_configuration=configuration)
    configuration.proxy = None
    return kubernetes.client.ApiClient(configuration)


@pytest.fixture
def plugin(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Plugin]:
    """A plugin configured for the test cluster."""
    with running(str(tmp_path)) as started:
        started.configure(str(control_plane.kubeconfig))
        yield started


@pytest.fixture
def namespace(api: kubernetes.client.ApiClient) -> Iterator[str]:
    """A namespace of the test's own."""
    core = kubernetes.client.CoreV1Api(api)
    name = f"t-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


@pytest.fixture
def kubelet(api: kubernetes.client.ApiClient) -> Iterator[Kubelet]:
    """Somebody who runs (that is: reports about) pods, and gives Ingresses an address."""
    with Kubelet(api) as player:
        yield player


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is asked directly."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
