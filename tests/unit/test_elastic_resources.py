"""What the stack deploys to stay elastic: the handler and its rights, headroom, herald, HPA
policies, floors, advice.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.serving import handler_policy, interruption_handler
from interruption_handler import snapshot
from interruption_handler.config import CapacityMix, Config
from tests.unit.monitor import Recording
from tests.unit.program import ROOT, Cloud, run


def handler_pod(recording: Recording) -> dict:
    return recording.named("interruption-deployment").inputs["spec"]["template"]["spec"]


def told(recording: Recording) -> dict:
    return json.loads(recording.named("interruption-code").inputs["data"]["settings.json"])


def test_the_handler_may_do_what_it_does_and_nothing_more(either: Recording) -> None:
    def granted(name: str) -> set[tuple[str, str, str]]:
        rules = either.named(name).inputs["rules"]
        return {
            (resource, verb, ",".join(rule.get("resourceNames", [])))
            for rule in rules
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    deployment, own = (
        "bert-tfserving-v1-tensorflow-serving",
        "bert-tfserving-interruption-handler",
    )
    assert granted("interruption-own") == {("deployments", "get", own)}
    assert granted("interruption-nodes") == {
        ("nodes", verb, "") for verb in ("get", "list", "watch", "patch")
    }
    assert granted("interruption-pods") == {
        *(("pods", verb, "") for verb in ("list", "watch", "patch", "delete")),
        ("pods/eviction", "create", ""),
        ("deployments", "list", deployment),
        ("deployments", "watch", deployment),
        ("leases", "create", ""),
        ("leases", "get", own),
        ("leases", "patch", own),
        ("events", "create", ""),
        ("events", "patch", ""),
    }
    assert granted("interruption-node-events") == {
        ("events", "create", ""),
        ("events", "patch", ""),
    }
    assert either.named("interruption-node-events").inputs["metadata"]["namespace"] == "default"
    with_floors = (
        run(changes={"autoscaler": {"outageReplicas": 2}})
        .named("interruption-pods")
        .inputs["rules"]
    )
    assert {
        "apiGroups": ["autoscaling"],
        "resources": ["horizontalpodautoscalers"],
    }.items() <= with_floors[-1].items()
    assert with_floors[-1]["verbs"] == ["list", "watch", "patch"] and with_floors[-1][
        "resourceNames"
    ] == ["bert-tfserving-hpa"]


def test_the_rights_are_the_handlers_own_accounts(either: Recording) -> None:
    account = either.named("interruption-account").inputs["metadata"]
    for name in ("nodes", "pods", "own", "node-events"):
        (subject,) = either.named(f"interruption-{name}-binding").inputs["subjects"]
        assert (
            subject["kind"] == "ServiceAccount"
            and subject["namespace"] == account["namespace"] == "inference-interruption"
        )
    assert handler_pod(either)["automountServiceAccountToken"] is True
    assert either.named("interruption-account").inputs["automountServiceAccountToken"] is False, (
        "no other pod gets the token by mistake"
    )


def test_the_handler_has_a_namespace_of_its_own_and_its_lease_is_beside_the_pods(
    either: Recording,
) -> None:
    """The Lease stays where earlier versions have it: old and new handler exclude each other."""
    namespaces = {
        one.name.removeprefix("interruption-"): one.inputs["metadata"].get("namespace", "")
        for one in either.resources
        if one.custom and "InterruptionHandler" in one.parent
    }
    assert {name for name, where in namespaces.items() if where == "inference"} == {
        "pods",
        "pods-binding",
    }
    assert {name for name, where in namespaces.items() if not where} == {
        "namespace",
        "nodes",
        "nodes-binding",
        "limits",
        "limits-binding",
    }
    assert {name for name, where in namespaces.items() if where == "default"} == {
        "node-events",
        "node-events-binding",
    }, "the API server takes Events about nodes nowhere else"
    assert set(namespaces.values()) == {"inference", "inference-interruption", "default", ""}
    assert either.named("interruption-namespace").inputs["metadata"]["labels"][
        "pod-security.kubernetes.io/enforce"
    ] == "restricted"  # fmt: skip
    config = told(either)
    assert (config["namespace"], config["own_namespace"]) == (
        "inference",
        "inference-interruption",
    )


def test_a_handler_that_is_replaced_keeps_its_rights_until_it_is_deleted(
    either: Recording,
) -> None:
    """With another account its bindings are other bindings, made first and deleted last. In place
    the running handler would lose its rights before the next one has started.
    """
    bindings = [one for one in either.of("Binding") if "rbac" in one.type]
    assert len(bindings) == 4
    assert {one.replace_on_changes for one in bindings} == {("subjects",)}
    deployment = either.named("interruption-deployment")
    assert {one.urn for one in bindings} <= set(deployment.depends_on)
    assert either.named("interruption-limits-binding").urn in deployment.depends_on


def test_the_policy_is_for_the_handlers_account_alone_and_fails_closed(up: Recording) -> None:
    limits = up.named("interruption-limits")
    account = up.named("interruption-deployment").inputs["spec"]["template"]["spec"][
        "serviceAccountName"
    ]
    spec = limits.inputs["spec"]
    (condition,) = spec["matchConditions"]
    assert condition["expression"].endswith(
        f'== "system:serviceaccount:inference-interruption:{account}"'
    )
    assert spec["failurePolicy"] == "Fail"
    assert {one["reason"] for one in spec["validations"]} == {"Forbidden"}
    assert up.named("interruption-limits-binding").inputs["spec"] == {
        "policyName": f"{limits.name}-0a1b2c3d",
        "validationActions": ["Deny"],
    }


def test_the_policy_knows_the_names_that_the_handler_writes() -> None:
    known = {
        snapshot.CORDONED_ANNOTATION: handler_policy.CORDONED,
        snapshot.TEMPLATE_HASH_LABEL: handler_policy.TEMPLATE_HASH,
        snapshot.DETACHED_HASH_ANNOTATION: handler_policy.DETACHED_HASH,
        snapshot.DETACHED_BY_ANNOTATION: handler_policy.DETACHED_BY,
        snapshot.ROLE_LABEL: handler_policy.ROLE_LABEL,
        snapshot.SPOT_STRATEGY_LABEL: interruption_handler.SPOT_STRATEGY_LABEL,
    }
    assert [*known] == [*known.values()]
    assert snapshot.DETACHED_LABEL in handler_policy.POD_LABELS
    assert snapshot.DELETION_COST_ANNOTATION in handler_policy.POD_ANNOTATIONS


@pytest.mark.parametrize(
    ("node_labels", "known_by"),
    [
        ({"inference": "tensorflow", "inference-stack": "dev"}, {"inference-stack": "dev"}),
        ({"inference": "tensorflow"}, {"alibabacloud.com/nodepool-id": "np1"}),
        ({}, {"alibabacloud.com/nodepool-id": "np1"}),
    ],
)
def test_the_policy_knows_an_adopted_pools_nodes_by_the_pool(
    node_labels: dict, known_by: dict
) -> None:
    own = {"alibabacloud.com/nodepool-id": "np1"}
    assert handler_policy.nodes_of(node_labels, own) == known_by


def test_the_handlers_pods_are_two_on_two_nodes_and_one_may_be_drained(either: Recording) -> None:
    spec = handler_pod(either)
    (spread,) = spec["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"], spread["whenUnsatisfiable"]) == (
        "kubernetes.io/hostname",
        1,
        "DoNotSchedule",
    )
    assert "minDomains" not in spread, "a single eligible node would take one pod only"
    assert spread["matchLabelKeys"] == ["pod-template-hash"]
    assert spec["priorityClassName"] == "system-cluster-critical"
    budget = either.named("interruption-budget").inputs["spec"]
    labels = either.named("interruption-deployment").inputs["spec"]["selector"]
    assert budget == {"maxUnavailable": 1, "selector": labels}


def test_the_handler_runs_anywhere_but_on_the_pool_and_is_locked_down(either: Recording) -> None:
    spec = handler_pod(either)
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [
        {"key": "inference-pool", "operator": "DoesNotExist"},
        {
            "key": "node.alibabacloud.com/spot-strategy",
            "operator": "NotIn",
            "values": ["SpotAsPriceGo", "SpotWithPriceLimit"],
        },
    ]
    container = spec["containers"][0]
    assert (
        container["securityContext"]["readOnlyRootFilesystem"] is True
        and spec["securityContext"]["runAsNonRoot"] is True
    )
    assert container["resources"]["requests"] == {"cpu": "50m", "memory": "64Mi"}
    assert {one["tolerationSeconds"] for one in spec["tolerations"]} == {20}
    policy = either.named("interruption-network").inputs["spec"]
    assert policy["ingress"] == [] and [port["port"] for port in policy["egress"][0]["ports"]] == [
        443,
        6443,
    ]


def test_the_handlers_code_is_what_the_repository_holds_and_a_change_of_it_rolls_the_pods() -> None:
    first, second = run(), run(changes={"interruption": {"drainSeconds": 40}})
    data = first.named("interruption-code").inputs["data"]
    files = {path.name: path.read_text() for path in (ROOT / "interruption_handler").glob("*.py")}
    assert {name: text for name, text in data.items() if name.endswith(".py")} == files
    names = [one.named("interruption-code").inputs["metadata"]["name"] for one in (first, second)]
    assert names[0] != names[1] and first.named("interruption-code").inputs["immutable"] is True
    assert [handler_pod(one)["volumes"][0]["configMap"]["name"] for one in (first, second)] == names


def test_the_handler_understands_what_it_is_told(either: Recording) -> None:
    config = Config.read(either.named("interruption-code").inputs["data"]["settings.json"])
    labels = either.named("server-deployment").inputs["spec"]["template"]["metadata"]["labels"]
    assert (
        config.selector.items() <= labels.items()
        and config.deployment == either.outputs["deployment"]
    )
    nodes = {
        label["key"]: label["value"]
        for label in either.one("cs/nodePool:NodePool").inputs["labels"]
    }
    assert {**config.node_labels, **config.pool_labels} == nodes
    assert config.capacity_mix == CapacityMix(
        base=0, percent=30, points=4, after_seconds=300, max_nodes=10
    )


def test_the_service_goes_on_sending_to_detached_pods(either: Recording) -> None:
    """A pod is detached by taking its revision's label away: nothing that keeps it serving may ask
    for that label.
    """
    for name, selector in (
        ("server-service", "selector"),
        ("server-budget", "selector"),
        ("server-network", "podSelector"),
    ):
        assert "pod-template-hash" not in json.dumps(either.named(name).inputs["spec"][selector])


def test_a_budget_counted_from_the_owners_bears_pods_without_one(either: Recording) -> None:
    """maxUnavailable: Kubernetes takes the wanted number from the pods' owners, and counts healthy
    pods without one beside it.
    """
    assert "minAvailable" not in either.named("server-budget").inputs["spec"]


def test_the_code_starts_from_its_directory_alone_with_the_standard_library(tmp_path: Path) -> None:
    for path in (ROOT / "interruption_handler").glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "settings.json").write_text(json.dumps(told(run())))
    command = [
        sys.executable,
        "-I",
        "-S",
        str(tmp_path / "start.py"),
        f"--account={tmp_path}",
        "--identity=a",
        "--address=127.0.0.1",
        "--port=0",
    ]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=1500,
        env={"KUBERNETES_SERVICE_HOST": "127.0.0.1"},
        check=False,
    )
    assert "ca.crt" in ended.stderr or "No such file" in ended.stderr, (
        "every module was found; only the account is missing"
    )
    assert "ModuleNotFoundError" not in ended.stderr and "ImportError" not in ended.stderr


def test_prometheus_reads_the_figures_where_its_namespace_is_named_and_nobody_else_does() -> None:
    recording = run(changes={"interruption": {"metricsNamespace": "arms-prom"}})
    template = recording.named("interruption-deployment").inputs["spec"]["template"]
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true", "prometheus.io/port": "8081", "prometheus.io/path": "/metrics",
    }  # fmt: skip
    (rule,) = recording.named("interruption-network").inputs["spec"]["ingress"]
    named = {"kubernetes.io/metadata.name": "arms-prom"}
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": named}}]
    assert [port["port"] for port in rule["ports"]] == [8081]
    usual = run().named("interruption-deployment").inputs["spec"]["template"]
    assert "annotations" not in usual["metadata"]


@pytest.mark.parametrize("dry", [True, False])
def test_a_dry_run_reaches_the_pod(dry: bool) -> None:
    recording = run(changes={"interruption": {"dryRun": dry}})
    text = recording.named("interruption-code").inputs["data"]["settings.json"]
    assert Config.read(text).dry_run is dry


def test_without_the_handler_nothing_of_it_is_there() -> None:
    recording = run(changes={"interruption": {"enabled": False}})
    assert [
        one.name for one in recording.resources if one.custom and "Interruption" in one.parent
    ] == []
    assert recording.named("autoscaler-hpa").ignore_changes == ()


def test_headroom_holds_nodes_with_pods_that_give_way() -> None:
    recording = run(changes={"headroom": {"nodes": 2}, "nodePool": {"maxSize": 19}})
    priority, deployment = (
        recording.named("headroom-priority").inputs,
        recording.named("headroom-deployment").inputs,
    )
    assert (priority["value"], priority["preemptionPolicy"], priority["globalDefault"]) == (
        -5,
        "Never",
        False,
    )
    spec = deployment["spec"]["template"]["spec"]
    assert deployment["spec"]["replicas"] == 2 and spec["terminationGracePeriodSeconds"] == 0
    serving = recording.named("server-deployment").inputs["spec"]["template"]["spec"]
    assert (
        spec["containers"][0]["resources"]["requests"]
        == serving["containers"][0]["resources"]["requests"]
    )
    assert spec["nodeSelector"] == serving["nodeSelector"] and "priorityClassName" not in serving
    assert deployment["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    assert run().of("PriorityClass") == []


def test_headroom_on_nodes_with_several_gpus_fills_them() -> None:
    types = {"instanceTypes": ["ecs.gn6i-c24g1.12xlarge", "ecs.gn6v-c10g1.20xlarge"], "maxSize": 20}
    many = {"instanceTypes": ["ecs.gn7i-4x.8xlarge"], "maxSize": 20}
    for pool, pods in ((types, 2), (many, 4)):
        assert (
            run(changes={"headroom": {"nodes": 1}, "nodePool": pool})
            .named("headroom-deployment")
            .inputs["spec"]["replicas"]
            == pods
        )


def test_the_herald_asks_for_a_gpu_and_fits_nowhere(either: Recording) -> None:
    spec = either.named("herald-deployment").inputs["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"nvidia.com/gpu": "1"}
    labels = {label["key"] for label in either.one("cs/nodePool:NodePool").inputs["labels"]}
    assert (
        not set(spec["nodeSelector"]) & labels
        and "tolerations" not in spec
        and "priorityClassName" not in spec
    )


@pytest.mark.parametrize("scaler", [{"skipGpuWait": False}, {"mode": "unmanaged"}])
def test_there_is_no_herald_where_nobody_listens(scaler: dict) -> None:
    recording = run(changes={"nodeScaler": scaler})
    assert [one for one in recording.resources if one.name == "herald-deployment"] == []


def test_the_minimum_belongs_to_the_handler_only_where_it_moves() -> None:
    floors = [{"schedule": "0 8 * * *", "minReplicas": 3}]
    moved = run(changes={"autoscaler": {"floors": floors}})
    assert moved.named("autoscaler-hpa").ignore_changes == ("spec.minReplicas",)
    assert told(moved)["min_replicas"] == {
        "base": 1,
        "schedules": [{"schedule": "0 8 * * *", "time_zone": "Asia/Shanghai", "min_replicas": 3}],
        "outage_replicas": None,
        "outage_seconds": 60,
        "rest_port": 8501,
        "target_qps": 10,
    }
    assert (
        run().named("autoscaler-hpa").ignore_changes == () and told(run())["min_replicas"] is None
    )


def test_window_and_delay_of_the_metric_are_labels_the_adapter_reads() -> None:
    changed = (
        run(changes={"autoscaler": {"metricWindowSeconds": 30, "metricDelaySeconds": 5}})
        .named("autoscaler-hpa")
        .inputs
    )
    labels = changed["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]
    assert (labels["sls.query.interval"], labels["sls.query.delay"]) == ("30", "5")
    plain = (
        run()
        .named("autoscaler-hpa")
        .inputs["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]
    )
    assert not {"sls.query.interval", "sls.query.delay"} & set(plain)


def test_a_tolerance_is_sent_only_to_clusters_that_know_it() -> None:
    tolerant = {"autoscaler": {"scaleUpTolerance": 0.05, "scaleDownTolerance": 0.1}}
    behavior = run(changes=tolerant).named("autoscaler-hpa").inputs["spec"]["behavior"]
    assert (behavior["scaleUp"]["tolerance"], behavior["scaleDown"]["tolerance"]) == ("50m", "100m")
    cloud = Cloud(preview=False)
    cloud.clusters = [
        {"regionId": "cn-shanghai", "state": "running", "currentVersion": "1.34.1-aliyun.1"}
    ]
    older = run(changes=tolerant, cloud=cloud)
    assert "tolerance" not in older.named("autoscaler-hpa").inputs["spec"]["behavior"]["scaleUp"]
    assert [text for text in older.warnings if "1.34.1-aliyun.1" in text and "1.35" in text]


@pytest.mark.parametrize(
    ("changes", "room"),
    [
        ({}, 17),
        ({"nodePool": {"onDemandPercent": 50}}, 15),
        ({"headroom": {"nodes": 2}}, 19),
        ({"nodePool": {"onDemandBase": 5}}, 13),
        ({"autoscaler": {"maxReplicas": 6}, "nodePool": {"maxSize": 9}}, 10),
    ],
)
def test_a_pool_without_room_for_all_replacements_is_warned_of_with_the_size_that_has_it(
    changes: dict, room: int
) -> None:
    (warning,) = [text for text in run(changes=changes).warnings if "nodePool.maxSize" in text]
    assert warning.endswith(f"pulumi config set --path 'elastic-inference:nodePool.maxSize' {room}")
    pool = {**changes.get("nodePool", {}), "maxSize": room}
    assert [
        text
        for text in run(changes={**changes, "nodePool": pool}).warnings
        if "nodePool.maxSize" in text
    ] == []


@pytest.mark.parametrize(
    "pool", [{"onDemandPercent": 100}, {"spotStrategy": "NoSpot", "spotInstanceRemedy": False}]
)
def test_a_pool_that_loses_nothing_at_once_needs_no_room(pool: dict) -> None:
    assert [
        text for text in run(changes={"nodePool": pool}).warnings if "nodePool.maxSize" in text
    ] == []


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_the_committed_stacks_have_room(stack: str) -> None:
    assert [text for text in run(stack).warnings if "nodePool.maxSize" in text] == []


def test_an_open_entry_is_limited_by_its_controller_or_warned_of() -> None:
    def annotations(recording: Recording) -> dict[str, str]:
        return recording.named("entry-ingress").inputs["metadata"]["annotations"]

    prefix = "nginx.ingress.kubernetes.io"
    plain, limits = run(), {"entry": {"clientQps": 50, "clientConnections": 20}}
    assert not any("limit" in name for name in annotations(plain))
    assert any("has no limit" in text for text in plain.warnings)
    nginx = run(changes=limits)
    assert annotations(nginx)[f"{prefix}/limit-rps"] == "50"
    assert annotations(nginx)[f"{prefix}/limit-connections"] == "20"
    assert not any("has no limit" in text for text in nginx.warnings)
    alb = run(changes={"entry": {"kind": "alb", "totalQps": 200}})
    assert annotations(alb)["alb.ingress.kubernetes.io/traffic-limit-qps"] == "200"
    assert not any("has no limit" in text for text in alb.warnings)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "alb", "clientQps": 5}, "entry.clientQps"),
        ({"kind": "alb", "clientConnections": 5}, "entry.clientConnections"),
        ({"kind": "nginx", "totalQps": 5}, "entry.totalQps"),
    ],
)
def test_a_limit_that_the_controller_does_not_know_is_refused(entry: dict, field: str) -> None:
    with pytest.raises(Exception, match=f"{field}(.|\\n)*no effect"):
        run(changes={"entry": entry})


def peer(namespace: str, pods: dict) -> dict:
    labels = {"kubernetes.io/metadata.name": namespace}
    return {"namespaceSelector": {"matchLabels": labels}, "podSelector": pods}


def test_where_an_outage_is_covered_the_handler_can_ask_the_pods_what_they_serve() -> None:
    def arguments(recording: Recording) -> list[str]:
        spec = recording.named("server-deployment").inputs["spec"]["template"]["spec"]
        return [text for text in spec["containers"][0]["args"] if "monitoring" in text]

    plain, covered = run(), run(changes={"autoscaler": {"outageReplicas": 2}})
    assert arguments(plain) == [], "a stack without it keeps its pods as they are"
    assert list(plain.named("server-config").inputs["data"]) == ["models.config"]
    assert arguments(covered) == [
        "--monitoring_config_file=/etc/tensorflow-serving/monitoring.config"
    ]
    data = covered.named("server-config").inputs["data"]
    assert 'path: "/monitoring/prometheus/metrics"' in data["monitoring.config"]
    pods = covered.named("server-network").inputs["spec"]["podSelector"]
    egress = covered.named("interruption-network").inputs["spec"]["egress"]
    ports = [{"port": 8501, "protocol": "TCP"}]
    assert egress[1] == {"to": [peer("inference", pods)], "ports": ports}
    into = covered.named("interruption-serving-network").inputs
    assert into["metadata"]["namespace"] == "inference"
    own = covered.named("interruption-deployment").inputs["spec"]["selector"]
    assert into["spec"] == {
        "podSelector": pods,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer("inference-interruption", own)], "ports": ports}],
    }
    config = Config.read(covered.named("interruption-code").inputs["data"]["settings.json"])
    assert config.min_replicas is not None and config.min_replicas.target_qps == 10
