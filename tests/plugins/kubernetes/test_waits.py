"""What is waited for, what is said meanwhile, and how a wait that fails is told."""

from __future__ import annotations

import threading
import time

import kubernetes.client
import pytest

from tests.plugins.kubernetes import recorded
from tests.plugins.kubernetes.differences import differs
from tests.plugins.kubernetes.kubelet import Kubelet
from tests.plugins.kubernetes.process import InitFailed, Plugin, urn
from tests.plugins.kubernetes.test_operations import DEPLOYMENT, deployment
from tests.plugins.toolchain.engine import wait_until

SERVICE = urn("kubernetes:core/v1:Service", "bert")
INGRESS = urn("kubernetes:networking.k8s.io/v1:Ingress", "entry")
CLAIM = urn("kubernetes:core/v1:PersistentVolumeClaim", "claim")


def awaited(namespace: str, image: str) -> dict:
    """A Deployment that is waited for."""
    inputs = deployment(namespace, image)
    del inputs["metadata"]["annotations"]
    return inputs


def service(namespace: str, **spec: object) -> dict:
    """A Service's inputs."""
    spec = {"ports": [{"port": 80}], "selector": {"app": "a"}, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bert", "namespace": namespace}, "spec": spec}


def claim(namespace: str, **spec: object) -> dict:
    """A claim's inputs."""
    spec = {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "", **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim", "namespace": namespace}, "spec": spec}


def ingress(namespace: str, backend: str = "bert") -> dict:
    """An Ingress's inputs."""
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": 80}}}}
    rules = [{"host": "h.example.com", "http": {"paths": [path]}}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "entry", "namespace": namespace},
            "spec": {"rules": rules}}  # fmt: skip


def failure(plugin: Plugin, about: str, inputs: dict, timeout: float) -> InitFailed:
    """Create what will not become ready."""
    with pytest.raises(InitFailed) as caught:
        plugin.create(about, inputs, timeout=timeout)
    return caught.value


def pod_event(api: kubernetes.client.ApiClient, namespace: str, reason: str, message: str) -> None:
    """Report an event about the namespace's first pod, once there is one."""
    core = kubernetes.client.CoreV1Api(api)
    pods = wait_until(lambda: core.list_namespaced_pod(namespace).items, "no pod")
    about = {"apiVersion": "v1", "kind": "Pod", "name": pods[0].metadata.name, "namespace": namespace, "uid": pods[0].metadata.uid}
    now = "2026-01-01T00:00:00Z"
    core.create_namespaced_event(
        namespace,
        {"metadata": {"generateName": "e"}, "involvedObject": about, "reason": reason, "message": message, "type": "Warning",
         "firstTimestamp": now, "lastTimestamp": now, "source": {"component": "kubelet"}},
    )  # fmt: skip


def test_an_update_that_does_not_come_up_keeps_the_old_pods_and_says_so(plugin: Plugin, kubelet: Kubelet, namespace: str) -> None:
    _, state = plugin.create(DEPLOYMENT, awaited(namespace, "fine:1"))
    with pytest.raises(InitFailed) as caught:
        plugin.update(DEPLOYMENT, state, awaited(namespace, "broken:9"), timeout=6)
    first = f'the Kubernetes API server reported that "{namespace}/server" failed to fully initialize or become live: '
    assert caught.value.reasons[:2] == [
        first + "'server' timed out waiting to be Ready",
        "Minimum number of Pods to consider the application live was not attained",
    ]
    assert caught.value.state["status"]["availableReplicas"] == 1
    healed = plugin.update(DEPLOYMENT, state, awaited(namespace, "fine:2"), timeout=60)
    assert healed["status"]["updatedReplicas"] == 1


@differs("start-problems")
def test_a_mount_that_fails_is_told_in_the_error_and_as_a_warning(
    plugin: Plugin, kubelet: Kubelet, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    words = 'MountVolume.SetUp failed for volume "models": AccessDenied'
    teller = threading.Thread(target=pod_event, args=(api, namespace, "FailedMount", words))
    teller.start()
    error = failure(plugin, DEPLOYMENT, awaited(namespace, "stuck:1"), 12)
    teller.join()
    assert error.reasons[-1].endswith(f": FailedMount: {words}") and error.reasons[-1].startswith(f"[Pod {namespace}/server-")
    assert error.reasons[-2].endswith("containers with unready status: [serving]")
    assert any(words in text for text in plugin.engine.texts(DEPLOYMENT, "warning"))


def test_a_pod_that_cannot_be_scheduled_is_told(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    words = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    teller = threading.Thread(target=pod_event, args=(api, namespace, "FailedScheduling", words))
    teller.start()
    error = failure(plugin, DEPLOYMENT, awaited(namespace, "fine:1"), 12)
    teller.join()
    assert error.reasons[-1].endswith(f": FailedScheduling: {words}")


@differs("unchanged-pod-errors")
def test_a_pod_error_that_was_there_before_the_wait_is_told(
    plugin: Plugin, kubelet: Kubelet, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    _, state = plugin.create(DEPLOYMENT, deployment(namespace, "broken:9"))
    core = kubernetes.client.CoreV1Api(api)
    wait_until(lambda: any(p.status.container_statuses for p in core.list_namespaced_pod(namespace).items), "no container status")
    with pytest.raises(InitFailed) as caught:
        plugin.update(DEPLOYMENT, state, awaited(namespace, "broken:9"), timeout=8)
    assert "containers with unready status: [serving][" in caught.value.reasons[-1]


def _pending(core: kubernetes.client.CoreV1Api, namespace: str) -> bool:
    return any(s.not_ready_addresses for e in core.list_namespaced_endpoints(namespace).items for s in e.subsets or [])


def test_a_cancelled_service_is_kept_with_the_recorded_reasons(
    plugin: Plugin, kubelet: Kubelet, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    recording = recorded.load("broken-image.json")
    wanted = next(r for r in recording["resources"] if r["inputs"]["kind"] == "Service")
    plugin.create(DEPLOYMENT, deployment(namespace, "broken:9"))
    inputs = service(namespace)

    def give_up() -> None:
        plugin.engine.wait_for(SERVICE, "[1/3]")
        core = kubernetes.client.CoreV1Api(api)
        wait_until(lambda: _pending(core, namespace), "no pod is counted as not ready")
        time.sleep(3)  # for the plugin to have seen the same
        plugin.cancel()

    helper = threading.Thread(target=give_up)
    helper.start()
    error = failure(plugin, SERVICE, inputs, 60)
    helper.join()
    assert error.reasons == wanted["initErrors"]
    assert error.id == f"{namespace}/bert" and error.state["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName", "externalName": "x.example.com"}, {"selector": {}}])
def test_a_service_that_leads_to_no_pods_by_design_is_ready_at_once(plugin: Plugin, namespace: str, spec: dict) -> None:
    begun = time.monotonic()
    plugin.create(SERVICE, service(namespace, **spec))
    assert time.monotonic() - begun < 15


def test_a_load_balancer_without_an_address_is_told(plugin: Plugin, namespace: str) -> None:
    error = failure(plugin, SERVICE, service(namespace, type="LoadBalancer"), 2)
    assert error.reasons[-1] == "Service was not allocated an IP address; does your cloud provider support this?"


def test_an_ingress_nobody_serves_is_told(plugin: Plugin, namespace: str) -> None:
    plugin.create(SERVICE, service(namespace, clusterIP="None"))
    error = failure(plugin, INGRESS, ingress(namespace), 8)
    assert error.reasons[1].startswith("Ingress .status.loadBalancer field was not updated with a hostname/IP address.")
    assert "[2/3] Waiting for update of .status.loadBalancer with hostname/IP" in plugin.engine.texts(INGRESS)


def test_an_ingress_to_a_service_that_does_not_exist_is_told(plugin: Plugin, kubelet: Kubelet, namespace: str) -> None:
    error = failure(plugin, INGRESS, ingress(namespace, "nosuch"), 8)
    assert error.reasons[1:] == ["Ingress has at least one rule with an unavailable target endpoint."]


def test_a_claim_is_bound_to_its_volume_and_warns_of_its_class_as_recorded(plugin: Plugin, namespace: str) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "csi": {"driver": "d", "volumeHandle": namespace}}
    about = urn("kubernetes:core/v1:PersistentVolume", "pv")
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}, "spec": spec}
    volume_id, volume_state = plugin.create(about, volume)
    claim_id, state = plugin.create(CLAIM, claim(namespace, volumeName=namespace))
    assert state["status"]["phase"] == "Bound"
    assert plugin.engine.texts(CLAIM, "warning") == ['no storage class found for "claim"']
    plugin.delete(CLAIM, claim_id, state)
    plugin.delete(about, volume_id, volume_state)


