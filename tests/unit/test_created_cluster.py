"""A stack that makes its own cluster: what is registered, in which order, and that the rest of the
graph stands on it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import pulumi
import pytest

from components.serving.metrics_adapter import require_checksum
from tests.unit.bad_cluster_inputs import made
from tests.unit.monitor import UNKNOWN, Recording
from tests.unit.program import ISSUER, PROVIDER_ARN, Cloud, failure, run

NEW = {"network", "managed", "system", "addons", "metrics"}
"""Components that only a cluster from nothing has."""


@functools.cache
def _run(preview: bool) -> Recording:
    return run(changes=made({}), preview=preview)


@pytest.fixture
def creating() -> Recording:
    """An up of the stack `local` with a cluster of its own."""
    return _run(False)


def test_the_program_is_the_same_and_the_prerequisites_are_more(creating: Recording) -> None:
    known = {resource.name for resource in run().resources if not resource.custom}
    components = {resource.name for resource in creating.resources if not resource.custom}
    assert components == known | NEW
    asked = {token.rsplit(":", 1)[1] for token, _ in creating.calls}
    assert asked == {"getCallerIdentity", "getClusterCredential"}


def test_a_first_preview_asks_for_no_credential_and_knows_no_cluster() -> None:
    preview = _run(True)
    assert [token.rsplit(":", 1)[1] for token, _ in preview.calls] == ["getCallerIdentity"]
    assert preview.named("pool-pool").inputs["clusterId"] == UNKNOWN
    assert len(preview.resources) == len(_run(False).resources)


def test_credentials_of_another_account_stop_it_before_anything_is_registered() -> None:
    cloud = Cloud(preview=False)
    cloud.account = "6543210987654321"
    assert "belong to account 6543210987654321" in failure(changes=made({}), cloud=cloud)


def test_each_step_stands_on_the_one_before(creating: Recording) -> None:
    def needs(name: str, *others: str) -> None:
        found = {
            urn.rsplit("::", 1)[1]
            for urns in creating.named(name).dependencies.values()
            for urn in urns
        }
        assert set(others) <= found, (name, found)

    needs("network-cn-shanghai-e", "network-vpc")
    needs("managed-ack", "network-cn-shanghai-e", "network-cn-shanghai-g")
    needs("system-pool", "managed-ack")
    needs("addons-loongcollector", "system-pool")
    needs(
        "ack",
        "addons-loongcollector",
        "addons-csi-plugin",
        "addons-nginx-ingress-controller",
        "addons-attachment",
        "system-pool",
    )
    needs("cluster-scaler", "addons-csi-plugin")
    needs("pool-pool", "cluster-scaler", "network-cn-shanghai-e")


def test_the_cluster_has_rrsa_an_enforcing_network_plugin_and_keeps_no_certificate_in_the_state(
    creating: Recording,
) -> None:
    cluster = creating.one("ManagedKubernetes").inputs
    assert cluster["enableRrsa"] is True and cluster["skipSetCertificateAuthority"] is True
    assert cluster["clusterSpec"].startswith("ack.pro.")
    (terway,) = cluster["addons"]
    assert (
        terway["name"] == "terway-eniip" and json.loads(terway["config"])["NetworkPolicy"] == "true"
    )
    assert {row["resourceType"] for row in cluster["deleteOptions"]} >= {"SLB", "SLS_Data"}
    assert "kubeconfig" in creating.one("pulumi:providers:kubernetes").secret_inputs


def test_the_api_server_is_private_its_audit_log_is_kept_and_a_key_encrypts_the_secrets(
    creating: Recording,
) -> None:
    cluster = creating.one("ManagedKubernetes").inputs
    assert cluster["slbInternetEnabled"] is False, "the provider's own default is true"
    assert cluster["auditLogConfig"] == {"enabled": True}
    assert "encryptionProviderKey" not in cluster and "disableEncryption" not in cluster, (
        "what others have turned on stays"
    )
    assert [text for text in creating.messages if "only its VPC reaches" in str(text)]
    key = "key-hzz62f1cb66fa42qo1111"
    other = run(changes=made({"publicApi": True, "auditLog": False, "secretsKeyId": key}))
    cluster = other.one("ManagedKubernetes").inputs
    assert cluster["slbInternetEnabled"] is True and cluster["auditLogConfig"]["enabled"] is False
    assert (cluster["encryptionProviderKey"], cluster["disableEncryption"]) == (key, False)
    assert not [text for text in other.messages if "only its VPC reaches" in str(text)]


def test_the_system_pool_has_two_nodes_that_are_never_reclaimed(creating: Recording) -> None:
    pool = creating.named("system-pool").inputs
    assert (
        pool["desiredSize"] == "2"
        and pool["spotStrategy"] == "NoSpot"
        and "scalingConfig" not in pool
    )
    assert len(pool["vswitchIds"]) == 2 and pool["multiAzPolicy"] == "BALANCE"


def test_every_addon_is_pinned_and_its_configuration_is_written_as_the_provider_stores_it(
    creating: Recording,
) -> None:
    addons = {
        resource.inputs["name"]: resource.inputs for resource in creating.of("KubernetesAddon")
    }
    assert {"csi-plugin", "csi-provisioner", "loongcollector", "nginx-ingress-controller"} <= set(
        addons
    )
    for addon in addons.values():
        assert addon["version"]
        if "config" in addon:
            assert addon["config"] == json.dumps(
                json.loads(addon["config"]), separators=(",", ":"), sort_keys=True
            )
    assert json.loads(addons["loongcollector"]["config"])["IngressDashboardEnabled"] == "true"


def test_the_metrics_adapter_comes_by_chart_or_as_an_addon() -> None:
    chart = _run(False).one("Release").inputs
    assert (
        chart["chart"].endswith("ack-alibaba-cloud-metrics-adapter-1.3.7.tgz")
        and chart["namespace"] == "kube-system"
    )
    assert "AccessKey" not in json.dumps(chart)
    mirror = "https://charts.example/adapter.tgz"
    assert (
        run(changes=made({"metricsAdapterChart": mirror})).one("Release").inputs["chart"] == mirror
    )
    addon = run(changes=made({"metricsAdapter": "addon"}))
    assert addon.of("Release") == []
    assert "ack-alibaba-cloud-metrics-adapter" in {
        resource.inputs["name"] for resource in addon.of("KubernetesAddon")
    }


def test_a_chart_with_another_checksum_is_refused(tmp_path: Path) -> None:
    chart = tmp_path / "adapter.tgz"
    chart.write_bytes(b"a chart")
    right = hashlib.sha256(b"a chart").hexdigest()
    require_checksum(str(chart), right)
    with pytest.raises(
        pulumi.RunError, match=rf"which is {right}.*Somebody has changed.*set --path"
    ):
        require_checksum(str(chart), "0" * 64)
    with pytest.raises(pulumi.RunError, match=r"can't be compared.*No such file.*a copy on this"):
        require_checksum(str(tmp_path / "gone.tgz"), right)
    with pytest.raises(pulumi.RunError, match=r"can't be compared.*127\.0\.0\.1:9/adapter\.tgz"):
        require_checksum("https://127.0.0.1:9/adapter.tgz", right)


def test_the_chart_is_compared_when_it_is_installed_and_not_in_a_preview(tmp_path: Path) -> None:
    chart = tmp_path / "adapter.tgz"
    chart.write_bytes(b"a chart")
    changes = made({"metricsAdapterChart": str(chart), "metricsAdapterChartSha256": "0" * 64})
    assert run(changes=changes, preview=True).one("Release").inputs["chart"] == str(chart)
    with pytest.raises(pulumi.RunError, match="Somebody has changed the chart"):
        run(changes=changes, preview=False)


def test_the_nodes_may_read_the_ingress_log_and_nothing_more(creating: Recording) -> None:
    document = json.loads(creating.named("addons-policy").inputs["policyDocument"])
    (statement,) = document["Statement"]
    (resource,) = statement["Resource"]
    assert resource.startswith("acs:log:*:*:project/k8s-log-") and resource.endswith("/logstore/*")
    assert all(action.startswith("log:Get") for action in statement["Action"])
    assert creating.named("addons-attachment").inputs["roleName"] == "KubernetesWorkerRole-1"


def test_role_volume_and_autoscaler_use_what_the_new_cluster_tells(creating: Recording) -> None:
    trust = json.loads(creating.one("ram/role:Role").inputs["assumeRolePolicyDocument"])[
        "Statement"
    ][0]
    assert (
        trust["Principal"]["Federated"] == [PROVIDER_ARN]
        and trust["Condition"]["StringEquals"]["oidc:iss"] == ISSUER
    )
    labels = creating.one("v2:HorizontalPodAutoscaler").inputs["spec"]["metrics"][0]["external"][
        "metric"
    ]["selector"]["matchLabels"]
    assert labels["sls.project"].startswith("k8s-log-") and labels["sls.project"] != "k8s-log-"


def test_bucket_and_role_have_names_before_there_is_a_cluster(creating: Recording) -> None:
    names = [
        creating.one("oss/bucket:Bucket").inputs["bucket"],
        creating.one("ram/role:Role").inputs["roleName"],
    ]
    elsewhere = {
        "cluster": {**made({})["cluster"], "accountId": "6543210987654321"},
        "nodePool": {"vswitchIds": None},
    }
    cloud = Cloud(preview=False)
    cloud.account = "6543210987654321"
    other = run(changes=elsewhere, cloud=cloud)
    assert names[0] != other.one("oss/bucket:Bucket").inputs["bucket"], (
        "bucket names are global: another account has another"
    )
    assert UNKNOWN not in names


def test_network_and_cluster_are_protected_where_the_settings_say_so() -> None:
    protected = run(changes=made({"protect": True}))
    names = {resource.name for resource in protected.resources if resource.protect}
    assert names == {"network-vpc", "network-cn-shanghai-e", "network-cn-shanghai-g", "managed-ack"}
    assert protected.one("ManagedKubernetes").inputs["deletionProtection"] is True
    assert not [resource for resource in _run(False).resources if resource.protect]


def test_behind_an_alb_its_controller_gets_two_zones() -> None:
    entry = {"kind": "alb", "publicPort": None}
    behind = run(changes=made({}, entry=entry))
    addons = {resource.inputs["name"]: resource.inputs for resource in behind.of("KubernetesAddon")}
    assert "nginx-ingress-controller" not in addons
    config = json.loads(addons["alb-ingress-controller"]["config"])["albIngress"]
    assert [zone["ZoneId"] for zone in config["ZoneMappings"]] == ["cn-shanghai-e", "cn-shanghai-g"]


def test_everything_made_that_can_carry_tags_carries_the_stacks() -> None:
    tagged = {"Network", "Switch", "ManagedKubernetes", "NodePool", "Policy", "Role", "Bucket"}
    for resource in _run(False).resources:
        if resource.type.startswith("alicloud:") and resource.type.rsplit(":", 1)[1] in tagged:
            assert resource.inputs["tags"]["stack"] == "local", resource.name
