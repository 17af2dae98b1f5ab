"""From nothing to a prediction on a cluster the stack has made, and down to nothing. `make prove
ITEM=C2` runs it.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator

import pytest
import yaml

from lab.testing.figures import figure
from models.tokenizer import instance
from tests.e2e.harness import STACK, Lab

PROJECT = "elastic-inference"
GPUS = "aliyun.accelerator/nvidia_count"
CREATE = {
    # The lab's machine knows 10.0.0.0/16 only; in the cloud two VPCs may have the same addresses.
    "vpcCidr": "10.0.0.0/16",
    "serviceCidr": "10.96.0.0/16",
    "vswitches": {
        "cn-shanghai-e": "10.0.128.0/20",
        "cn-shanghai-g": "10.0.144.0/20",
        "cn-shanghai-l": "10.0.160.0/20",
    },
    "version": "1.36.3-aliyun.1",
    # Nothing leads out of the lab to ACK's catalogue of charts.
    "metricsAdapterChart": "tests/data/metrics-adapter-chart",
}


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> Iterator[Lab]:
    """A lab of its own, and a stack that names no cluster."""
    made = Lab.create(tmp_path)
    path = made.program / f"Pulumi.{STACK}.yaml"
    settings = yaml.safe_load(path.read_text())
    config = settings["config"]
    config[f"{PROJECT}:cluster"] = {
        "accountId": config[f"{PROJECT}:cluster"]["accountId"],
        "create": CREATE,
    }
    config[f"{PROJECT}:nodePool"].pop("vswitchIds")
    path.write_text(yaml.safe_dump(settings))
    started = made.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    made.pulumi("stack", "init", STACK)
    yield made
    made.python("lab", "down")


def test_from_nothing_to_a_prediction_and_down_to_nothing(lab: Lab) -> None:
    begun = time.monotonic()
    lab.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", timeout=900)
    answer = lab.http(
        "/v1/models/chnsenticorp:predict", {"instances": [instance("房间很干净，服务也很好")]}
    )
    assert answer.status_code == 200, answer.text
    up = time.monotonic() - begun
    extra = lab.control("resources")["extra"]
    (cluster,) = extra["cluster"]
    _pods_run_on_the_new_clusters_nodes(lab, cluster)
    adapter = lab.kubectl(
        "get", "deployment", "ack-alibaba-cloud-metrics-adapter", "-n", "kube-system"
    )
    assert (
        adapter["status"]["readyReplicas"] == 2
        and adapter["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    )
    volume = lab.kubectl("get", "pv")["items"][0]["spec"]["csi"]["volumeAttributes"]
    assert volume["roleName"] in extra["ram_role"]
    lab.run(
        "kubectl",
        "wait",
        "hpa",
        "--all",
        "-n",
        "inference",
        "--for=condition=ScalingActive",
        "--timeout=120s",
    )
    (hpa,) = lab.kubectl("get", "hpa", "-n", "inference")["items"]
    assert (
        hpa["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]["sls.project"]
        == f"k8s-log-{cluster}"
    )
    lab.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", "--expect-no-changes")

    begun = time.monotonic()
    ended, report = lab.teardown(timeout=900)
    assert ended.returncode == 0 and report["clean"], ended.stdout + ended.stderr
    left = lab.control("resources")
    assert lab.state() == [] and (left["extra"], left["missing"]) == ({}, {})
    names = [item["metadata"]["name"] for item in lab.kubectl("get", "namespaces,pv")["items"]]
    assert not [name for name in names if "inference" in name or "model" in name]
    figure(f"nothing to a prediction {up:.0f} s, down to nothing {time.monotonic() - begun:.0f} s")


def _pods_run_on_the_new_clusters_nodes(lab: Lab, cluster: str) -> None:
    """The serving pod on the GPU pool, the interruption handler on a system node, both of the
    cluster that was made.
    """
    nodes = {
        node["metadata"]["name"]: node["metadata"]["labels"]
        for node in lab.kubectl("get", "nodes")["items"]
    }
    pods = lab.kubectl("get", "pods", "-n", "inference")["items"]
    serving = [
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["metadata"]["labels"].get("app") == "tensorflow-serving"
    ]
    own = {name: labels for name, labels in nodes.items() if labels["ack.aliyun.com"] == cluster}
    assert serving and all(name in own and GPUS in own[name] for name in serving)
    system = [labels for labels in own.values() if GPUS not in labels]
    assert len(system) == 2, json.dumps(nodes, indent=1)
