"""Container service: tasks run for a while, then do what they are for."""

from __future__ import annotations

import uuid
from typing import Any

from lab.alicloud.clock import iso
from lab.alicloud.protocol import Answer, ApiError, Request
from lab.alicloud.registry import rest
from lab.alicloud.state import Payload, Region, timer
from lab.alicloud.store import Document


def start_task(
    region: Region,
    task_type: str,
    cluster_id: str,
    delay: str = "task",
    then: str = "",
    **payload: Any,
) -> Document:
    """A running task; after the named delay it succeeds, and the timer `then` is called with task,
    cluster and payload.
    """
    task = {
        "task_id": f"T-{uuid.uuid4().hex[:24]}",
        "cluster_id": cluster_id,
        "task_type": task_type,
        "state": "running",
        "created": iso(region.clock.now()),
        "updated": "",
        "events": [],
        "stages": [],
        "target": {},
    }
    region.store.put("task", task["task_id"], task)
    if then:
        region.schedule(
            then,
            region.scenario.delay(delay),
            task_id=task["task_id"],
            cluster_id=cluster_id,
            **payload,
        )
    else:
        region.schedule("task.finish", region.scenario.delay(delay), task_id=task["task_id"])
    return task


def finish_task(region: Region, task_id: str, error: dict[str, str] | None = None) -> None:
    """The task ends well, or with `error` {code, message}."""
    task = region.store.get("task", task_id)
    if task is None or task["state"] != "running":
        return
    task.update(state="fail" if error else "success", updated=iso(region.clock.now()))
    if error:
        task["error"] = error
    region.store.put("task", task_id, task)


@timer("task.finish")
def _finish(region: Region, payload: Payload) -> None:
    finish_task(region, payload["task_id"])


@rest("cs", "GET", "/tasks/{task_id}", "DescribeTaskInfo")
def describe(region: Region, request: Request) -> Answer:
    """A task's state: running, success or fail."""
    task = region.store.get("task", request.vars["task_id"])
    if task is None:
        raise ApiError(404, "ErrorTaskNotFound", f"task {request.vars['task_id']} not found")
    return {**task, "updated": task["updated"] or iso(region.clock.now())}


@rest("cs", "POST", "/tasks/{task_id}/cancel", "CancelTask")
def cancel(region: Region, request: Request) -> Answer:
    """Stop a running task: it counts as failed."""
    describe(region, request)
    finish_task(
        region,
        request.vars["task_id"],
        {"code": "TaskCanceled", "message": "the task was canceled"},
    )
    return {}
