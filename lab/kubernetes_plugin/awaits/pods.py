"""What keeps a pod from being ready, in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.cluster import ApiError, Cluster, Unreachable

START_TROUBLES = ("FailedScheduling", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")


def pod_problems(pod: objects.Object) -> list[str]:
    """Texts about the first of scheduled, initialised and ready that the pod fails; empty if it is fine or says nothing."""
    for condition_type in ("PodScheduled", "Initialized", "Ready"):
        condition = _condition(pod, condition_type)
        if condition is None:
            return []
        if condition.get("status") == "True" or (condition_type == "Ready" and objects.pluck(pod, "status", "phase") == "Succeeded"):
            continue
        if condition_type == "PodScheduled":
            return []
        trouble = container_problems(pod)
        if not trouble and not condition.get("message"):
            return []
        said = condition["message"] if condition.get("reason") and condition.get("message") else ""
        return [f"[Pod {_full_name(pod)}]: {said}{trouble}"]
    return []


def container_problems(pod: objects.Object) -> str:
    """The reasons the containers that are not ready give, one a line."""
    lines: list[str] = []
    for status in objects.pluck(pod, "status", "containerStatuses") or []:
        if not status.get("ready"):
            lines += _waiting(status) + _terminated(status) + _last_termination(status)
    return "\n".join(lines)


def start_problems(cluster: Cluster, pod: objects.Object) -> list[str]:
    """Why a pod whose containers say nothing does not start: its latest warnings about scheduling, volumes and sandbox."""
    if _is_ready(pod) or container_problems(pod):
        return []
    try:
        events = cluster.list("v1", "Event", objects.namespace(pod), f"involvedObject.uid={objects.uid(pod)}")
    except (ApiError, Unreachable):
        return []
    latest: dict[str, str] = {}
    scheduled = (_condition(pod, "PodScheduled") or {}).get("status") == "True"
    for event in sorted(events, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or ""):
        reason = event.get("reason", "")
        if event.get("type") == "Warning" and reason in START_TROUBLES and not (scheduled and reason == "FailedScheduling"):
            latest[reason] = f"[Pod {_full_name(pod)}]: {reason}: {event.get('message', '')}"
    return list(latest.values())


def _is_ready(pod: objects.Object) -> bool:
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def _condition(pod: objects.Object, condition_type: str) -> dict[str, Any] | None:
    conditions = objects.pluck(pod, "status", "conditions") or []
    return next((c for c in conditions if c.get("type") == condition_type), None)


def _waiting(status: dict[str, Any]) -> list[str]:
    waiting = objects.pluck(status, "state", "waiting")
    if waiting is None or waiting.get("reason") == "ContainerCreating":
        return []
    return [f"[{waiting.get('reason', '')}] {_trim(waiting.get('message', ''))}"]


def _terminated(status: dict[str, Any]) -> list[str]:
    ended = objects.pluck(status, "state", "terminated")
    if ended is None or not ended.get("reason"):
        return []
    if ended.get("message"):
        return [f"[{ended['reason']}] {_trim(ended['message'])}"]
    return [f'container "{status.get("name", "")}" completed with exit code {ended.get("exitCode", 0)}']


def _last_termination(status: dict[str, Any]) -> list[str]:
    ended = objects.pluck(status, "lastState", "terminated")
    if ended is None:
        return []
    how = f"{ended.get('reason', '')}: exit code {ended.get('exitCode', 0)}"
    line = f'container "{status.get("name", "")}" terminated at {_instant(ended.get("finishedAt"))} ({how})'
    return [line, ended["message"]] if ended.get("message") else [line]


def _instant(text: str | None) -> str:
    if not text:
        return "0001-01-01T00:00:00Z"
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _trim(message: str) -> str:
    return message.removeprefix("rpc error: code = Unknown desc = Error response from daemon: ").removesuffix(": manifest unknown")


def _full_name(pod: objects.Object) -> str:
    space = objects.namespace(pod)
    return objects.name(pod) if space in ("", "default") else f"{space}/{objects.name(pod)}"
