"""Plays what the test cluster has no process for: pods that come up (or don't), Ingresses that get an address."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import Any

import kubernetes.client
import kubernetes.watch
from kubernetes.client.rest import ApiException

PHRASES = {
    "ErrImagePull": 'failed to pull and unpack image "broken:9": not found',
    "ImagePullBackOff": 'Back-off pulling image "broken:9"',
}
BACK_OFF_AFTER_SECONDS = 14  # between the plugin's looks at 10 and 20 s, so that each reason is seen by one of them
NODE = "node-a"


class Kubelet:
    """Reports pods Ready unless their image starts with "broken" (cannot be pulled) or "stuck" (says nothing, like a mount that hangs)."""

    def __init__(self, api: kubernetes.client.ApiClient) -> None:
        self._core, self._networking = kubernetes.client.CoreV1Api(api), kubernetes.client.NetworkingV1Api(api)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._loop, args=(step,), daemon=True) for step in (self._pods, self._ingresses)]
        self._address = 0
        self.give_addresses = True

    def __enter__(self) -> Kubelet:
        with contextlib.suppress(ApiException):  # there already
            self._core.create_node({"metadata": {"name": NODE}})
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _loop(self, step: Any) -> None:
        while not self._stop.wait(0.2):
            with contextlib.suppress(ApiException):  # gone or changed meanwhile: the next round sees it
                step()

    def _pods(self) -> None:
        for pod in self._core.list_pod_for_all_namespaces().items:
            image = pod.spec.containers[0].image
            if not pod.spec.node_name and not pod.metadata.deletion_timestamp:
                binding = {"metadata": {"name": pod.metadata.name}, "target": {"kind": "Node", "name": NODE}}
                self._core.create_namespaced_pod_binding(pod.metadata.name, pod.metadata.namespace, binding, _preload_content=False)
            if pod.metadata.deletion_timestamp:
                self._core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)
            elif image.startswith("broken"):
                self._report(pod, self._broken(pod))
            elif image.startswith("stuck"):
                self._report(pod, self._status(pod, False, {"waiting": {"reason": "ContainerCreating"}}))
            elif not pod.status.pod_ip:
                status = self._status(pod, True, {"running": {"startedAt": _now()}})
                self._report(pod, {**status, "phase": "Running", **self._new_address()})

    def _broken(self, pod: Any) -> dict[str, Any]:
        age = (dt.datetime.now(dt.UTC) - pod.metadata.creation_timestamp).total_seconds()
        reason = "ImagePullBackOff" if age >= BACK_OFF_AFTER_SECONDS else "ErrImagePull"
        status = self._status(pod, False, {"waiting": {"reason": reason, "message": PHRASES[reason]}})
        return status if pod.status.pod_ip else {**status, **self._new_address()}

    def _new_address(self) -> dict[str, Any]:
        self._address += 1
        ip = f"10.244.0.{self._address % 250 + 1}"
        return {"podIP": ip, "podIPs": [{"ip": ip}]}

    def _status(self, pod: Any, ready: bool, state: dict[str, Any]) -> dict[str, Any]:
        word = "True" if ready else "False"
        names = [container.name for container in pod.spec.containers]
        unready = {} if ready else {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(names)}]"}
        conditions = [{"type": t, "status": "True"} for t in ("PodScheduled", "Initialized")]
        conditions += [{"type": t, "status": word, **unready} for t in ("ContainersReady", "Ready")]
        image = pod.spec.containers[0].image
        statuses = [{"name": n, "ready": ready, "restartCount": 0, "image": image, "imageID": "", "state": state} for n in names]
        return {"phase": "Pending", "conditions": conditions, "containerStatuses": statuses}

    def _report(self, pod: Any, status: dict[str, Any]) -> None:
        before = [(s.state.waiting.reason if s.state and s.state.waiting else "") for s in pod.status.container_statuses or []]
        after = [s["state"].get("waiting", {}).get("reason", "") for s in status["containerStatuses"]]
        if before != after:
            self._core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": status})

    def _ingresses(self) -> None:
        for ingress in self._networking.list_ingress_for_all_namespaces().items:
            balancer = ingress.status.load_balancer if ingress.status else None
            if self.give_addresses and not (balancer and balancer.ingress):
                body = {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.80"}]}}}
                self._networking.patch_namespaced_ingress_status(ingress.metadata.name, ingress.metadata.namespace, body)


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
