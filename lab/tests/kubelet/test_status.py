"""Pod status from container states."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kubelet.status import (
    ContainerState,
    exit_code_of,
    phase,
    pod_status,
    qos,
    terminated,
    waiting,
)

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
DONE, FAILED = terminated(0, "t", "id"), terminated(3, "t", "id")
POD: dict[str, Any] = {
    "metadata": {"uid": "u", "generation": 2},
    "spec": {"containers": [{"name": "a"}]},
}


def container(
    state: dict[str, Any], ready: bool = False, last: dict[str, Any] | None = None
) -> ContainerState:
    return ContainerState("a", "img", state=state, ready=ready, last=last or {})


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", [RUNNING], "Running"),
        ("Always", [waiting("ContainerCreating")], "Pending"),
        ("Always", [RUNNING, waiting("ImagePullBackOff")], "Pending"),
        ("Always", [FAILED], "Running"),
        ("Always", [DONE], "Running"),
        ("OnFailure", [DONE, DONE], "Succeeded"),
        ("OnFailure", [DONE, FAILED], "Running"),
        ("Never", [DONE, FAILED], "Failed"),
        ("Never", [DONE, RUNNING], "Running"),
        ("Never", [DONE], "Succeeded"),
    ],
)
def test_the_phase_follows_from_states_and_restart_policy(
    policy: str, states: list[dict[str, Any]], expected: str
) -> None:
    assert phase(policy, [], [container(state) for state in states], initialized=True) == expected


def test_a_container_in_crash_loop_counts_as_having_run() -> None:
    assert (
        phase("Always", [], [container(waiting("CrashLoopBackOff"), last=FAILED)], initialized=True)
        == "Running"
    )


def test_an_init_container_that_failed_for_good_fails_the_pod() -> None:
    assert (
        phase(
            "Never", [container(FAILED)], [container(waiting("PodInitializing"))], initialized=False
        )
        == "Failed"
    )
    assert (
        phase(
            "Always",
            [container(FAILED)],
            [container(waiting("PodInitializing"))],
            initialized=False,
        )
        == "Pending"
    )


def status(
    *states: ContainerState,
    previous: list[dict[str, Any]] | None = None,
    pod: dict[str, Any] = POD,
    **changes: Any,
) -> dict[str, Any]:
    given = {
        "host_ip": "10.0.0.1",
        "pod_ip": "10.244.0.2",
        "start_time": "t",
        "initialized": True,
        "sandbox": True,
        **changes,
    }
    return pod_status(pod, [], list(states), previous=previous or [], **given)["status"]


def conditions(body: dict[str, Any]) -> dict[str, tuple[str, str | None, str | None]]:
    return {
        item["type"]: (item["status"], item["reason"], item["message"])
        for item in body["conditions"]
    }


def test_an_unready_container_is_named_in_both_conditions() -> None:
    found = conditions(status(container(RUNNING)))
    expected = ("False", "ContainersNotReady", "containers with unready status: [a]")
    assert (found["Ready"], found["ContainersReady"]) == (expected, expected)
    assert found["Initialized"][0] == "True"


def test_a_ready_pod_says_so_and_keeps_its_transition_time() -> None:
    ready = container(RUNNING, ready=True)
    first = status(
        ready,
        previous=[
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ],
    )
    assert conditions(first)["Ready"] == ("True", None, None)
    assert (
        next(item for item in first["conditions"] if item["type"] == "Ready")["lastTransitionTime"]
        == "2026-01-01T00:00:00Z"
    )


def test_a_readiness_gate_holds_the_pod_back_until_its_condition_is_true() -> None:
    pod = {**POD, "spec": {**POD["spec"], "readinessGates": [{"conditionType": "x/y"}]}}
    ready = container(RUNNING, ready=True)
    assert conditions(status(ready, pod=pod))["Ready"][:2] == ("False", "ReadinessGatesNotReady")
    assert conditions(status(ready, pod=pod))["ContainersReady"][0] == "True"
    assert (
        conditions(status(ready, pod=pod, previous=[{"type": "x/y", "status": "True"}]))["Ready"][0]
        == "True"
    )


def test_addresses_are_replaced_not_merged() -> None:
    body = status(container(RUNNING))
    assert body["podIPs"] == [{"$patch": "replace"}, {"ip": "10.244.0.2"}]
    assert "podIP" not in status(container(RUNNING), pod_ip="")


def test_a_finished_pod_is_not_ready_because_it_completed() -> None:
    pod = {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}
    body = status(container(DONE), pod=pod)
    assert (body["phase"], conditions(body)["Ready"][:2]) == (
        "Succeeded",
        ("False", "PodCompleted"),
    )


@pytest.mark.parametrize(("returncode", "code"), [(0, 0), (3, 3), (-9, 137), (-15, 143)])
def test_a_signal_becomes_a_shells_exit_code(returncode: int, code: int) -> None:
    assert exit_code_of(returncode) == code


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"limits": {"nvidia.com/gpu": 1}}, "BestEffort"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service_follows_from_cpu_and_memory(
    resources: dict[str, Any], expected: str
) -> None:
    assert qos({"containers": [{"name": "a", "resources": resources}]}) == expected
