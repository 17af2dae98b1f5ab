"""Fixtures: a double of the cloud for a session, reached by its real names over verified TLS.

A `conftest.py` takes them over by importing them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lab.alicloud.seed import CLUSTER
from lab.alicloud.services.cs.addons import DETECTOR, VERSIONS
from lab.testing import clients
from lab.testing.cloud import CloudDouble, new_lab

_resolve = socket.getaddrinfo


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudDouble]:
    """The cloud double of this session; its clock runs 20 times as fast."""
    home = tmp_path_factory.mktemp("region")
    (home / "scenario.yaml").write_text("delays: {reclaim_notice: 40}\n")
    made = new_lab(home)
    made.start()
    yield made
    judged = made.ask("departures")
    made.stop()
    assert not judged["departures"], (
        "the double departs from the official SDKs' models:\n" + "\n".join(judged["departures"])
    )


@pytest.fixture(autouse=True)
def cloud_names(lab: CloudDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every *.aliyuncs.com is the double, with its name kept for TLS and Host."""

    def resolve(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(host, str) and host.endswith(".aliyuncs.com"):
            return _resolve(
                "127.0.0.1", lab.http if port in (80, "http") else lab.https, *rest, **options
            )
        return _resolve(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.ca)
    monkeypatch.setenv("SSL_CERT_FILE", lab.ca)
    for name in (
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "https_proxy",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_faults_left(lab: CloudDouble) -> Iterator[None]:
    """Faults of one test don't reach the next."""
    yield
    lab.ask("faults", method="DELETE")


@pytest.fixture
def without_detector(lab: CloudDouble) -> Iterator[CloudDouble]:
    """The cluster without ack-node-problem-detector; it has it again afterwards."""
    clients.roa(lab, "POST", f"/clusters/{CLUSTER}/components/uninstall", [{"name": DETECTOR}])
    yield lab
    clients.roa(
        lab,
        "POST",
        f"/clusters/{CLUSTER}/components/install",
        [{"name": DETECTOR, "version": VERSIONS[DETECTOR]}],
    )
