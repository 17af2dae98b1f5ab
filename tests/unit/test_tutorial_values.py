"""Recorded inputs of every resource against the values the tutorial fixes, step by step (S1 to
S7).
"""

from settings import names
from tests.unit.monitor import Recording
from tests.unit.program import CLUSTER, run

SERVICE = "bert-tfserving-v1-tensorflow-serving"


def test_s1_the_pool_scales_and_is_preemptible_cost_optimised_with_30_percent_pay_as_you_go(
    either: Recording,
) -> None:
    pool = either.one("cs/nodePool:NodePool").inputs
    scaling = {key: value for key, value in pool["scalingConfig"].items() if key != "__defaults"}
    assert scaling == {"enable": True, "minSize": 1, "maxSize": 10, "type": "gpu"}
    assert pool["spotStrategy"] == "SpotAsPriceGo" and pool["instanceChargeType"] == "PostPaid"
    assert pool["multiAzPolicy"] == "COST_OPTIMIZED"
    assert (
        pool["onDemandBaseCapacity"] == "0" and pool["onDemandPercentageAboveBaseCapacity"] == "30"
    )
    assert pool["compensateWithOnDemand"] is True and pool["spotInstanceRemedy"] is True
    assert pool["scalingPolicy"] == "release" and pool["spotInstancePools"] == 2


def test_s1_the_nodes_carry_the_tutorials_label_and_lie_in_several_zones(either: Recording) -> None:
    pool = either.one("cs/nodePool:NodePool").inputs
    assert {"key": "inference", "value": "tensorflow"} in pool["labels"]
    assert pool["vswitchIds"] == ["vsw-labe", "vsw-labg", "vsw-labl"]
    assert pool["instanceTypes"] == ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge"]
    assert pool["clusterId"] == CLUSTER


def test_s2_the_model_goes_to_the_bucket_below_the_path_the_server_looks_in(
    either: Recording,
) -> None:
    model = either.one("ossmodel:index:Model").inputs
    assert model["source"] == "models/chnsenticorp/1623831335"
    assert model["prefix"] == "models/tensorflow"
    assert model["bucket"] == either.one("oss/bucket:Bucket").inputs["bucket"]


def test_s3_volume_and_claim_are_the_tutorials_made_sound(up: Recording) -> None:
    volume, claim = up.one("PersistentVolume").inputs, up.one("PersistentVolumeClaim").inputs
    assert (
        volume["spec"]["capacity"] == {"storage": "5Gi"} == claim["spec"]["resources"]["requests"]
    )
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    csi = volume["spec"]["csi"]
    assert csi["driver"] == "ossplugin.csi.alibabacloud.com"
    assert csi["volumeHandle"] == volume["metadata"]["name"]
    assert volume["metadata"]["name"].startswith("model-csi-pv-") and claim["metadata"][
        "name"
    ].startswith("model-pvc-")
    attributes = csi["volumeAttributes"]
    assert (
        attributes["bucket"] == up.one("oss/bucket:Bucket").inputs["bucket"]
        and attributes["path"] == "/models"
    )
    assert attributes["url"] == "https://oss-cn-shanghai-internal.aliyuncs.com"


def test_s4_the_server_is_what_arena_serve_would_make(up: Recording) -> None:
    deployment = up.named("server-deployment").inputs
    assert (
        deployment["metadata"]["name"] == SERVICE
        and deployment["metadata"]["namespace"] == "inference"
    )
    assert deployment["spec"]["selector"] == {
        "matchLabels": {"app": "tensorflow-serving", "release": "bert-tfserving-v1"}
    }
    labels = deployment["metadata"]["labels"]
    assert (labels["servingName"], labels["servingType"], labels["servingVersion"]) == (
        "bert-tfserving",
        "tf-serving",
        "v1",
    )
    template = deployment["spec"]["template"]
    arenas = {key: value for key, value in labels.items() if key not in names.OBJECT_LABELS}
    assert arenas.items() <= template["metadata"]["labels"].items(), (
        "arena lists pods by the same labels"
    )
    container = template["spec"]["containers"][0]
    assert container["name"] == "serving" and container["image"] == "tensorflow/serving:1.15.0-gpu"
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"]
        == "1"
        == container["resources"]["requests"]["nvidia.com/gpu"]
    )
    assert {
        "port": container["ports"][0]["containerPort"],
        "rest": container["ports"][1]["containerPort"],
    } == {"port": 8500, "rest": 8501}
    assert [
        mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "model"
    ] == ["/models"]
    claim = next(
        volume["persistentVolumeClaim"]
        for volume in template["spec"]["volumes"]
        if volume["name"] == "model"
    )
    assert claim["claimName"] == up.one("PersistentVolumeClaim").inputs["metadata"]["name"]


