"""What the tutorial lacks: identity, a guarded bucket, a locked-down and well-placed pod, a
graceful stop, a calm autoscaler.
"""

import json

import pytest

from tests.unit.monitor import Recording
from tests.unit.program import ISSUER, PROVIDER_ARN, USERS, run


def pod(recording: Recording) -> dict:
    return recording.named("server-deployment").inputs["spec"]["template"]["spec"]


def test_only_the_drivers_service_account_of_this_cluster_may_take_the_role(
    either: Recording,
) -> None:
    role = either.one("ram/role:Role").inputs
    assert json.loads(role["assumeRolePolicyDocument"]) == {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Federated": [PROVIDER_ARN]},
                "Condition": {
                    "StringEquals": {
                        "oidc:aud": "sts.aliyuncs.com",
                        "oidc:iss": ISSUER,
                        "oidc:sub": "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs",
                    }
                },
            }
        ],
    }
    assert role["maxSessionDuration"] == 3600


def test_the_role_reads_one_prefix_of_one_bucket_and_nothing_more(either: Recording) -> None:
    bucket = either.one("oss/bucket:Bucket").inputs["bucket"]
    document = json.loads(either.one("ram/policy:Policy").inputs["policyDocument"])
    assert document["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["oss:GetObject"],
            "Resource": [f"acs:oss:*:*:{bucket}/models/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["oss:ListObjects"],
            "Resource": [f"acs:oss:*:*:{bucket}"],
            "Condition": {"StringLike": {"oss:Prefix": ["models/*"]}},
        },
    ]
    attachment = either.one("RolePolicyAttachment").inputs
    assert (
        attachment["policyType"] == "Custom"
        and attachment["policyName"] == either.one("ram/policy:Policy").inputs["policyName"]
    )


def test_an_old_policy_version_makes_room_for_a_sixth(either: Recording) -> None:
    assert (
        either.one("ram/policy:Policy").inputs["rotateStrategy"]
        == "DeleteOldestNonDefaultVersionWhenLimitExceeded"
    )


def test_the_bucket_is_private_encrypted_versioned_and_refuses_plain_http(
    either: Recording,
) -> None:
    bucket = either.one("oss/bucket:Bucket").inputs["bucket"]
    assert either.one("BucketAcl").inputs["acl"] == "private"
    assert either.one("BucketPublicAccessBlock").inputs["blockPublicAccess"] is True
    statement = json.loads(either.one("BucketPolicy").inputs["policy"])["Statement"][0]
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == (
        "Deny",
        ["oss:*"],
        ["*"],
    )
    assert statement["Condition"] == {"Bool": {"acs:SecureTransport": ["false"]}}
    assert statement["Resource"] == [f"acs:oss:*:*:{bucket}", f"acs:oss:*:*:{bucket}/*"]


def test_old_versions_and_unfinished_uploads_are_forgotten(either: Recording) -> None:
    rule = either.one("oss/bucket:Bucket").inputs["lifecycleRules"][0]
    assert rule["enabled"] is True and rule["prefix"] == ""
    assert rule["noncurrentVersionExpirations"] == [{"days": 30}] and rule[
        "abortMultipartUploads"
    ] == [{"days": 7}]


LOGGED = {"modelStore": {"accessLogDays": 180, "forceDestroy": False}}


def test_who_does_what_in_the_bucket_is_written_into_a_guarded_bucket_and_forgotten_in_time() -> (
    None
):
    recording = run(changes=LOGGED)
    model, log = (recording.named(f"models-{name}").inputs for name in ("bucket", "log-bucket"))
    assert log["bucket"] == f"{model['bucket']}-log"
    assert model["logging"] == {
        "targetBucket": log["bucket"],
        "targetPrefix": f"{model['bucket']}/",
    }
    assert log["lifecycleRules"] == [
        {"id": "forget-old-logs", "prefix": "", "enabled": True, "expirations": [{"days": 180}]}
    ]
    assert log["forceDestroy"] is True and "logging" not in log, "a log of the log has no end"
    guards = {
        resource.name for resource in recording.resources if resource.name.startswith("models-log-")
    }
    assert guards == {
        f"models-log-{name}" for name in ("bucket", "acl", "access-block", "encryption", "tls-only")
    }
    assert recording.named("models-log-acl").inputs["acl"] == "private"
    policy = json.loads(recording.named("models-log-tls-only").inputs["policy"])
    assert policy["Statement"][0]["Resource"][0].endswith(f":{log['bucket']}")