def test_a_claim_that_binds_late_only_has_to_be_pending(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    body = {"metadata": {"name": namespace}, "provisioner": "p.example.com", "volumeBindingMode": "WaitForFirstConsumer"}
    storage = kubernetes.client.StorageV1Api(api)
    storage.create_storage_class(body)
    assert plugin.create(CLAIM, claim(namespace, storageClassName=namespace))[1]["status"]["phase"] == "Pending"
    storage.delete_storage_class(namespace)


def test_a_cancelled_claim_is_kept(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    def give_up() -> None:
        core = kubernetes.client.CoreV1Api(api)
        wait_until(lambda: core.list_namespaced_persistent_volume_claim(namespace).items, "no claim")
        time.sleep(1.5)  # for the plugin to be waiting
        plugin.cancel()

    threading.Thread(target=give_up).start()
    error = failure(plugin, CLAIM, claim(namespace, volumeName="nosuch"), 60)
    assert error.reasons[0].endswith("Resource operation was cancelled for 'claim'") and error.id == f"{namespace}/claim"


@pytest.mark.parametrize("how", ["annotation", "option"])
def test_the_limit_comes_from_the_option_or_the_annotation(plugin: Plugin, namespace: str, how: str) -> None:
    inputs = awaited(namespace, "fine:1")
    if how == "annotation":
        inputs["metadata"]["annotations"] = {"pulumi.com/timeoutSeconds": "2"}
    begun = time.monotonic()
    failure(plugin, DEPLOYMENT, inputs, 2 if how == "option" else 0)
    assert 1.9 < time.monotonic() - begun < 20


def test_skipping_the_wait_is_said(plugin: Plugin, namespace: str) -> None:
    plugin.create(DEPLOYMENT, deployment(namespace))
    assert plugin.engine.texts(DEPLOYMENT) == ["Skipping await logic"]


def test_refresh_of_what_is_not_ready_keeps_it_with_its_errors(plugin: Plugin, namespace: str) -> None:
    inputs = awaited(namespace, "fine:1")
    error = failure(plugin, DEPLOYMENT, inputs, 1)
    with pytest.raises(InitFailed, match="Resource 'server' was created but failed to initialize") as caught:
        plugin.read(DEPLOYMENT, error.id, error.state, inputs)
    assert caught.value.inputs == inputs and caught.value.state["metadata"]["name"] == "server"
    assert "Minimum number of live Pods was not attained" in caught.value.reasons


@differs("other-waits")
def test_kinds_beyond_the_five_are_not_waited_for(plugin: Plugin, namespace: str) -> None:
    about = urn("kubernetes:apps/v1:StatefulSet", "s")
    inputs = {**awaited(namespace, "fine:1"), "kind": "StatefulSet"}
    inputs["spec"]["serviceName"] = "s"
    begun = time.monotonic()
    plugin.create(about, inputs, timeout=30)
    assert time.monotonic() - begun < 15


@differs("wait-for")
def test_own_conditions_are_not_known_and_that_is_said(plugin: Plugin, namespace: str) -> None:
    about = urn("kubernetes:core/v1:ConfigMap", "c")
    metadata = {"name": "c", "namespace": namespace, "annotations": {"pulumi.com/waitFor": "jsonpath={.data.a}=1"}}
    plugin.create(about, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert any("does not know pulumi.com/waitFor" in text for text in plugin.engine.texts(about, "warning"))