def test_s4_the_pods_select_the_pools_nodes_and_tolerate_their_taint(up: Recording) -> None:
    pod, pool = (
        up.named("server-deployment").inputs["spec"]["template"]["spec"],
        up.one("cs/nodePool:NodePool").inputs,
    )
    assert pod["nodeSelector"] == {label["key"]: label["value"] for label in pool["labels"]}
    assert pod["nodeSelector"]["inference"] == "tensorflow"
    taint, *patience = pod["tolerations"]
    assert taint == {
        "key": "nvidia.com/gpu",
        "operator": "Equal",
        "value": "true",
        "effect": "NoSchedule",
    }
    assert {(one["key"].partition("/")[2], one["tolerationSeconds"]) for one in patience} == {
        ("not-ready", 30),
        ("unreachable", 30),
    }
    assert pool["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]


def test_s4_the_service_carries_both_ports_under_arenas_names(either: Recording) -> None:
    service = either.one("core/v1:Service").inputs
    assert service["metadata"]["name"] == SERVICE
    assert [
        (port["name"], port["port"], port["targetPort"]) for port in service["spec"]["ports"]
    ] == [
        ("grpc-serving", 8500, 8500),
        ("http-serving", 8501, 8501),
    ]
    assert service["spec"]["type"] == "ClusterIP"


def test_s5_the_hpa_scales_1_to_10_on_10_requests_per_second_and_pod(either: Recording) -> None:
    hpa = either.one("v2:HorizontalPodAutoscaler").inputs
    assert hpa["metadata"]["name"] == "bert-tfserving-hpa"
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 10)
    assert hpa["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": SERVICE,
    }
    external = hpa["spec"]["metrics"][0]["external"]
    assert external["metric"]["name"] == "sls_ingress_qps"
    assert external["target"] == {"type": "AverageValue", "averageValue": "10"}
    assert external["metric"]["selector"]["matchLabels"] == {
        "sls.project": f"k8s-log-{CLUSTER}",
        "sls.logstore": "nginx-ingress",
        "sls.ingress.route": f"inference-{SERVICE}-8501",
    }


def test_s6_the_ingress_leads_to_port_8501_in_namespace_inference(either: Recording) -> None:
    ingress = either.one("Ingress").inputs
    assert (
        ingress["metadata"]["namespace"] == "inference"
        and ingress["spec"]["ingressClassName"] == "nginx"
    )
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"] == {"service": {"name": SERVICE, "port": {"number": 8501}}}
    assert (path["path"], path["pathType"]) == ("/v1/models", "Prefix")


def test_s7_the_endpoint_is_an_output(up: Recording) -> None:
    assert up.outputs["endpoint"] == "http://bert-tfserving.localhost:18080"
    assert (
        up.outputs["predictUrl"]
        == "http://bert-tfserving.localhost:18080/v1/models/chnsenticorp:predict"
    )


def test_s7_without_a_host_the_endpoint_is_the_load_balancers_address() -> None:
    assert (
        run(changes={"entry": {"host": None, "publicPort": None}}).outputs["endpoint"]
        == "http://203.0.113.7"
    )


def test_the_outputs_are_what_operators_and_commands_need(up: Recording) -> None:
    assert up.outputs["nodePoolId"] == "np-1" and up.outputs["modelDigest"] == "d" * 64
    assert up.outputs["hpaName"] == "bert-tfserving-hpa" and up.outputs["deployment"] == SERVICE
    assert (
        up.outputs["route"] == f"inference-{SERVICE}-8501"
        and up.outputs["namespace"] == "inference"
    )
    assert up.outputs["bucket"] == up.one("oss/bucket:Bucket").inputs["bucket"]
    assert set(up.outputs["consoleLinks"]) == {
        "nodePool",
        "pods",
        "ingressLog",
        "model",
        "spotInstances",
    }
    assert up.secret_outputs == set(), "nothing secret is exported"
