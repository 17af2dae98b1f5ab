"""The agent in a real lab: real API server, scheduler and controllers, the cloud double, real
processes. Tests build on each other.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from lab.testing.lab import Lab
from lab.testing.models import GOOD
from lab.tests.kubelet import live
from lab.tests.kubelet.cloud_change import BUCKET, SUBJECT

POD_GC_SECONDS = 80.0
"""The pod garbage collector looks every 20 s, lets a vanished node rest for 40 s, and acts at its
next look (its published constants).
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own with the model in a bucket."""
    made = Lab(
        tmp_path_factory.mktemp("nodes") / "lab",
        LAB_WITHOUT="traefik,metrics-adapter,metrics api,log-shipper,node-autoscaler",
    )
    try:
        made.up()
        live.change(made, "setup")
        live.apply(made, *live.objects())
        yield made
    finally:
        made.end()


def test_the_system_instance_is_a_ready_node_with_acks_labels(lab: Lab) -> None:
    (node,) = live.get(lab, "/api/v1/nodes")["items"]
    assert live.ready(node)
    assert node["metadata"]["labels"]["node.alibabacloud.com/spot-strategy"] == "NoSpot"
    assert node["spec"]["podCIDR"].startswith("10.244.")
    assert not [
        taint
        for taint in node["spec"].get("taints", [])
        if taint["key"].startswith("node.kubernetes.io/")
    ]


def test_a_pod_mounts_the_bucket_by_its_role_and_answers_from_the_uploaded_files(lab: Lab) -> None:
    pod = live.wait_ready(lab)
    negative, positive = live.predict(lab, pod, GOOD)
    assert positive > 0.8 and negative < 0.2
    log = lab.inside("kubectl", "-n", live.NAMESPACE, "logs", pod["metadata"]["name"]).stdout
    assert "Successfully loaded servable version {name: chnsenticorp version: 1623831335}" in log


def test_a_pod_that_was_taken_for_unready_while_its_node_was_late_says_again_that_it_is_ready(
    lab: Lab,
) -> None:
    name = live.wait_ready(lab)["metadata"]["name"]
    unready = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    patch = (
        "kubectl",
        "-n",
        live.NAMESPACE,
        "patch",
        "pod",
        name,
        "--subresource=status",
        "-o",
        "json",
        "-p",
        unready,
    )
    assert not live.ready(json.loads(lab.inside(*patch).stdout))
    assert live.wait_ready(lab)["metadata"]["name"] == name


def test_a_trust_policy_wrong_by_one_character_keeps_the_next_pod_from_starting_until_it_is_right(
    lab: Lab,
) -> None:
    live.change(lab, "trust", SUBJECT + "x")
    pod = live.replace(lab)
    text = live.mount_failure(lab, pod, "Code: AuthenticationFail.NoPermission")
    assert text.startswith(
        'MountVolume.SetUp failed for volume "live-model" : rpc error: code = PermissionDenied'
    )
    (state,) = [entry["state"] for entry in live.pods(lab)[0]["status"]["containerStatuses"]]
    assert state["waiting"]["reason"] == "ContainerCreating"
    live.change(lab, "trust", SUBJECT)
    assert live.wait_ready(lab)["metadata"]["uid"] == pod["metadata"]["uid"]


def test_a_policy_for_another_bucket_is_refused_with_the_stores_words(lab: Lab) -> None:
    live.change(lab, "policy", BUCKET[:-1] + "z")
    pod = live.replace(lab)
    assert "HTTP status: 403" in live.mount_failure(lab, pod, "Code: AccessDenied")
    live.change(lab, "policy", BUCKET)
    live.wait_ready(lab)


def test_without_the_stores_copy_the_running_pod_answers_on_and_the_next_one_does_not_start(
    lab: Lab,
) -> None:
    running = live.wait_ready(lab)
    live.change(lab, "wipe")
    assert live.predict(lab, running, GOOD)[1] > 0.8
    pod = live.replace(lab)
    live.mount_failure(lab, pod, "the path does not exist in the bucket")


def test_an_agent_killed_takes_the_processes_along_and_its_successor_starts_them_again(
    lab: Lab,
) -> None:
    sleeper = {"name": "sleeper", "image": "busybox", "command": ["sleep", "777"]}
    meta = {"name": "survivor", "namespace": live.NAMESPACE}
    live.apply(
        lab,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [sleeper], "terminationGracePeriodSeconds": 0},
        },
    )

    def status() -> dict:
        return live.get(lab, f"/api/v1/namespaces/{live.NAMESPACE}/pods/survivor")["status"]

    live.wait(lab, "sleeper runs", lambda: status().get("phase") == "Running")
    agent = next(part for part in lab.status()["components"] if part["name"] == "node-agent")
    os.kill(agent["pid"], signal.SIGKILL)
    entry = live.wait(
        lab,
        "restarted",
        lambda: next(
            (
                c
                for c in status()["containerStatuses"]
                if c["restartCount"] and "running" in c["state"]
            ),
            None,
        ),
    )
    assert entry["restartCount"] == 1
    sleepers = [
        line for line in lab.inside("ps", "-eo", "args").stdout.splitlines() if line == "sleep 777"
    ]
    assert len(sleepers) == 1


def test_images_come_from_registries_that_fail_want_a_login_and_recover(lab: Lab) -> None:
    (lab.home / "scenario.yaml").write_text(
        "images:\n"
        "- {match: 'docker.io/library/busybox:1.36', fails: timeout, times: 1}\n"
        "- {match: 'registry.mine.example/*', login: {username: me, password: secret}}\n"
    )
    space = {"namespace": live.NAMESPACE}
    login = json.dumps(
        {"auths": {"registry.mine.example": {"username": "me", "password": "secret"}}}
    )
    secret = {
        "metadata": {"name": "login", **space},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": login},
    }
    asked = {
        "late": ("busybox:1.36", {}),
        "member": (
            "registry.mine.example/team/busybox:1",
            {"imagePullSecrets": [{"name": "login"}]},
        ),
        "stranger": (
            "registry.mine.example/team/busybox:1",
            {"imagePullSecrets": [{"name": "lost"}]},
        ),
    }
    live.apply(lab, {"apiVersion": "v1", "kind": "Secret", **secret})
    for name, (image, more) in asked.items():
        container = {
            "name": "c",
            "image": image,
            "command": ["sleep", "777"],
            "imagePullPolicy": "Always",
        }
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0, **more}
        live.apply(
            lab,
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **space}, "spec": spec},
        )

    def pod(name: str) -> dict:
        return live.get(lab, f"/api/v1/namespaces/{live.NAMESPACE}/pods/{name}")

    def events(name: str) -> list[str]:
        selector = f"involvedObject.uid={pod(name)['metadata']['uid']}"
        found = live.get(
            lab, f"/api/v1/namespaces/{live.NAMESPACE}/events", fieldSelector=selector
        )["items"]
        return [f"{event['reason']}: {event['message']}" for event in found]

    for name in ("late", "member"):
        live.wait(
            lab, f"{name} runs", lambda name=name: pod(name)["status"].get("phase") == "Running"
        )
    assert any("dial tcp 203.0.113.7:443: i/o timeout" in text for text in events("late"))
    live.wait(
        lab,
        "stranger is refused",
        lambda: any("401 Unauthorized" in text for text in events("stranger")),
    )
    assert any(
        text.startswith(
            "FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (lost)"
        )
        for text in events("stranger")
    )
    waits = live.wait(
        lab,
        "why",
        lambda: (
            pod("stranger")["status"]["containerStatuses"][0]["state"]
            .get("waiting", {})
            .get("message")
        ),
    )
    assert "401 Unauthorized" in waits
    (lab.home / "scenario.yaml").unlink()
    done = lab.inside(
        "kubectl", "-n", live.NAMESPACE, "delete", "pods", *asked, "--wait=true", "--timeout=60s"
    )
    assert done.returncode == 0, done.stderr


def test_a_node_that_comes_without_the_problem_detector_has_no_condition_of_it_until_the_add_on_is_there(
    lab: Lab,
) -> None:
    def told() -> dict[str, set[str]]:
        nodes = live.get(lab, "/api/v1/nodes")["items"]
        return {
            node["metadata"]["name"]: {one["type"] for one in node["status"]["conditions"]}
            for node in nodes
            if live.ready(node)
        }

    def ask(path: str, *more: str) -> dict:
        return json.loads(
            lab.inside("curl", "-sS", *more, f"http://10.0.0.2:9090/_lab/{path}").stdout
        )

    (old,) = told()
    live.change(lab, "uninstall", "ack-node-problem-detector")
    (pool,) = {
        one["nodepool_id"] for one in ask("instances")["instances"] if one["status"] == "Running"
    }
    ask(f"nodepools/{pool}/scale", "-X", "POST", "-d", '{"delta": 1}')
    live.wait(lab, "second node", lambda: len(told()) == 2)
    (new,) = set(told()) - {old}
    assert "InstanceExpired" in told()[old], "what the detector said last stays"
    assert "InstanceExpired" not in told()[new]
    node = next(
        one for one in live.get(lab, "/api/v1/nodes")["items"] if one["metadata"]["name"] == new
    )
    assert (node["status"]["allocatable"]["cpu"], node["status"]["allocatable"]["memory"]) == (
        "1930m",
        "5975Mi",
    )
    live.change(lab, "install", "ack-node-problem-detector")
    live.wait(lab, "condition", lambda: "InstanceExpired" in told()[new])
    instance = node["metadata"]["labels"]["alibabacloud.com/ecs-instance-id"]
    ask(f"instances/{instance}/release", "-X", "POST")
    live.wait(lab, "second node gone", lambda: set(told()) == {old})


def test_a_released_instance_takes_its_processes_pods_and_node_along(lab: Lab) -> None:
    listed = json.loads(lab.inside("curl", "-sS", "http://10.0.0.2:9090/_lab/instances").stdout)
    (instance,) = [one["instance_id"] for one in listed["instances"] if one["status"] == "Running"]
    done = lab.inside(
        "curl", "-sS", "-X", "POST", f"http://10.0.0.2:9090/_lab/instances/{instance}/release"
    )
    assert done.returncode == 0, done.stderr
    live.wait(
        lab,
        "node gone",
        lambda: (
            not [
                n
                for n in live.get(lab, "/api/v1/nodes")["items"]
                if instance in str(n["metadata"]["labels"])
            ]
        ),
    )
    pods = f"/api/v1/namespaces/{live.NAMESPACE}/pods"
    live.wait(
        lab,
        "pod gone",
        lambda: "survivor" not in str(live.get(lab, pods)),
        POD_GC_SECONDS + live.WAIT_SECONDS,
    )
    assert "sleep 777" not in lab.inside("ps", "-eo", "args").stdout.splitlines()
