"""Up once, then nothing more to do; the answer comes from a pod on an instance that the pool
ordered.
"""

from __future__ import annotations

import json

from models.tokenizer import instance
from tests.e2e.harness import STACK, Lab

NOTHING = ("up", "--stack", STACK, "--yes", "--skip-preview", "--expect-no-changes")


def test_up_ends_with_a_prediction_through_the_ingress(deployed: Lab) -> None:
    answer = deployed.http(
        "/v1/models/chnsenticorp:predict", {"instances": [instance("房间很干净，服务也很好")]}
    )
    assert answer.status_code == 200, answer.text
    (probabilities,) = answer.json()["predictions"]
    assert len(probabilities) == 2 and abs(sum(probabilities) - 1) < 1e-4


def test_the_pinned_version_is_the_one_that_serves(deployed: Lab) -> None:
    status = deployed.http("/v1/models/chnsenticorp").json()["model_version_status"]
    assert [(version["version"], version["state"]) for version in status] == [
        ("1623831335", "AVAILABLE")
    ]


def test_the_serving_pod_runs_on_an_instance_of_the_pool(deployed: Lab) -> None:
    pool = deployed.outputs()["nodePoolId"].split(":")[-1]
    (pod,) = deployed.kubectl("get", "pods", "-n", "inference", "-l", "app=tensorflow-serving")[
        "items"
    ]
    node = deployed.kubectl("get", "node", pod["spec"]["nodeName"])
    labels = node["metadata"]["labels"]
    assert labels["alibabacloud.com/nodepool-id"] == pool and labels["inference"] == "tensorflow"
    ordered = {found["instance_id"]: found for found in deployed.control("instances")["instances"]}
    assert ordered[labels["alibabacloud.com/ecs-instance-id"]]["nodepool_id"] == pool


def test_a_second_up_changes_nothing(deployed: Lab) -> None:
    assert "error" not in deployed.pulumi(*NOTHING).stdout


def test_the_policies_judge_what_the_program_asks_and_not_what_autoscalers_made_of_it(
    deployed: Lab,
) -> None:
    """As CI deploys: the engine shows policies of a whole stack the outputs of an update."""
    again = deployed.python("ops.up", "--stack", STACK, "--refresh", "--policies")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "no-replicas-under-hpa" in again.stdout + again.stderr or "Policies" in again.stdout


def test_a_second_up_after_a_refresh_changes_nothing(deployed: Lab) -> None:
    deployed.pulumi(*NOTHING, "--refresh")


def test_a_preview_of_the_running_stack_shows_no_change(deployed: Lab) -> None:
    document = json.loads(deployed.pulumi("preview", "--stack", STACK, "--json").stdout)
    assert set(document["changeSummary"]) == {"same"}


def test_the_state_is_kept_in_files_that_a_kill_can_not_cut_short(deployed: Lab) -> None:
    """The backend writes a file's attributes beside it in place: an empty one makes the stack
    unreadable (EOF).
    """
    kept = [path for path in (deployed.home / "pulumi" / "state").rglob("*") if path.is_file()]
    assert any(path.name == f"{STACK}.json" for path in kept), kept
    assert not [path for path in kept if path.suffix == ".attrs"]


def test_no_access_key_of_the_region_reaches_state_or_cluster(deployed: Lab) -> None:
    credentials = json.loads((deployed.home / "credentials.json").read_text())
    state = deployed.pulumi("stack", "export", "--stack", STACK, "--show-secrets").stdout
    cluster = json.dumps(
        deployed.kubectl("get", "pv,pvc,pods,secrets,configmaps,deployments", "-A")
    )
    for secret in (credentials["secret_key"], credentials["access_key"]):
        assert secret not in state and secret not in cluster


def test_the_horizontal_pod_autoscaler_reads_the_ingress_metric(deployed: Lab) -> None:
    deployed.http("/v1/models/chnsenticorp")
    deployed.run(
        "kubectl",
        "wait",
        "hpa",
        "--all",
        "-n",
        "inference",
        "--for=condition=ScalingActive",
        "--timeout=1500s",
    )


def test_what_runs_is_listed_from_the_state(deployed: Lab) -> None:
    listed = deployed.python("ops.sbom", "--stack", STACK)
    assert listed.returncode == 0, listed.stderr
    kinds = {one["type"]: one["name"] for one in json.loads(listed.stdout)["components"]}
    assert {"container", "machine-learning-model", "library", "application"} <= set(kinds)