def test_there_is_no_log_unless_the_settings_ask_for_one_and_prod_does() -> None:
    quiet = run()
    assert "logging" not in quiet.named("models-bucket").inputs
    assert not [one for one in quiet.resources if one.name.startswith("models-log")]
    prod = run("prod", {"htpasswd": USERS}, secret=("htpasswd",))
    kept = prod.named("models-log-bucket")
    assert kept.protect and kept.inputs["forceDestroy"] is False
    assert kept.inputs["lifecycleRules"][0]["expirations"] == [{"days": 180}]


def test_kms_is_used_with_the_given_key() -> None:
    encryption = (
        run(changes={"modelStore": {"encryption": "KMS", "kmsKeyId": "key-1"}})
        .one("BucketServerSideEncryption")
        .inputs
    )
    assert (encryption["sseAlgorithm"], encryption["kmsMasterKeyId"]) == ("KMS", "key-1")


def test_the_pod_is_locked_down_as_its_namespace_demands(either: Recording) -> None:
    labels = either.named("namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod(either)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod(either)["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(either)["automountServiceAccountToken"] is False


def test_no_shell_stands_between_kubernetes_and_the_server(either: Recording) -> None:
    assert pod(either)["containers"][0]["command"] == ["/usr/bin/tensorflow_model_server"]


def test_the_stop_sleeps_first_and_sigkill_comes_soon_after() -> None:
    stopping = pod(run("dev"))
    assert stopping["containers"][0]["lifecycle"]["preStop"] == {"sleep": {"seconds": 15}}
    assert stopping["terminationGracePeriodSeconds"] == 30


@pytest.mark.parametrize(("rollout", "surge", "unavailable"), [("surge", 1, 0), ("in-place", 0, 1)])
def test_the_order_of_a_roll_is_a_choice(rollout: str, surge: int, unavailable: int) -> None:
    strategy = (
        run(changes={"server": {"rollout": rollout}})
        .named("server-deployment")
        .inputs["spec"]["strategy"]
    )
    assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": unavailable}


def test_the_pods_are_spread_over_zones_and_charge_types_but_never_kept_from_starting(
    either: Recording,
) -> None:
    spread = pod(either)["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == [
        "topology.kubernetes.io/zone",
        "node.alibabacloud.com/spot-strategy",
    ]
    assert {one["whenUnsatisfiable"] for one in spread} == {"ScheduleAnyway"}
    assert {(tuple(one["matchLabelKeys"]), one["nodeTaintsPolicy"]) for one in spread} == {
        (("pod-template-hash",), "Honor")
    }
    assert all(
        one["labelSelector"] == either.named("server-deployment").inputs["spec"]["selector"]
        for one in spread
    )


def test_one_pod_at_a_time_may_be_drained_and_a_broken_one_always(either: Recording) -> None:
    budget = either.named("server-budget").inputs["spec"]
    assert budget["maxUnavailable"] == 1 and budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"] == either.named("server-deployment").inputs["spec"]["selector"]


CONTROLLER = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"app": "ingress-nginx"}},
}


def admitted(recording: Recording) -> list[tuple[list[dict], list[int]]]:
    """Who may call the server's pods, and at which ports."""
    policy = recording.named("server-network").inputs["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == []
    return [(rule["from"], [port["port"] for port in rule["ports"]]) for rule in policy["ingress"]]


def test_only_the_ingress_controllers_pods_reach_the_pod_and_it_calls_nobody(
    either: Recording,
) -> None:
    assert admitted(either) == [([CONTROLLER], [8501])]


def test_a_controller_of_ones_own_is_admitted_by_its_own_labels() -> None:
    entry = {
        "controllerNamespace": "ingress-nginx",
        "controllerLabels": {"app.kubernetes.io/name": "ingress-nginx"},
    }
    ((peers, _),) = admitted(run(changes={"entry": entry}))
    assert peers == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "ingress-nginx"}},
        }
    ]


