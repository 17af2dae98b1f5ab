"""What an ACK cluster already has when a user arrives: namespaces, ingress class, CSI driver, load
balancer, metrics API.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lab.controlplane import ingress_admission, log_pipelines, rbac
from lab.controlplane.certificates import ADAPTER_SERVICE
from lab.environment import INGRESS_IP
from lab.kube import MERGE, Kube, KubeError

FUSE_NAMESPACE = "ack-csi-fuse"
FUSE_ACCOUNT = "csi-fuse-ossfs"
OSS_DRIVER = "ossplugin.csi.alibabacloud.com"
INGRESS_SERVICE = "nginx-ingress-lb"
METRICS_API = "v1beta1.external.metrics.k8s.io"

Object = tuple[str, dict[str, Any]]


def namespaces() -> list[Object]:
    """Namespaces beyond Kubernetes' own."""
    return [
        (
            f"/api/v1/namespaces/{FUSE_NAMESPACE}",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FUSE_NAMESPACE}},
        )
    ]


def objects() -> list[Object]:
    """Everything that needs no namespace but kube-system and those of `namespaces`."""
    return [
        *rbac.objects(),
        (
            f"/api/v1/namespaces/{FUSE_NAMESPACE}/serviceaccounts/{FUSE_ACCOUNT}",
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": FUSE_ACCOUNT, "namespace": FUSE_NAMESPACE},
            },
        ),
        *(_ingress_class(name) for name in ("nginx", "alb")),
        *ingress_admission.objects(),
        _pipelines(),
        (
            f"/apis/storage.k8s.io/v1/csidrivers/{OSS_DRIVER}",
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "CSIDriver",
                "metadata": {"name": OSS_DRIVER},
                "spec": {
                    "attachRequired": False,
                    "podInfoOnMount": True,
                    "volumeLifecycleModes": ["Persistent"],
                },
            },
        ),
        _service(
            INGRESS_SERVICE,
            {"type": "LoadBalancer", "ports": [_port("http", 80), _port("https", 443)]},
        ),
        _service(
            ADAPTER_SERVICE,
            {"type": "ExternalName", "externalName": "localhost", "ports": [_port("https", 8443)]},
        ),
    ]


def _pipelines() -> Object:
    document = log_pipelines.definition()
    name = document["metadata"]["name"]
    return f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", document


def _ingress_class(name: str) -> Object:
    """Both classes lead to the one ingress controller of the lab, which serves those of this
    controller's name.
    """
    document = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
    }
    return f"/apis/networking.k8s.io/v1/ingressclasses/{name}", {
        **document,
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }


def metrics_api(ca_pem: bytes) -> Object:
    """The aggregated API that the adapter answers; applied once it does, so that it is never seen
    unavailable.
    """
    document = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": METRICS_API},
        "spec": {
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "caBundle": base64.b64encode(ca_pem).decode(),
            "service": {"namespace": "kube-system", "name": ADAPTER_SERVICE, "port": 8443},
        },
    }
    return f"/apis/apiregistration.k8s.io/v1/apiservices/{METRICS_API}", document


async def apply_platform(kube: Kube, timeout: float = 30) -> None:
    """Apply all but the metrics API, as the cluster's administrator. Raises `KubeError` when the
    API server still refuses after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    for path, document in [*namespaces(), *objects()]:
        await _patiently(lambda path=path, document=document: kube.apply(path, document), end)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": INGRESS_IP}]}}}
    path = f"/api/v1/namespaces/kube-system/services/{INGRESS_SERVICE}/status"
    await kube.patch(path, status, MERGE)


async def register_metrics_api(kube: Kube, ca_pem: bytes, timeout: float = 20) -> None:
    """Register the external metrics API and wait until the API server calls it available;
    TimeoutError after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    path, document = metrics_api(ca_pem)
    found = await _patiently(lambda: kube.apply(path, document), end)
    while not _available(found):
        if time.monotonic() > end:
            raise TimeoutError(
                f"{METRICS_API} did not become available within {timeout:.0f} s: {found.get('status')}"
            )
        await asyncio.sleep(0.1)
        found = await kube.get(path)


def _available(document: dict[str, Any]) -> bool:
    conditions = (document.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


async def _patiently(call: Callable[[], Awaitable[Any]], end: float) -> Any:
    """A young API server still makes its own namespaces and roles: until `end` (monotonic seconds),
    what it lacks is asked again.
    """
    while True:
        try:
            return await call()
        except KubeError as error:
            if error.status not in (403, 404, 409, 429, 500, 503) or time.monotonic() > end:
                raise
        await asyncio.sleep(0.1)


def _port(name: str, port: int) -> dict[str, Any]:
    return {"name": name, "port": port, "targetPort": port, "protocol": "TCP"}


def _service(name: str, spec: dict[str, Any]) -> Object:
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": spec,
    }
    return f"/api/v1/namespaces/kube-system/services/{name}", document
