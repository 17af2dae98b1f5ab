"""The tutorial's seventeen defects, each by number, and what stands in its place."""

import json
import re

from components.serving import model_server
from settings.catalog import gpu
from settings.names import is_label_value
from tests.unit.monitor import Recording
from tests.unit.program import ROOT, USERS, failure, run


def pod(recording: Recording) -> dict:
    return recording.named("server-deployment").inputs["spec"]["template"]["spec"]


def test_d1_the_volume_handle_is_the_volumes_name_and_nothing_else(up: Recording) -> None:
    handle = up.one("PersistentVolume").inputs["spec"]["csi"]["volumeHandle"]
    assert re.fullmatch(r"model-csi-pv-[0-9a-f]{8}", handle)


def test_d2_the_hpa_is_autoscaling_v2_with_its_field_names(either: Recording) -> None:
    hpa = either.one("v2:HorizontalPodAutoscaler")
    assert (
        hpa.type == "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
        and hpa.inputs["apiVersion"] == "autoscaling/v2"
    )
    assert set(hpa.inputs["spec"]["metrics"][0]["external"]) == {"metric", "target"}


def test_d3_claim_server_autoscaler_and_ingress_share_one_namespace_and_the_route_names_it(
    either: Recording,
) -> None:
    kinds = (
        "PersistentVolumeClaim",
        "Deployment",
        "core/v1:Service",
        "v2:HorizontalPodAutoscaler",
        "Ingress",
        "PodDisruptionBudget",
        "NetworkPolicy",
    )
    namespaces = {
        found.inputs["metadata"]["namespace"]
        for kind in kinds
        for found in either.of(kind)
        if "InterruptionHandler" not in found.parent
    }
    assert namespaces == {"inference"} == {either.named("namespace").inputs["metadata"]["name"]}
    assert either.outputs["route"].startswith("inference-")


def test_d4_the_pinned_version_is_in_the_model_config_file_and_the_server_reads_it(
    up: Recording,
) -> None:
    data = up.named("server-config").inputs["data"]
    assert list(data) == ["models.config"]
    assert "model_version_policy { specific { versions: 1623831335 } }" in data["models.config"]
    assert (
        'name: "chnsenticorp"' in data["models.config"]
        and 'base_path: "/models/tensorflow"' in data["models.config"]
    )
    container = pod(up)["containers"][0]
    assert "--model_config_file=/etc/tensorflow-serving/models.config" in container["args"]
    assert not any(
        arg.startswith(("--model_name", "--model_base_path")) for arg in container["args"]
    ), "the config file would win silently"
    mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "config")
    assert mount["mountPath"] == model_server.CONFIG_DIRECTORY


def test_d5_the_target_is_an_average_per_pod_and_said_so(either: Recording) -> None:
    target = either.one("v2:HorizontalPodAutoscaler").inputs["spec"]["metrics"][0]["external"][
        "target"
    ]
    assert target["type"] == "AverageValue"
    assert (
        "and pod" in (ROOT / "docs" / "settings.md").read_text().split("targetQps")[1].split("|")[2]
    )


def test_d6_no_name_carries_a_time_so_the_route_outlives_a_new_model() -> None:
    first = run()
    second = run(
        changes={"model": {"name": "other"}, "server": {"image": "tensorflow/serving:1.14.0-gpu"}}
    )
    for name in ("server-deployment", "server-service", "autoscaler-hpa"):
        assert (
            first.named(name).inputs["metadata"]["name"]
            == second.named(name).inputs["metadata"]["name"]
        )
    assert first.outputs["route"] == second.outputs["route"]
    assert not re.search(
        r"20\d{10}",
        json.dumps([resource.inputs.get("metadata", {}).get("name") for resource in first.of("")]),
    )


def test_d7_the_claim_binds_this_volume_and_no_storage_class_makes_another(up: Recording) -> None:
    claim = up.one("PersistentVolumeClaim").inputs["spec"]
    assert claim["volumeName"] == up.one("PersistentVolume").inputs["metadata"]["name"]
    assert (
        claim["storageClassName"]
        == ""
        == up.one("PersistentVolume").inputs["spec"]["storageClassName"]
    )


def test_d8_no_access_key_enters_the_cluster(up: Recording) -> None:
    attributes = up.one("PersistentVolume").inputs["spec"]["csi"]["volumeAttributes"]
    assert (
        attributes["authType"] == "rrsa"
        and attributes["roleName"] == up.one("ram/role:Role").inputs["roleName"]
    )
    assert not {"akid", "aksecret"} & {key.lower() for key in attributes}
    inside = [resource for resource in up.resources if resource.type.startswith("kubernetes:")]
    assert len(inside) > 8
    # The handler's code names the parts of an answer of STS; what it is told holds no key.
    assert not [
        resource
        for resource in inside
        if resource.name != "interruption-code"
        and re.search(r"access.?key|ak(id|secret)|LTAI", json.dumps(resource.inputs), re.IGNORECASE)
    ]
    told = up.named("interruption-code").inputs["data"]["settings.json"]
    assert not re.search(r"access.?key|LTAI", told, re.IGNORECASE)
    assert up.of("Secret") == []


def test_d9_the_metadata_cache_is_on_and_turning_it_off_is_refused(up: Recording) -> None:
    attributes = up.one("PersistentVolume").inputs["spec"]["csi"]["volumeAttributes"]
    assert (
        attributes["fuseType"] == "ossfs2" and "max_stat_cache_size" not in attributes["otherOpts"]
    )
    assert "no max_stat_cache_size=0" in failure(
        changes={"model": {"volumeOptions": "-o max_stat_cache_size=0"}}
    )