def test_the_handler_reaches_the_page_of_what_the_pods_serve_where_it_reads_it() -> None:
    recording = run(changes={"autoscaler": {"outageReplicas": 2}})
    _, (peers, ports) = admitted(recording)
    handler = recording.named("interruption-deployment").inputs["spec"]
    assert peers == [{"podSelector": handler["selector"]}] and ports == [8501]
    assert handler["selector"]["matchLabels"].items() <= handler["template"]["metadata"]["labels"].items()  # fmt: skip


def test_grpc_is_open_to_the_pods_that_the_settings_name_and_to_no_others() -> None:
    clients = [
        {"labels": {"app": "batch"}},
        {"namespace": "callers", "labels": {"app": "web", "tier": "front"}},
    ]
    controller, (peers, ports) = admitted(run(changes={"server": {"clients": clients}}))
    assert controller == ([CONTROLLER], [8501]) and ports == [8500, 8501]
    assert peers == [
        {"podSelector": {"matchLabels": {"app": "batch"}}},
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "callers"}},
            "podSelector": {"matchLabels": {"app": "web", "tier": "front"}},
        },
    ]


def test_no_empty_dir_keeps_acks_drain_from_moving_the_pod(either: Recording) -> None:
    assert [set(volume) - {"name"} for volume in pod(either)["volumes"]] == [
        {"persistentVolumeClaim"},
        {"configMap"},
    ]


def test_pods_are_added_no_faster_than_nodes_come_and_taken_away_calmly(either: Recording) -> None:
    behavior = either.one("v2:HorizontalPodAutoscaler").inputs["spec"]["behavior"]
    assert behavior["scaleUp"]["policies"] == [
        {"type": "Pods", "value": 4, "periodSeconds": 60},
        {"type": "Percent", "value": 100, "periodSeconds": 60},
    ]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert behavior["scaleDown"]["policies"] == [
        {"type": "Percent", "value": 50, "periodSeconds": 300}
    ]


def test_a_changed_model_config_is_a_new_immutable_object_and_rolls_the_pods() -> None:
    first, second = run(), run(changes={"model": {"name": "other"}})
    names = [one.named("server-config").inputs["metadata"]["name"] for one in (first, second)]
    assert names[0] != names[1] and first.named("server-config").inputs["immutable"] is True
    assert [pod(one)["volumes"][1]["configMap"]["name"] for one in (first, second)] == names


def test_a_pull_secret_is_used_where_given() -> None:
    assert pod(run(changes={"server": {"imagePullSecret": "registry"}}))["imagePullSecrets"] == [
        {"name": "registry"}
    ]
    assert "imagePullSecrets" not in pod(run())


def test_a_prediction_is_asked_of_another_pod_when_one_vanishes(either: Recording) -> None:
    annotations = either.one("Ingress").inputs["metadata"]["annotations"]
    assert (
        annotations["nginx.ingress.kubernetes.io/proxy-next-upstream"]
        == "error timeout non_idempotent"
    )


@pytest.mark.parametrize("seconds", [1, 60, 600])
def test_no_further_pod_is_asked_once_the_time_of_a_request_is_over(seconds: int) -> None:
    """A pod that is silent for the whole time is asked once; a client waits twice that time at
    most, when one fails in its last moment.
    """
    annotations = (
        run(changes={"entry": {"timeoutSeconds": seconds}})
        .one("Ingress")
        .inputs["metadata"]["annotations"]
    )
    prefix = "nginx.ingress.kubernetes.io/proxy"
    bound = int(annotations[f"{prefix}-next-upstream-timeout"])
    assert 0 < bound <= seconds == int(annotations[f"{prefix}-read-timeout"])
    assert 0 < int(annotations[f"{prefix}-next-upstream-tries"]) <= 3, "0 is without a limit"
