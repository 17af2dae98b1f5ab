"""Objects and helpers of the live test."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx

from lab.testing.lab import Lab
from lab.testing.models import request
from lab.tests.kubelet.cloud_change import BUCKET, ROLE

NAMESPACE, APP = "live", "bert"
WAIT_SECONDS = 60.0
_ATTRIBUTES = {
    "bucket": BUCKET, "url": "oss-cn-shanghai-internal.aliyuncs.com", "path": "/models", "fuseType": "ossfs2", "authType": "rrsa",
    "roleName": ROLE, "otherOpts": "-o close_to_open=false",
}  # fmt: skip
_FLAGS = [
    "--port=8500",
    "--rest_api_port=8501",
    "--model_name=chnsenticorp",
    "--model_base_path=/models/tensorflow",
]


def objects() -> list[dict[str, Any]]:
    """Namespace, volume, claim and a Deployment of one serving pod that mounts it."""
    volume = {
        "capacity": {"storage": "5Gi"}, "accessModes": ["ReadOnlyMany"], "persistentVolumeReclaimPolicy": "Retain",
        "csi": {"driver": "ossplugin.csi.alibabacloud.com", "volumeHandle": "live-model", "volumeAttributes": _ATTRIBUTES},
    }  # fmt: skip
    claim = {
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
        "volumeName": "live-model",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    container = {
        "name": "serving", "image": "tensorflow/serving:2.20.0", "command": ["/usr/bin/tensorflow_model_server"], "args": _FLAGS,
        "readinessProbe": {"httpGet": {"path": "/v1/models/chnsenticorp/versions/1623831335", "port": 8501}, "periodSeconds": 1},
        "volumeMounts": [{"name": "model", "mountPath": "/models", "readOnly": True}],
    }  # fmt: skip
    pod = {
        "terminationGracePeriodSeconds": 3,
        "containers": [container],
        "volumes": [
            {
                "name": "model",
                "persistentVolumeClaim": {"claimName": "live-model", "readOnly": True},
            }
        ],
    }
    labels = {"app": APP}
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    space = {"namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "live-model"},
            "spec": volume,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "live-model", **space},
            "spec": claim,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": APP, **space},
            "spec": deployment,
        },
    ]


def get(lab: Lab, path: str, **params: str) -> dict[str, Any]:
    """GET from the API server, through the lab's port outside (polling with kubectl would cost a
    process each time).
    """
    pki = lab.home / "pki" / "kubernetes"
    trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    trust.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    answer = httpx.get(
        f"https://127.0.0.1:{lab.ports['LAB_API_PORT']}{path}",
        params=params,
        verify=trust,
        timeout=1500,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def apply(lab: Lab, *documents: dict[str, Any]) -> None:
    """kubectl apply."""
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
    done = lab.run("exec", "--", "kubectl", "apply", "-f", "-", input=body)
    assert done.returncode == 0, done.stderr


def change(lab: Lab, *what: str) -> None:
    """A change in the cloud."""
    done = lab.inside("python", "-m", "lab.tests.kubelet.cloud_change", *what)
    assert done.returncode == 0, done.stderr[-2000:]


def pods(lab: Lab) -> list[dict[str, Any]]:
    """The live pods of the Deployment that are not on their way out."""
    found = get(lab, f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=f"app={APP}")["items"]
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def ready(pod: dict[str, Any]) -> bool:
    """Its Ready condition."""
    return any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in pod["status"].get("conditions", [])
    )


def wait(lab: Lab, what: str, true: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Waits for something to become true and returns it."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < end, (
            f"{what}: not within {seconds:.0f} s\n{lab.run('logs', 'node-agent').stdout[-3000:]}"
        )
        time.sleep(0.2)


def wait_ready(lab: Lab) -> dict[str, Any]:
    """The one pod, ready."""
    return wait(lab, "pod ready", lambda: next((pod for pod in pods(lab) if ready(pod)), None))


def replace(lab: Lab) -> dict[str, Any]:
    """Deletes the pod; returns its successor as soon as it exists."""
    old = {pod["metadata"]["uid"] for pod in pods(lab)}
    done = lab.inside(
        "kubectl", "-n", NAMESPACE, "delete", "pods", "-l", f"app={APP}", "--wait=false"
    )
    assert done.returncode == 0, done.stderr
    return wait(
        lab,
        "new pod",
        lambda: next((pod for pod in pods(lab) if pod["metadata"]["uid"] not in old), None),
    )


def mount_failure(lab: Lab, pod: dict[str, Any], words: str) -> str:
    """The text of a FailedMount event of this pod that contains `words`."""

    def look() -> str | None:
        selector = f"involvedObject.uid={pod['metadata']['uid']},reason=FailedMount"
        found = get(lab, f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector=selector)["items"]
        return next((event["message"] for event in found if words in event["message"]), None)

    return wait(lab, f"FailedMount with {words!r}", look)


def predict(lab: Lab, pod: dict[str, Any], text: str) -> list[float]:
    """[negative, positive] from the pod itself."""
    url = f"http://{pod['status']['podIP']}:8501/v1/models/chnsenticorp:predict"
    done = lab.inside("curl", "-sS", "--max-time", "10", url, "-d", json.dumps(request([text])))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["predictions"][0]
