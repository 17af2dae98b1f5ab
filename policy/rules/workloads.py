"""Pods, and what scales them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.resources import UNKNOWN, Deployment, Resource, dig, is_known, listed, mapping
from policy.rule import ADVISORY, Finding, Rule
from policy.stacks import Stack

ROUTE = "sls.ingress.route"
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class PodSpec:
    """A specification of pods, wherever it stands in an object."""

    spec: Mapping[str, Any]
    labels: Mapping[str, Any]
    """Labels of the pods."""

    def containers(self) -> Iterator[Mapping[str, Any]]:
        """Every container, the initial and the ephemeral ones among them."""
        for key in CONTAINERS:
            yield from (one for one in listed(self.spec.get(key)) if isinstance(one, Mapping))


def pod_specs(resource: Resource) -> Iterator[PodSpec]:
    """Every specification of pods in a Kubernetes object: whatever has containers, so that a new
    kind, an old API version or a custom resource is none that nobody looks at.
    """
    if resource.kind.startswith("kubernetes:") and not resource.object_kind.endswith("List"):
        yield from _pod_specs(resource.inputs, {})


def _pod_specs(value: Any, labels: Mapping[str, Any]) -> Iterator[PodSpec]:
    if isinstance(value, Mapping):
        own = mapping(dig(value, "metadata", "labels"))
        if any(isinstance(value.get(key), list) for key in CONTAINERS):
            yield PodSpec(value, labels)
        for inner in value.values():
            yield from _pod_specs(inner, own)
    elif isinstance(value, list):
        for inner in value:
            yield from _pod_specs(inner, {})


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Every container of a workload."""
    for pods in pod_specs(resource):
        yield from pods.containers()


def fixed_image(resource: Resource, stack: Stack) -> Iterator[str]:
    """Images that mean something else tomorrow."""
    for container in containers(resource):
        image = container.get("image")
        if not isinstance(image, str) or image == UNKNOWN or "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            said = "the tag latest" if tag else "no tag"
            yield f"container {container.get('name')}: its image has {said}: a restart may bring another version; name a tag or a digest"


def by_digest(resource: Resource, stack: Stack) -> Iterator[str]:
    """Images of a protected stack that whoever can push to the registry may exchange."""
    if not stack.protected:
        return
    for container in containers(resource):
        image = container.get("image")
        if isinstance(image, str) and image != UNKNOWN and not BY_DIGEST.search(image):
            yield (
                f"container {container.get('name')}: {image} is a tag, which whoever can push to the registry gives to another image; "
                f"name it by digest: make images STACK={stack.name}"
            )


def bounded(resource: Resource, stack: Stack) -> Iterator[str]:
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


def hardened(resource: Resource, stack: Stack) -> Iterator[str]:
    """Containers that could become root."""
    for pods in pod_specs(resource):
        for container in pods.containers():
            own = container.get("securityContext")
            if dig(own, "allowPrivilegeEscalation") is not False or True not in (
                dig(own, "runAsNonRoot"),
                dig(pods.spec, "securityContext", "runAsNonRoot"),
            ):
                yield f"container {container.get('name')}: set allowPrivilegeEscalation to false and runAsNonRoot to true"


def confined(resource: Resource, stack: Stack) -> Iterator[str]:
    """Pods that reach their node: its network, processes, files or kernel."""
    for pods in pod_specs(resource):
        for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            if pods.spec.get(key) is True:
                yield f"{key} is on: a pod that is broken into sees what is beside it on the node; remove it"
        for volume in listed(pods.spec.get("volumes")):
            if isinstance(volume, Mapping) and "hostPath" in volume:
                yield f"volume {volume.get('name')} is a hostPath: the pod writes to the node's files, and so becomes root there; use another volume"
        yield from _unconfined("the pods", pods.spec.get("securityContext"))
        for container in pods.containers():
            who = f"container {container.get('name')}"
            yield from _unconfined(who, container.get("securityContext"))
            if any(dig(port, "hostPort") for port in listed(container.get("ports"))):
                yield f"{who}: hostPort opens a port of the node, past every network policy; remove it"
    if resource.object_kind == "PersistentVolume":
        for key in ("hostPath", "local"):
            if resource.at("spec", key) is not None:
                yield f"the volume is a directory of a node (spec.{key}): pods that mount it reach the node's files; use a CSI volume"


def _unconfined(who: str, context: Any) -> Iterator[str]:
    """What a securityContext takes away from the confinement of a container."""
    if dig(context, "privileged") is True:
        yield f"{who}: privileged is on: it is root on the node; remove it"
    if dig(context, "allowPrivilegeEscalation") is True:
        yield f"{who}: allowPrivilegeEscalation is on: a program in it may become root; set it to false"
    if dig(context, "runAsNonRoot") is False or dig(context, "runAsUser") in (0, "0"):
        yield f"{who}: runs as root; set runAsNonRoot to true and another runAsUser"
    added = [str(one) for one in listed(dig(context, "capabilities", "add"))]
    if set(added) - {"NET_BIND_SERVICE"}:
        yield f"{who}: adds the capabilities {', '.join(added)}: each is a part of root; remove them"
    if dig(context, "procMount") not in (None, "Default", UNKNOWN):
        yield f"{who}: procMount is not Default: the kernel's files are open to it; remove it"
    for profile in ("seccompProfile", "appArmorProfile"):
        if dig(context, profile, "type") == "Unconfined":
            yield f"{who}: {profile} is Unconfined: every system call is open to it; use RuntimeDefault"


def no_replicas(deployment: Deployment) -> Iterator[Finding]:
    """Workloads with a number of pods that an HPA owns."""
    for hpa in deployment.objects("HorizontalPodAutoscaler"):
        target = hpa.at("spec", "scaleTargetRef")
        for workload in deployment.objects(str(dig(target, "kind"))):
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
        for service in deployment.objects("Service")
        for port in listed(service.at("spec", "ports"))
        if isinstance(port, Mapping)
    }
    for hpa in deployment.objects("HorizontalPodAutoscaler"):
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
        "images-have-a-digest",
        "Every image of a protected stack is named by its digest.",
        each=by_digest,
    ),
    Rule(
        "containers-are-bounded",
        "Every container requests CPU and memory and has a memory limit.",
        each=bounded,
    ),
    Rule("containers-are-hardened", "No container can become root.", each=hardened, level=ADVISORY),
    Rule(
        "pods-are-confined",
        "No pod reaches its node: no privileges, host network, host files or unfiltered system calls.",
        each=confined,
    ),
    Rule(
        "no-replicas-under-hpa", "Who is scaled by an HPA has no number of pods.", whole=no_replicas
    ),
    Rule(
        "route-label-is-valid",
        "The route an HPA scales by is a label value, and that of a Service here.",
        whole=route_label,
    ),
)
