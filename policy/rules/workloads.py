"""Pods, and what scales them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.resources import UNKNOWN, Deployment, Resource, dig, is_known, listed
from policy.rule import ADVISORY, Finding, Rule

HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SERVICE = "kubernetes:core/v1:Service"
SCALED = {
    "Deployment": "kubernetes:apps/v1:Deployment",
    "StatefulSet": "kubernetes:apps/v1:StatefulSet",
}
POD_PLACES = {
    "kubernetes:core/v1:Pod": ("spec",),
    "kubernetes:batch/v1:CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **{f"kubernetes:{kind}": ("spec", "template", "spec") for kind in (
        "apps/v1:Deployment", "apps/v1:StatefulSet", "apps/v1:DaemonSet", "apps/v1:ReplicaSet", "batch/v1:Job")},
}  # fmt: skip
"""Where each kind keeps its pods' specification."""
ROUTE = "sls.ingress.route"
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Every container of a workload, the initial ones among them."""
    place = POD_PLACES.get(resource.kind)
    if place:
        spec = resource.at(*place)
        for key in ("initContainers", "containers"):
            yield from (one for one in listed(dig(spec, key)) if isinstance(one, Mapping))


def fixed_image(resource: Resource, stack: str) -> Iterator[str]:
    """Images that mean something else tomorrow."""
    for container in containers(resource):
        image = container.get("image")
        if not isinstance(image, str) or image == UNKNOWN or "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            said = "the tag latest" if tag else "no tag"
            yield f"container {container.get('name')}: its image has {said}: a restart may bring another version; name a tag or a digest"


def bounded(resource: Resource, stack: str) -> Iterator[str]:
    """Containers that the scheduler can't place or the kernel can't stop."""
    for container in containers(resource):
        asked, limits = (
            dig(container, "resources", "requests"),
            dig(container, "resources", "limits"),
        )
        wanted = {
            "requests.cpu": dig(asked, "cpu"),
            "requests.memory": dig(asked, "memory"),
            "limits.memory": dig(limits, "memory"),
        }
        missing = [name for name, value in wanted.items() if value is None]
        if missing:
            yield f"container {container.get('name')}: no {', '.join(missing)}: nodes are ordered by requests, and one pod can starve all"


def hardened(resource: Resource, stack: str) -> Iterator[str]:
    """Containers that could become root."""
    spec = resource.at(*POD_PLACES.get(resource.kind, ("",)))
    for container in containers(resource):
        own, pods = container.get("securityContext"), dig(spec, "securityContext")
        if dig(own, "allowPrivilegeEscalation") is not False or True not in (
            dig(own, "runAsNonRoot"),
            dig(pods, "runAsNonRoot"),
        ):
            yield f"container {container.get('name')}: set allowPrivilegeEscalation to false and runAsNonRoot to true"


def no_replicas(deployment: Deployment) -> Iterator[Finding]:
    """Workloads with a number of pods that an HPA owns."""
    for hpa in deployment.of(HPA):
        target = hpa.at("spec", "scaleTargetRef")
        for workload in deployment.of(SCALED.get(str(dig(target, "kind")), "")):
            if (
                _place(workload) == (hpa.at("metadata", "namespace"), dig(target, "name"))
                and workload.at("spec", "replicas") is not None
            ):
                yield (
                    workload,
                    f"spec.replicas under the HPA {hpa.name}: each deployment would undo what load has ordered; leave it out",
                )


def route_label(deployment: Deployment) -> Iterator[Finding]:
    """Autoscalers whose metric is that of no Service: they would always read 0, or nothing."""
    routes = {
        f"{service.at('metadata', 'namespace')}-{service.at('metadata', 'name')}-{port.get('port')}"
        for service in deployment.of(SERVICE)
        for port in listed(service.at("spec", "ports"))
        if isinstance(port, Mapping)
    }
    for hpa in deployment.of(HPA):
        for metric in listed(hpa.at("spec", "metrics")):
            route = dig(metric, "external", "metric", "selector", "matchLabels", ROUTE)
            if not is_known(route):
                continue
            if not isinstance(route, str) or not LABEL.fullmatch(route):
                yield (
                    hpa,
                    f"{ROUTE} is no label value (at most 63 letters, digits, -, . and _): shorten server.name or namespace",
                )
            elif routes and route not in routes:
                yield (
                    hpa,
                    f"{ROUTE} is {route}: no Service and port of this stack has it; expected <namespace>-<service>-<port>",
                )


def _place(resource: Resource) -> tuple[Any, Any]:
    return resource.at("metadata", "namespace"), resource.at("metadata", "name")


RULES = (
    Rule(
        "no-latest-image", "Every image has a tag that isn't latest, or a digest.", each=fixed_image
    ),
    Rule(
        "containers-are-bounded",
        "Every container requests CPU and memory and has a memory limit.",
        each=bounded,
    ),
    Rule("containers-are-hardened", "No container can become root.", each=hardened, level=ADVISORY),
    Rule(
        "no-replicas-under-hpa", "Who is scaled by an HPA has no number of pods.", whole=no_replicas
    ),
    Rule(
        "route-label-is-valid",
        "The route an HPA scales by is a label value, and that of a Service here.",
        whole=route_label,
    ),
)
