"""The published plugins' known traps, each with a test that names it."""

import json

import pulumi
import pytest

from components.compute.node_pool import _must_be_ordered
from tests.unit.monitor import UNKNOWN, Recording
from tests.unit.program import PROJECT, Cloud, failure, run


def pool_of(changes: dict | None = None, preview: bool = True) -> dict:
    return run(changes=changes, preview=preview).one("cs/nodePool:NodePool").inputs


def test_trap_the_pool_has_no_automatic_name_so_one_is_always_sent(either: Recording) -> None:
    pool = either.one("cs/nodePool:NodePool").inputs
    assert pool["nodePoolName"].startswith("inference-local-") and "name" not in pool


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 2},
        {"multiAzPolicy": "BALANCE", "compensateWithOnDemand": False},
        {"spotStrategy": "NoSpot", "spotInstanceRemedy": False},
        {"driverVersion": "550.144.03"},
        {"gpuSchedule": "default"},
        {"securityGroupIds": ["sg-abc"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_trap_old_and_new_pool_share_a_name_so_what_replaces_changes_the_name(change: dict) -> None:
    before, after = pool_of(), pool_of({"nodePool": change})
    assert before["nodePoolName"] != after["nodePoolName"]


@pytest.mark.parametrize(
    "change",
    [
        {"maxSize": 20},
        {"onDemandPercent": 50},
        {"instanceTypes": ["ecs.gn6i-c4g1.xlarge", "ecs.gn6v-c8g1.2xlarge"]},
    ],
)
def test_trap_what_changes_in_place_keeps_the_pools_name_and_its_nodes(change: dict) -> None:
    assert pool_of()["nodePoolName"] == pool_of({"nodePool": change})["nodePoolName"]


def test_trap_a_replaced_pool_goes_only_after_the_pods_have_moved(up: Recording) -> None:
    """Create before delete, and the pods select on a label with the pool's name: they roll to the
    new pool first.
    """
    pool = up.one("cs/nodePool:NodePool")
    assert not pool.delete_before_replace and pool.replace_on_changes == ("nodePoolName",)
    selector = up.named("server-deployment").inputs["spec"]["template"]["spec"]["nodeSelector"]
    assert selector["inference-pool"] == pool.inputs["nodePoolName"]
    assert pool.urn in up.named("server-deployment").dependencies["spec"]


def test_trap_desired_size_and_eip_fields_differ_for_ever_so_they_are_ignored_and_never_sent(
    either: Recording,
) -> None:
    pool = either.one("cs/nodePool:NodePool")
    assert pool.ignore_changes == (
        "desiredSize",
        "scalingConfig.eipBandwidth",
        "scalingConfig.eipInternetChargeType",
    )
    assert not {"desiredSize", "nodeCount", "instances"} & set(pool.inputs)
    assert not {"eipBandwidth", "eipInternetChargeType", "isBondEip"} & set(
        pool.inputs["scalingConfig"]
    )


def test_trap_bucket_and_split_resources_fight_so_the_bucket_ignores_what_they_own(
    either: Recording,
) -> None:
    bucket = either.one("oss/bucket:Bucket")
    assert bucket.ignore_changes == ("versioning", "serverSideEncryptionRule", "policy")
    assert not set(bucket.ignore_changes) & set(bucket.inputs) and "acl" not in bucket.inputs
    assert either.one("BucketVersioning").inputs["status"] == "Enabled"
    assert either.one("BucketServerSideEncryption").inputs["sseAlgorithm"] == "AES256"


def test_trap_the_scaler_reads_two_durations_back_swapped_so_they_are_equal(
    either: Recording,
) -> None:
    scaler = either.one("AutoscalingConfig").inputs
    assert scaler["coolDownDuration"] == scaler["unneededDuration"] == "10m"


def test_trap_numbers_of_the_mix_travel_as_text_because_a_zero_number_is_dropped() -> None:
    pool = pool_of({"nodePool": {"onDemandBase": 0, "onDemandPercent": 0}})
    assert (pool["onDemandBaseCapacity"], pool["onDemandPercentageAboveBaseCapacity"]) == ("0", "0")
    limits = {
        "spotStrategy": "SpotWithPriceLimit",
        "spotPriceLimits": {"ecs.gn6i-c4g1.xlarge": 0.9, "ecs.gn6i-c8g1.2xlarge": 2},
    }
    assert [item["priceLimit"] for item in pool_of({"nodePool": limits})["spotPriceLimits"]] == [
        "0.9",
        "2",
    ]


@pytest.mark.parametrize(
    ("pool", "field"),
    [
        ({"minSize": 10, "maxSize": 3}, "nodePool.maxSize"),
        ({"onDemandPercent": 300}, "nodePool.onDemandPercent"),
        ({"spotStrategy": "Bad"}, "nodePool.spotStrategy"),
        ({"taint": {"effect": "Nope"}}, "nodePool.taint.effect"),
        ({"labels": {"bad key": "x"}}, 'nodePool.labels["bad key"]'),
        ({"labels": {"key": "bad value"}}, "nodePool.labels.key"),
        ({"systemDiskSize": 1}, "nodePool.systemDiskSize"),
        ({"vswitchIds": []}, "nodePool.vswitchIds"),
        ({"instanceTypes": []}, "nodePool.instanceTypes"),
        ({"desiredSize": 3}, "nodePool.desiredSize"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_trap_what_the_plugin_takes_at_preview_and_ack_refuses_later_is_refused_first(
    pool: dict, field: str
) -> None:
    assert f"{field} is " in failure(changes={"nodePool": pool}, preview=True)


def test_trap_a_wrong_account_makes_pools_look_deleted_so_the_run_stops_first() -> None:
    cloud = Cloud(preview=False)
    cloud.account = "9999999999999999"
    message = failure(cloud=cloud)
    assert (
        "belong to account 9999999999999999" in message
        and "cluster.accountId says 1234567890123456" in message
    )
    assert (
        "ordered a second time" in message
        and "remedy:" in message
        and "pulumi stack import" in message
    )


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        ([], "is not there in region cn-shanghai for this account"),
        (
            [{"regionId": "cn-beijing", "state": "running", "currentVersion": "1.34.1"}],
            "is in region cn-beijing",
        ),
        (
            [{"regionId": "cn-shanghai", "state": "deleting", "currentVersion": "1.34.1"}],
            "in state 'deleting'",
        ),
        (
            [{"regionId": "cn-shanghai", "state": "running", "currentVersion": "1.28.9-aliyun.1"}],
            "runs Kubernetes 1.28.9-aliyun.1",
        ),
    ],
    ids=["absent", "other region", "not running", "too old"],
)
def test_trap_a_cluster_that_is_not_the_one_meant_stops_the_run_first(
    clusters: list, said: str
) -> None:
    cloud = Cloud(preview=False)
    cloud.clusters = clusters
    message = failure(cloud=cloud)
    assert said in message and "expected:" in message and "remedy:" in message


@pytest.mark.parametrize(
    "lookup", ["getCallerIdentity", "getClusters", "getOidcProviders", "getClusterCredential"]
)
def test_a_lookup_that_fails_is_one_clear_message(lookup: str) -> None:
    cloud = Cloud(preview=False)
    cloud.failing = lookup
    message = failure(cloud=cloud)
    assert (
        message.startswith("can't look up ")
        and "ForbiddenCheckUserPermission" in message
        and "remedy: check ALICLOUD_ACCESS_KEY" in message
    )


def test_without_rrsa_the_message_says_how_to_turn_it_on() -> None:
    cloud = Cloud(preview=False)
    cloud.oidc_providers = []
    message = failure(cloud=cloud)
    assert "RRSA is off" in message and "ack-ram-tool rrsa enable" in message


def test_trap_a_pool_whose_creation_failed_is_called_updated_so_a_pool_without_scaling_group_fails_the_run() -> (
    None
):
    cloud = Cloud(preview=False)
    cloud.scaling_group = ""
    message = failure(cloud=cloud)
    assert "has no scaling group" in message and "raise nodePool.generation" in message


def test_a_pool_that_a_run_leaves_out_is_no_failed_one() -> None:
    assert _must_be_ordered([None, None, None]) == ""
    with pytest.raises(pulumi.RunError, match="np-1"):
        _must_be_ordered(["np-1", None, "inference"])


def test_trap_a_stuck_creation_task_is_polled_for_90_minutes_so_the_pool_has_its_own_limit(
    either: Recording,
) -> None:
    assert either.one("cs/nodePool:NodePool").timeouts == {
        "create": "30m",
        "update": "30m",
        "delete": "30m",
    }


def test_trap_an_object_deleted_by_hand_breaks_refresh_so_no_bucket_object_is_used(
    either: Recording,
) -> None:
    assert either.of("BucketObject") == [] and len(either.of("ossmodel:index:Model")) == 1


def test_trap_other_content_below_the_same_path_goes_unseen_so_the_digest_names_the_volume() -> (
    None
):
    cloud = Cloud(preview=False)
    cloud.digest = "e" * 64
    first, second = run(), run(cloud=cloud)
    assert first.one("ossmodel:index:Model").inputs == second.one("ossmodel:index:Model").inputs
    for kind in ("PersistentVolume", "PersistentVolumeClaim"):
        assert (
            first.one(kind).inputs["metadata"]["name"]
            != second.one(kind).inputs["metadata"]["name"]
        )
    claims = [
        json.dumps(one.named("server-deployment").inputs["spec"]["template"]["spec"]["volumes"])
        for one in (first, second)
    ]
    assert claims[0] != claims[1], "the pods roll to the new content"


def test_trap_a_service_waits_ten_minutes_beside_a_broken_deployment_and_ten_seconds_at_best_so_it_comes_after_it_unwatched(
    either: Recording,
) -> None:
    deployment, service, ingress = (
        either.named("server-deployment"),
        either.one("core/v1:Service"),
        either.one("v1:Ingress"),
    )
    assert (
        deployment.urn in service.dependencies["spec"]
        and service.urn in ingress.dependencies["spec"]
    )
    assert deployment.inputs["metadata"]["annotations"]["pulumi.com/timeoutSeconds"] == "600"
    assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert "pulumi.com/skipAwait" not in ingress.inputs["metadata"].get("annotations", {}), (
        "it waits for the Service's endpoints"
    )


def test_trap_a_new_kubeconfig_replaces_everything_unless_the_cluster_is_named(
    either: Recording,
) -> None:
    provider = either.one("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "c210fbedb96674b9eaf15f2dc47d169a8"


def test_trap_a_kubeconfig_comes_back_in_plain_text_and_is_secret_from_there_on(
    either: Recording,
) -> None:
    assert either.one("pulumi:providers:kubernetes").secret_inputs == {"kubeconfig"}
    call = next(args for token, args in either.calls if token.endswith("getClusterCredential"))
    assert "temporaryDurationMinutes" not in call, "a temporary one would differ at each preview"


def test_trap_a_fixed_name_deletes_first_so_volume_names_follow_their_content(
    up: Recording,
) -> None:
    volume, claim = up.one("PersistentVolume"), up.one("PersistentVolumeClaim")
    assert not volume.delete_before_replace and not claim.delete_before_replace
    other = run(changes={"model": {"volumeOptions": "-o attr_timeout=60"}})
    assert (
        volume.inputs["metadata"]["name"]
        != other.one("PersistentVolume").inputs["metadata"]["name"]
    )


def test_trap_replicas_belong_to_the_hpa(either: Recording) -> None:
    assert "replicas" not in either.named("server-deployment").inputs["spec"]
    assert f"{PROJECT}:server" not in either.outputs


def test_a_preview_shows_the_names_that_the_next_run_will_use() -> None:
    preview, up = run(preview=True), run()
    for kind in ("cs/nodePool:NodePool", "oss/bucket:Bucket", "ram/role:Role"):
        name = {"NodePool": "nodePoolName", "Bucket": "bucket", "Role": "roleName"}[
            kind.rsplit(":", 1)[1]
        ]
        assert preview.one(kind).inputs[name] == up.one(kind).inputs[name] != UNKNOWN
    assert (
        preview.named("server-config").inputs["metadata"]["name"]
        == up.named("server-config").inputs["metadata"]["name"]
    )
