"""What the handler can do to the cluster: every action idempotent, on one object, refused by the
server when the object is another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .kube import Api, ApiError
from .log import log_event
from .model import CORDONED, DELETION_COST, DETACHED, HASH, OLD_HASH, Config, Node, Object, Pod

GONE, CONFLICT, REFUSED = 404, 409, 429
AGAIN, RETRY = 2.0, 0.5


@dataclass(frozen=True)
class Cordon:
    """Let no new pod come to a node (cordon)."""

    node: Node
    why: str


@dataclass(frozen=True)
class Uncordon:
    """Take that back."""

    node: Node
    why: str


@dataclass(frozen=True)
class Detach:
    """Take a pod off its ReplicaSet: the ReplicaSet makes another one at once, and this one goes on
    serving.
    """

    pod: Pod
    why: str


@dataclass(frozen=True)
class Reattach:
    """Give a detached pod its label back: a ReplicaSet with that hash takes it in, and deletes one
    that isn't ready for it.
    """

    pod: Pod
    why: str


@dataclass(frozen=True)
class Evict:
    """Ask for a pod to go; the disruption budget may refuse."""

    pod: Pod
    why: str


@dataclass(frozen=True)
class Delete:
    """Delete a pod; `grace` None: its own grace period."""

    pod: Pod
    why: str
    grace: int | None = None


@dataclass(frozen=True)
class ForceDelete:
    """Delete a pod at once if its node is really gone."""

    pod: Pod
    why: str = "its node is gone"


@dataclass(frozen=True)
class SetDeletionCost:
    """Say how dear a pod is when the HPA takes pods away."""

    pod: Pod
    cost: int
    why: str = "the mix after a scale-in"


@dataclass(frozen=True)
class SetMinReplicas:
    """Set the HPA's minReplicas."""

    replicas: int
    why: str


@dataclass(frozen=True)
class SaveNote:
    """Write a note on the Lease; None removes it."""

    key: str
    value: str | None
    why: str = ""


Action = (
    Cordon
    | Uncordon
    | Detach
    | Reattach
    | Evict
    | Delete
    | ForceDelete
    | SetDeletionCost
    | SetMinReplicas
    | SaveNote
)


class Executor:
    """Carries actions out. An action that was just done is not done again before the mirror can
    have seen it.
    """

    def __init__(
        self,
        api: Api,
        config: Config,
        save_note: Callable[[str, str | None], None],
        again: float = AGAIN,
    ) -> None:
        """`save_note` writes a note; `again` is how long an action isn't repeated, in seconds."""
        self._api, self._config, self._save_note, self._again = api, config, save_note, again
        self._done: dict[tuple[str, str], float] = {}
        self._alive: dict[str, float] = {}

    def due(self, action: Action, now: float) -> bool:
        """Whether it wasn't done within the last moments. `now` is monotonic."""
        return now - self._done.get(_key(action), -1e9) >= self._again

    def perform(self, action: Action) -> Object | None:
        """Do it and return the server's answer; None if it refused, could not be asked, or there
        was nothing to do.

        Nothing is tried again here: the next look at the cluster decides anew.
        """
        self._done[_key(action)] = time.monotonic()
        if len(self._done) > 10_000:
            self._done.clear()
        about = {"action": type(action).__name__, "object": _key(action)[1], "why": action.why}
        try:
            answer = self._do(action)
        except ApiError as error:
            if error.status == GONE:
                return None
            self._done[_key(action)] = time.monotonic() - self._again + RETRY
            quiet = error.status in (CONFLICT, REFUSED)
            log_event(
                "refused" if quiet else "failed",
                level="info" if quiet else "error",
                error=str(error),
                **about,
            )
            return None
        if answer is not None:
            log_event("done", **about)
        return answer

    def _do(self, action: Action) -> Object | None:
        api, namespace = self._api, self._config.namespace
        match action:
            case Cordon(node, why):
                return api.patch(
                    f"/api/v1/nodes/{node.name}",
                    {"metadata": {"annotations": {CORDONED: why}}, "spec": {"unschedulable": True}},
                )
            case Uncordon(node, _):
                return api.patch(
                    f"/api/v1/nodes/{node.name}",
                    {
                        "metadata": {"annotations": {CORDONED: None}},
                        "spec": {"unschedulable": None},
                    },
                )
            case Detach(pod, why):
                return self._patch(pod, {HASH: None, DETACHED: why}, {OLD_HASH: pod.template_hash})
            case Reattach(pod, _):
                return self._patch(pod, {HASH: pod.detached_hash, DETACHED: None}, {OLD_HASH: None})
            case SetDeletionCost(pod, cost, _):
                return self._patch(pod, {}, {DELETION_COST: str(cost)})
            case Evict(pod, _):
                body = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": pod.name, "namespace": namespace},
                }
                return api.call(
                    "POST",
                    f"{self._pod(pod)}/eviction",
                    {**body, "deleteOptions": {"preconditions": {"uid": pod.uid}}},
                )
            case Delete(pod, _, grace):
                return self._delete(pod, grace)
            case ForceDelete(pod, _):
                return self._forget(pod)
            case SetMinReplicas(replicas, _):
                path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{self._config.hpa}"
                return api.patch(path, {"spec": {"minReplicas": replicas}})
            case SaveNote(key, value, _):
                self._save_note(key, value)
                return {}

    def _forget(self, pod: Pod) -> Object | None:
        """The cache may lag behind: only the server's own "not found" counts. A node found is not
        asked for again at once.
        """
        now = time.monotonic()
        if now - self._alive.get(pod.node, -1e9) < AGAIN:
            return None
        try:
            self._api.get(f"/api/v1/nodes/{pod.node}")
        except ApiError as error:
            if error.status != GONE:
                raise
            return self._delete(pod, 0)
        self._alive = {name: seen for name, seen in self._alive.items() if now - seen < AGAIN} | {
            pod.node: now
        }
        return None

    def _pod(self, pod: Pod) -> str:
        return f"/api/v1/namespaces/{self._config.namespace}/pods/{pod.name}"

    def _patch(self, pod: Pod, labels: Mapping[str, Any], notes: Mapping[str, Any]) -> Object:
        return self._api.patch(
            self._pod(pod), {"metadata": {"uid": pod.uid, "labels": labels, "annotations": notes}}
        )

    def _delete(self, pod: Pod, grace: int | None) -> Object:
        options: dict[str, Any] = {"preconditions": {"uid": pod.uid}}
        return self._api.call(
            "DELETE",
            self._pod(pod),
            options if grace is None else {**options, "gracePeriodSeconds": grace},
        )


def _key(action: Action) -> tuple[str, str]:
    match action:
        case Cordon(node, _) | Uncordon(node, _):
            return type(action).__name__, node.name
        case SetMinReplicas(replicas, _):
            return "SetMinReplicas", str(replicas)
        case SaveNote(key, value, _):
            return "SaveNote", f"{key}={value}"
        case _:
            return type(action).__name__, f"{action.pod.name}/{action.pod.uid}"
