"""What a pod's status says, computed from what its containers do (pure functions)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.kubelet.nodes import now

Object = dict[str, Any]


@dataclass
class ContainerState:
    """What is known about one container; `state` and `last` are Kubernetes' one-key maps."""

    name: str
    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Object = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    started: bool = False
    restarts: int = 0
    resources: Object = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """Of a terminated container."""
        return self.state.get("terminated", {}).get("exitCode")


def waiting(reason: str, message: str = "") -> Object:
    """The state of a container that waits, with reason and message."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(
    exit_code: int, started: str, container_id: str, reason: str = "", message: str = ""
) -> Object:
    """A terminated state; the reason follows from the exit code unless given."""
    result = {
        "exitCode": exit_code,
        "reason": reason or ("Completed" if exit_code == 0 else "Error"),
        "startedAt": started,
        "finishedAt": now(),
        "containerID": container_id,
    }
    return {"terminated": {**result, **({"message": message} if message else {})}}


def exit_code_of(returncode: int) -> int:
    """A shell's exit code of a process: 128 + signal when a signal ended it."""
    return 128 - returncode if returncode < 0 else returncode


def container_status(container: ContainerState) -> Object:
    """One entry of containerStatuses."""
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image_id,
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last,
        **({"containerID": container.container_id} if container.container_id else {}),
        **({"resources": container.resources} if container.running and container.resources else {}),
    }


def _condition(
    kind: str, good: bool, old: list[Object], generation: int, reason: str = "", message: str = ""
) -> Object:
    """A pod condition that keeps its transition time while its status stays."""
    status = "True" if good else "False"
    before = next((item for item in old if item["type"] == kind), {})
    since = (
        before["lastTransitionTime"]
        if before.get("status") == status and before.get("lastTransitionTime")
        else now()
    )
    result: Object = {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }
    return {**result, "reason": reason or None, "message": message or None}


def phase(
    restart_policy: str, init: list[ContainerState], main: list[ContainerState], initialized: bool
) -> str:
    """Pending until every init container is done and a container ran; then Running, Succeeded or
    Failed.
    """
    if not initialized:
        failed = any(c.exit_code not in (None, 0) for c in init)
        return "Failed" if failed and restart_policy == "Never" else "Pending"
    done = [c for c in main if c.exit_code is not None]
    if len(done) == len(main) and restart_policy != "Always":
        if all(c.exit_code == 0 for c in done):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    begun = [c for c in main if c.running or c.exit_code is not None or c.last]
    return "Running" if len(begun) == len(main) else "Pending"


def pod_status(pod: Object, init: list[ContainerState], main: list[ContainerState], *, host_ip: str, pod_ip: str, start_time: str,
               initialized: bool, sandbox: bool, previous: list[Object]) -> Object:  # fmt: skip
    """The body of a status patch (strategic merge: conditions by type, addresses replaced)."""
    spec = pod["spec"]
    policy = spec.get("restartPolicy") or "Always"
    current = phase(policy, init, main, initialized)
    generation = pod["metadata"].get("generation") or 1
    ended = current in ("Succeeded", "Failed")
    unready = [c.name for c in main if not c.ready]
    reason, message = (
        ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        if unready
        else ("", "")
    )
    if ended:
        reason, message = ("PodCompleted", "") if current == "Succeeded" else ("PodFailed", "")
    gates = {gate["conditionType"] for gate in spec.get("readinessGates") or []}
    passed = {item["type"] for item in previous if item.get("status") == "True"}
    missing = sorted(gates - passed)
    gate_reason = (
        (
            "ReadinessGatesNotReady",
            f'corresponding condition of pod readiness gate "{missing[0]}" does not exist.',
        )
        if missing
        else ("", "")
    )
    not_init = [c.name for c in init if c.exit_code != 0]
    init_reason = (
        ("", "")
        if initialized
        else (
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(not_init)}]",
        )
    )
    ready = not unready and not ended
    body: Object = {
        "phase": current,
        "observedGeneration": generation,
        "hostIP": host_ip,
        "hostIPs": [{"$patch": "replace"}, {"ip": host_ip}],
        "startTime": start_time,
        "qosClass": qos(spec),
        "conditions": [
            _condition("PodReadyToStartContainers", sandbox and not ended, previous, generation),
            _condition("Initialized", initialized, previous, generation, *init_reason),
            _condition(
                "Ready",
                ready and not missing,
                previous,
                generation,
                *((reason, message) if not ready else gate_reason),
            ),
            _condition("ContainersReady", ready, previous, generation, reason, message),
        ],
        "containerStatuses": [container_status(c) for c in main],
    }
    if init:
        body["initContainerStatuses"] = [container_status(c) for c in init]
    if pod_ip:
        body |= {"podIP": pod_ip, "podIPs": [{"$patch": "replace"}, {"ip": pod_ip}]}
    return {"status": body, "metadata": {"uid": pod["metadata"]["uid"]}}


def overwritten(sent: Object, conditions: list[Object]) -> bool:
    """Whether a condition is not as last sent: the controllers take pods of a late node for
    unready, and leave the rest to its kubelet.
    """
    said = {item["type"]: item["status"] for item in sent.get("status", {}).get("conditions", [])}
    return any(said.get(item["type"], item["status"]) != item["status"] for item in conditions)


def qos(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from CPU and memory of all containers."""
    requests, limits, complete = set(), set(), True
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        given = container.get("resources") or {}
        own_limits = {
            key: value
            for key, value in (given.get("limits") or {}).items()
            if key in ("cpu", "memory")
        }
        own_requests = {
            **own_limits,
            **{k: v for k, v in (given.get("requests") or {}).items() if k in ("cpu", "memory")},
        }
        requests |= set(own_requests)
        limits |= set(own_limits)
        complete = complete and len(own_limits) == 2 and own_limits == own_requests
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if complete else "Burstable"
