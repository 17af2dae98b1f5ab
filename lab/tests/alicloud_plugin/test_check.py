"""Check, Diff and errors of the plugin, against what the published plugin 3.105.0 was measured to
answer.
"""

from pathlib import Path

import grpc
import pytest

from lab.testing.plugin import CREDENTIALS, Plugin
from lab.tests.alicloud_plugin.scenarios import CLUSTER, NODE_POOL

POOL = "alicloud:cs/nodePool:NodePool"
MINIMAL = {
    "clusterId": CLUSTER,
    "nodePoolName": "p",
    "instanceTypes": ["ecs.gn6i-c4g1.xlarge"],
    "vswitchIds": ["vsw-aaaaaaaa"],
}


def _reasons(plugin: Plugin, **inputs: object) -> str:
    _, failures = plugin.check(POOL, {**MINIMAL, **inputs})
    return "\n".join(reason for _, reason in failures)


def test_version_is_the_published_one(plugin: Plugin) -> None:
    assert plugin.info() == "3.105.0"


def test_inputs_after_check_of_a_node_pool(plugin: Plugin) -> None:
    inputs, failures = plugin.check(
        POOL,
        {
            **MINIMAL,
            "scalingConfig": {"maxSize": 3, "minSize": 0},
            "management": {"autoRepair": True},
        },
    )
    assert failures == []
    assert inputs["__defaults"] == ["installCloudMonitor"]
    assert inputs["installCloudMonitor"] is True
    assert inputs["scalingConfig"] == {
        "__defaults": ["enable"],
        "enable": True,
        "maxSize": 3,
        "minSize": 0,
    }
    assert inputs["management"] == {"__defaults": ["enable"], "autoRepair": True, "enable": True}


def test_numbers_given_for_texts_become_texts_and_back(plugin: Plugin) -> None:
    given = {
        "onDemandBaseCapacity": 0,
        "onDemandPercentageAboveBaseCapacity": 30,
        "desiredSize": 2,
        "spotInstancePools": "2",
        "spotPriceLimits": [{"instanceType": "t1", "priceLimit": 0.5}],
    }
    inputs, failures = plugin.check(POOL, {**MINIMAL, **given})
    assert failures == []
    assert inputs["onDemandBaseCapacity"] == "0"
    assert inputs["onDemandPercentageAboveBaseCapacity"] == "30"
    assert inputs["desiredSize"] == "2"
    assert inputs["spotInstancePools"] == 2
    assert inputs["spotPriceLimits"] == [
        {"__defaults": [], "instanceType": "t1", "priceLimit": "0.5"}
    ]


def test_a_node_pool_is_not_named_automatically(plugin: Plugin) -> None:
    _, failures = plugin.check(POOL, {"clusterId": CLUSTER})
    assert any("one of `name,node_pool_name` must be specified" in reason for _, reason in failures)


def test_two_names_are_refused(plugin: Plugin) -> None:
    assert "only one of `name,node_pool_name` can be specified" in _reasons(plugin, name="a")


def test_node_count_instances_and_scaling_conflict(plugin: Plugin) -> None:
    reasons = _reasons(
        plugin, nodeCount=1, instances=["i-1"], scalingConfig={"maxSize": 1, "minSize": 0}
    )
    assert reasons.lower().count("conflicts with") == 3


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"imageType": "Nope"}, "image_type"),
        ({"scalingConfig": {"maxSize": 2001, "minSize": 0}}, "max_size"),
        ({"scalingConfig": {"maxSize": 1, "minSize": 0, "type": "tpu"}}, "type"),
        ({"spotInstancePools": 11}, "spot_instance_pools"),
        ({"systemDiskCategory": "floppy"}, "system_disk_category"),
        ({"instanceChargeType": "Free"}, "instance_charge_type"),
        ({"multiAzPolicy": "SOMEWHERE"}, "multi_az_policy"),
        ({"scalingPolicy": "keep"}, "scaling_policy"),
    ],
)
def test_values_out_of_range_fail_at_check(plugin: Plugin, inputs: dict, expected: str) -> None:
    reasons = _reasons(plugin, **inputs)
    assert expected in reasons
    assert "TF_SKIP_RESOURCE_SCHEMA_VALIDATION" in reasons


@pytest.mark.parametrize(
    "inputs",
    [
        {"scalingConfig": {"minSize": 5, "maxSize": 2}},
        {"onDemandPercentageAboveBaseCapacity": "300"},
        {"spotStrategy": "Bad"},
        {"taints": [{"key": "a", "value": "b", "effect": "Nope"}]},
        {"labels": [{"key": "-not a label-", "value": "///"}]},
        {"systemDiskSize": 1},
        {"vswitchIds": []},
        {"desiredSize": "2", "scalingConfig": {"minSize": 0, "maxSize": 2}},
    ],
)
def test_what_the_plugin_lets_pass_is_left_to_our_settings(plugin: Plugin, inputs: dict) -> None:
    assert _reasons(plugin, **inputs) == ""


def test_a_cluster_is_named_automatically_and_has_the_measured_defaults(plugin: Plugin) -> None:
    inputs, failures = plugin.check(
        "alicloud:cs/managedKubernetes:ManagedKubernetes", {"vswitchIds": ["vsw-aaaaaaaa"]}
    )
    assert failures == []
    assert inputs["name"].startswith("r-") and len(inputs["name"]) == len("r-") + 7
    assert (inputs["clusterDomain"], inputs["nodeCidrMask"], inputs["proxyMode"]) == (
        "cluster.local",
        24,
        "ipvs",
    )


def test_a_bucket_object_has_the_measured_defaults(plugin: Plugin) -> None:
    inputs, _ = plugin.check(
        "alicloud:oss/bucketObject:BucketObject", {"bucket": "b", "key": "k", "content": "c"}
    )
    assert sorted(inputs["__defaults"]) == ["acl", "serverSideEncryption"]
    assert (inputs["acl"], inputs["serverSideEncryption"]) == ("private", "AES256")


def test_replacing_properties_of_a_node_pool(plugin: Plugin) -> None:
    inputs, _ = plugin.check(POOL, NODE_POOL)
    for change, replaces in [
        ({"securityGroupIds": ["sg-2"]}, True),
        ({"instanceTypes": ["ecs.gn7i-c8g1.2xlarge"]}, False),
    ]:
        news, _ = plugin.check(POOL, {**NODE_POOL, **change})
        reply = plugin.diff(POOL, f"{CLUSTER}:np1", inputs, news)
        assert bool(reply.replaces) is replaces, change


def test_a_type_outside_the_map_is_unknown(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.check("alicloud:ecs/instance:Instance", {})
    assert "alicloud:ecs/instance:Instance" in str(caught.value)


def test_missing_credentials_fail_at_configure_without_a_call(executable: Path) -> None:
    environment = {
        key: value
        for key, value in CREDENTIALS.items()
        if key not in ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY")
    }
    with Plugin(executable, environment) as bare, pytest.raises(grpc.RpcError) as caught:
        bare.configure()
    assert "no valid credential sources" in str(caught.value)


def test_an_unknown_region_fails_at_configure(executable: Path) -> None:
    with (
        Plugin(executable, {**CREDENTIALS, "ALICLOUD_REGION": "xx-nowhere"}) as bare,
        pytest.raises(grpc.RpcError) as caught,
    ):
        bare.configure()
    assert "Invalid Alibaba Cloud region: xx-nowhere" in str(caught.value)
