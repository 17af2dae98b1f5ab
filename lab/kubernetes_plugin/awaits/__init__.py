"""Waiting until an object is of use: what is awaited per kind, and how a wait that fails is told."""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.base import Awaiter, Context
from lab.kubernetes_plugin.awaits.deployment import DeploymentAwaiter
from lab.kubernetes_plugin.awaits.ingress import IngressAwaiter
from lab.kubernetes_plugin.awaits.service import ServiceAwaiter
from lab.kubernetes_plugin.awaits.volumes import ClaimAwaiter, VolumeAwaiter

DEFAULT_SECONDS = 600.0

AWAITERS: dict[tuple[str, str], Callable[[Context], Awaiter]] = {
    ("apps/v1", "Deployment"): DeploymentAwaiter,
    ("v1", "Service"): ServiceAwaiter,
    ("networking.k8s.io/v1", "Ingress"): IngressAwaiter,
    ("v1", "PersistentVolume"): VolumeAwaiter,
    ("v1", "PersistentVolumeClaim"): ClaimAwaiter,
}
READ_KINDS = {("apps/v1", "Deployment"), ("v1", "Service"), ("networking.k8s.io/v1", "Ingress")}
SKIPPABLE_DELETE = {
    ("v1", "Namespace"), ("v1", "Pod"), ("v1", "ReplicationController"), ("apps/v1", "DaemonSet"), ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"), ("batch/v1", "Job"),
}  # fmt: skip


def kind_key(obj: objects.Object) -> tuple[str, str]:
    """(apiVersion, kind)."""
    return objects.api_version(obj), objects.kind(obj)


def limit(inputs: objects.Object, custom: float) -> float:
    """How many seconds a wait may take: the resource option, else the annotation, else ten minutes."""
    if custom:
        return custom
    text = objects.annotation(inputs, objects.TIMEOUT_SECONDS)
    return float(text) if text.lstrip("-").isdigit() else DEFAULT_SECONDS
