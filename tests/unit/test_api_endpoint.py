"""By which address of the API server a run reaches its cluster: the public one, the one in the VPC,
and what is said where there is none.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from components.compute.kubeconfig import with_server
from tests.unit.bad_cluster_inputs import made
from tests.unit.monitor import Recording
from tests.unit.program import Cloud, failure, run

PUBLIC, PRIVATE = "https://203.0.113.9:6443", "https://192.168.0.9:6443"


def kubeconfig(server: str) -> str:
    cluster = {"server": server, "certificate-authority-data": "Y2E="}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": cluster}],
            "users": [{"name": "u", "user": {"client-key-data": "a2V5"}}],
        }
    )


def cloud(server: str = PUBLIC, private: str = PRIVATE) -> Cloud:
    answering = Cloud(preview=False)
    answering.kubeconfig, answering.private_endpoint = kubeconfig(server), private
    return answering


def server_of(recording: Recording) -> str:
    provider = recording.one("pulumi:providers:kubernetes")
    assert "kubeconfig" in provider.secret_inputs
    document = yaml.safe_load(provider.inputs["kubeconfig"])
    assert document["users"][0]["user"] == {"client-key-data": "a2V5"}
    assert document["clusters"][0]["cluster"]["certificate-authority-data"] == "Y2E="
    return document["clusters"][0]["cluster"]["server"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PUBLIC),
        ({"cluster": {"apiEndpoint": "public"}}, PUBLIC),
        ({"cluster": {"apiEndpoint": "private"}}, PRIVATE),
        (made({"publicApi": True}), PUBLIC),
        (made({"publicApi": False}), PRIVATE),
    ],
    ids=["existing", "public", "private", "created", "created without a public endpoint"],
)
def test_the_cluster_is_reached_by_the_endpoint_that_the_settings_say(
    changes: dict[str, Any], expected: str
) -> None:
    assert server_of(run(changes=changes, cloud=cloud())) == expected


def test_a_cluster_may_have_a_public_endpoint_and_be_reached_from_the_vpc() -> None:
    changes = made({"publicApi": True})
    changes["cluster"]["apiEndpoint"] = "private"
    assert server_of(run(changes=changes, cloud=cloud())) == PRIVATE


@pytest.mark.parametrize("server", ["", "https://:6443", "https://"])
def test_a_cluster_without_a_public_endpoint_ends_the_run_with_what_to_do(server: str) -> None:
    text = failure(cloud=cloud(server))
    assert "no public endpoint" in text and "apiEndpoint' private" in text and "Bind EIP" in text


def test_a_cluster_without_a_private_endpoint_is_named_too() -> None:
    changes = {"cluster": {"apiEndpoint": "private"}}
    assert "no private endpoint" in failure(changes=changes, cloud=cloud(private=""))


def test_a_given_kubeconfig_is_used_as_it_is() -> None:
    given = kubeconfig(PUBLIC)
    changes = {"kubeconfig": given, "cluster": {"apiEndpoint": "private"}}
    found = run(changes=changes, cloud=cloud(), secret=("kubeconfig",))
    assert found.one("pulumi:providers:kubernetes").inputs["kubeconfig"] == given


def test_only_the_address_changes() -> None:
    before, after = (yaml.safe_load(text) for text in (kubeconfig(PUBLIC), with_server(kubeconfig(PUBLIC), PRIVATE)))  # fmt: skip
    before["clusters"][0]["cluster"]["server"] = PRIVATE
    assert before == after
