"""The commands' way into a cluster whose API server answers inside its VPC only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.cloud import cluster_reader
from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, reach
from ops.cloud.credentials import Credentials
from ops.engine import remediation
from ops.engine.checkpoint import Checkpoint
from ops.engine.events import Failure
from ops.engine.stack_location import locate

PRIVATE = "https://192.168.0.9:6443"


class Region(Cloud):
    """A cluster with these endpoints."""

    def __init__(self, **endpoints: str) -> None:
        super().__init__("cn-shanghai", Credentials("k", "s"))
        self.endpoints, self.asked = endpoints, list[dict[str, Any]]()

    def cs(self, path: str, **query: Any) -> Any:
        """The cluster, or its kubeconfig."""
        self.asked.append(query)
        if path.endswith("/user_config"):
            return {"config": "kubeconfig"}
        return {"master_url": json.dumps(self.endpoints)}


class Silent:
    """An API server that nobody reaches."""

    def __init__(self, kubeconfig: str) -> None:
        pass

    def get(self, path: str) -> Any:
        """Nothing."""
        raise ClusterError(f"{path}: ConnectTimeoutError")


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_reader, "ClusterReader", Silent)


@pytest.mark.parametrize("private", [False, True])
def test_the_kubeconfig_is_asked_for_with_the_endpoint_of_the_settings(private: bool) -> None:
    region = Region(api_server_endpoint="https://203.0.113.9:6443")
    with pytest.raises(ClusterError):
        reach(region, "c1", private=private)
    assert region.asked[1]["PrivateIpAddress"] == str(private).lower()


def test_a_cluster_without_a_public_endpoint_is_named_as_the_reason() -> None:
    region = Region(intranet_api_server_endpoint=PRIVATE)
    with pytest.raises(ClusterError, match=r"no public endpoint.*apiEndpoint' private.*EIP"):
        reach(region, "c1")
    with pytest.raises(ClusterError, match=rf"apiEndpoint is private: {PRIVATE} answers inside"):
        reach(region, "c1", private=True)


def test_of_a_cluster_with_a_public_endpoint_only_what_happened_is_said() -> None:
    region = Region(api_server_endpoint="https://203.0.113.9:6443")
    with pytest.raises(ClusterError) as caught:
        reach(region, "c1")
    assert str(caught.value) == "/version: ConnectTimeoutError"


@pytest.mark.parametrize(
    ("cluster", "private"),
    [
        ({"id": "c" + "1" * 32}, False),
        ({"id": "c" + "1" * 32, "apiEndpoint": "private"}, True),
        ({"apiEndpoint": "private"}, True),
    ],
)
def test_teardown_and_the_others_take_it_from_the_settings(
    cluster: dict[str, Any], private: bool
) -> None:
    config = {"elastic-inference:cluster": cluster}
    assert locate("dev", Checkpoint(), config).private_api is private


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (f'Get "{PRIVATE}/api?timeout=32s": dial tcp 192.168.0.9:6443: i/o timeout', True),
        ("dial tcp 172.20.1.4:6443: connect: no route to host", True),
        ("dial tcp 10.0.0.10:6443: connect: connection refused", False),
        ("dial tcp 203.0.113.9:6443: i/o timeout", False),
        ("dial tcp 172.32.0.1:6443: i/o timeout", False),
    ],
)
def test_a_run_that_does_not_reach_a_private_address_is_told_so(message: str, named: bool) -> None:
    failure = Failure("urn:pulumi:dev::p::kubernetes:core/v1:Namespace::n", message, "create")
    assert ("bind an EIP" in remediation.what_to_do(failure)) is named
