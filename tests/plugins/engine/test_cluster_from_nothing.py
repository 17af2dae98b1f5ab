"""Network, cluster, system nodes and add-ons from nothing and back: the real CLI and plugin,
against the cloud double.
"""

from __future__ import annotations

import pytest

from tests.plugins.engine.region import Region

PROGRAM = """
import pulumi
from components.compute.addons import Addons, AddonsArgs
from components.compute.managed_cluster import ManagedCluster, ManagedClusterArgs
from components.compute.network import Network, NetworkArgs
from components.compute.system_pool import SystemPool, SystemPoolArgs
from settings.cluster import CreateSettings

tags = {"stack": pulumi.get_stack()}
create = CreateSettings.model_validate({
    "vswitches": {"ap-southeast-1a": "192.168.0.0/20", "ap-southeast-1b": "192.168.16.0/20"}, "metricsAdapter": "addon",
})
network = Network("network", NetworkArgs(create, "engine", tags))
cluster = ManagedCluster("ack", ManagedClusterArgs(create, "engine", network.vswitch_ids, tags))
nodes = SystemPool("system", SystemPoolArgs(create, cluster.cluster_id, network.vswitch_ids, tags))
addons = Addons("addons", AddonsArgs(
    settings=create, ingress_kind="nginx", cluster_id=nodes.cluster_id, worker_role=cluster.worker_role, vswitch_of=network.vswitch_of,
    policy_name="engine-metrics", tags=tags))
for name, value in {
    "cluster": addons.cluster_id, "issuer": cluster.oidc_issuer, "arn": cluster.oidc_provider_arn, "role": cluster.worker_role,
    "vswitches": network.vswitch_of,
}.items():
    pulumi.export(name, value)
"""


@pytest.fixture(scope="module")
def made(region: Region) -> Region:
    """The region with a cluster made by an up."""
    region.program(PROGRAM)
    region.pulumi("stack", "init", "engine")
    region.configure(
        **{"alicloud:region": "ap-southeast-1"}
    )  # another one than the lab's own cluster is in
    region.up()
    return region


def test_everything_is_made_and_what_depends_on_it_is_told(made: Region) -> None:
    outputs = made.outputs()
    cluster = outputs["cluster"]
    extra = made.lab.control("resources")["extra"]
    assert extra["cluster"] == [cluster] and len(extra["vswitch"]) == 2 and len(extra["vpc"]) == 1
    assert sorted(outputs["vswitches"].values()) == extra["vswitch"]
    assert outputs["arn"].endswith(f":oidc-provider/ack-rrsa-{cluster}") and outputs[
        "issuer"
    ].startswith("https://oidc-ack-")
    assert extra["ram_role"] == [outputs["role"]] and extra["ram_attachment"] == [
        f"role:{outputs['role']}:Custom:engine-metrics"
    ]
    assert extra["logstore"] == [f"k8s-log-{cluster}:nginx-ingress"]
    assert {
        f"{cluster}:{name}"
        for name in ("terway-eniip", "nginx-ingress-controller", "csi-plugin", "loongcollector")
    } <= set(extra["addon"])


def test_two_system_nodes_that_are_never_reclaimed_run_in_two_zones(made: Region) -> None:
    cluster = made.outputs()["cluster"]
    nodes = [
        one for one in made.lab.control("instances")["instances"] if one["cluster_id"] == cluster
    ]
    assert len(nodes) == 2 and {one["spot_strategy"] for one in nodes} == {"NoSpot"}
    assert {one["zone_id"] for one in nodes} == {"ap-southeast-1a", "ap-southeast-1b"}


def test_a_second_up_changes_nothing_and_asks_nothing(made: Region) -> None:
    before = made.last_call()
    made.up("--expect-no-changes")
    assert [call["call"] for call in made.calls(before)] == []


def test_a_refresh_finds_no_difference(made: Region) -> None:
    made.up("--expect-no-changes", "--refresh")


def test_no_certificate_of_the_cluster_lies_in_the_state(made: Region) -> None:
    state = made.pulumi("stack", "export", "--show-secrets")
    assert "-----BEGIN" not in state and "client-key-data" not in state


def test_a_destroy_leaves_nothing(made: Region) -> None:
    made.pulumi("destroy", "--yes", "--skip-preview")
    answer = made.lab.control("resources")
    assert (answer["extra"], answer["missing"]) == ({}, {})