def test_d10_the_model_is_mounted_read_only_at_every_level(up: Recording) -> None:
    volume = up.one("PersistentVolume").inputs["spec"]
    assert (
        volume["accessModes"]
        == ["ReadOnlyMany"]
        == up.one("PersistentVolumeClaim").inputs["spec"]["accessModes"]
    )
    assert volume["csi"]["readOnly"] is True
    mount = next(
        mount for mount in pod(up)["containers"][0]["volumeMounts"] if mount["name"] == "model"
    )
    source = next(volume for volume in pod(up)["volumes"] if volume["name"] == "model")
    assert mount["readOnly"] is True and source["persistentVolumeClaim"]["readOnly"] is True


def test_d11_a_cuda_10_image_on_ampere_is_warned_about_and_on_t4_is_not(up: Recording) -> None:
    assert not [text for text in up.warnings if "CUDA" in text]
    ampere = run(
        changes={"nodePool": {"instanceTypes": ["ecs.gn7i-c8g1.2xlarge"], "spotInstancePools": 1}}
    )
    warning = next(text for text in ampere.warnings if "CUDA" in text)
    assert (
        "1.15.0-gpu" in warning
        and "ecs.gn7i-c8g1.2xlarge (A10" in warning
        and "ecs.gn6i" in warning
    )
    assert gpu.image_warning("tensorflow/serving:2.20.0-gpu", ["ecs.gn7i-c8g1.2xlarge"]) is None


def test_d12_every_probe_asks_the_model_and_a_slow_loader_is_not_killed(up: Recording) -> None:
    container = pod(up)["containers"][0]
    status = "/v1/models/chnsenticorp/versions/1623831335"
    assert (
        container["startupProbe"]["httpGet"]
        == {"path": status, "port": 8501}
        == container["livenessProbe"]["httpGet"]
    )
    assert container["readinessProbe"]["httpGet"] == {"path": f"{status}/metadata", "port": 8501}, (
        "the status alone is 200 for an unloaded version"
    )
    slow = pod(run("dev"))["containers"][0]["startupProbe"]
    assert slow["periodSeconds"] * slow["failureThreshold"] == 1200


def test_d13_tls_and_auth_must_be_said_and_an_open_entry_is_warned_about(up: Recording) -> None:
    assert [text for text in up.warnings if "entry.auth is none" in text] and [
        text for text in up.warnings if "entry.tls is none" in text
    ]
    assert "none or basic; it must be set explicitly" in failure(changes={"entry": {"auth": None}})
    closed = run("prod", {"htpasswd": USERS}, secret=("htpasswd",))
    assert not [text for text in closed.warnings if "entry" in text]
    ingress = closed.one("Ingress").inputs
    assert ingress["spec"]["tls"] == [{"hosts": ["bert.example.com"], "secretName": "bert-tls"}]
    annotations = ingress["metadata"]["annotations"]
    assert (
        annotations["nginx.ingress.kubernetes.io/auth-type"] == "basic"
        and annotations["nginx.ingress.kubernetes.io/ssl-redirect"] == "true"
    )
    assert closed.outputs["endpoint"] == "https://bert.example.com"


def test_d14_the_closed_console_is_not_needed_the_links_show_the_same(up: Recording) -> None:
    links = json.dumps(up.outputs["consoleLinks"])
    assert "np-1" in links and "ai-dashboard" not in links
    keys = [constraint["topologyKey"] for constraint in pod(up)["topologySpreadConstraints"]]
    assert "node.alibabacloud.com/spot-strategy" in keys, (
        "the label by which nodes are told apart is the one pods are spread by"
    )


def test_d15_the_ingress_kind_is_one_setting_that_moves_class_metric_and_logstore_together() -> (
    None
):
    recording = run("staging")
    assert recording.one("Ingress").inputs["spec"]["ingressClassName"] == "alb"
    metric = recording.one("v2:HorizontalPodAutoscaler").inputs["spec"]["metrics"][0]["external"][
        "metric"
    ]
    assert metric["name"] == "sls_alb_ingress_qps" and metric["selector"]["matchLabels"][
        "sls.logstore"
    ].startswith("alb_")
    assert not [
        key
        for key in recording.one("Ingress").inputs["metadata"]["annotations"]
        if key.startswith("nginx")
    ]
    peers = recording.named("server-network").inputs["spec"]["ingress"][0]["from"]
    assert all("ipBlock" in peer for peer in peers), (
        "a load balancer calls from addresses, not from a namespace"
    )


def test_d16_the_scaler_that_keeps_the_mix_is_set_before_the_pool_and_leaving_it_is_warned_about(
    up: Recording,
) -> None:
    scaler = up.one("AutoscalingConfig")
    assert (
        scaler.inputs["scalerType"] == "cluster-autoscaler"
        and scaler.inputs["expander"] == "least-waste"
    )
    assert up.one("cs/nodePool:NodePool").dependencies["clusterId"] == (scaler.urn,)
    unmanaged = run(changes={"nodeScaler": {"mode": "unmanaged"}})
    assert unmanaged.of("AutoscalingConfig") == []
    assert [
        text for text in unmanaged.warnings if "pay-as-you-go nodes although preemptible" in text
    ]


def test_d17_the_gpu_nodes_are_tainted_and_only_pods_that_ask_for_a_gpu_tolerate_it(
    up: Recording,
) -> None:
    assert up.one("cs/nodePool:NodePool").inputs["taints"] == [
        {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    ]
    assert pod(up)["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_the_route_is_a_label_value(up: Recording) -> None:
    route = up.outputs["route"]
    assert is_label_value(route) and len(route) <= 63
