"""The changes the handler can make to the cluster. Each is idempotent, concerns one object, and is
refused by the server when another object has taken that name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import backoff
from .config import Config
from .kube import Api, ApiError, DryRun, LeaseLostError
from .log import log_event
from .snapshot import (
    CORDONED_ANNOTATION,
    DELETION_COST_ANNOTATION,
    DETACHED_BY_ANNOTATION,
    DETACHED_HASH_ANNOTATION,
    DETACHED_LABEL,
    TEMPLATE_HASH_LABEL,
    Node,
    Object,
    Pod,
)

NOT_FOUND, CONFLICT, TOO_MANY_REQUESTS = 404, 409, 429
REPEAT_AFTER = 2.0
"""Seconds before an action is repeated: by then the informers have seen what it changed."""
FIRST_RETRY = 0.5
"""Seconds before an action that the server refused is tried again; doubled with each refusal."""
NEVER = -1e9
DRY_RUN_REPEAT = 600.0
"""Seconds after which a dry run says again what it would do."""
MAX_REMEMBERED = 10_000
FORGET_AFTER = 60.0
"""Seconds after which an action that has become due is forgotten, when many are remembered."""


@dataclass(frozen=True)
class Cordon:
    """Cordon a node: the scheduler places no new pod on it."""

    node: Node
    why: str


@dataclass(frozen=True)
class Uncordon:
    """Uncordon a node that the handler cordoned."""

    node: Node
    why: str


@dataclass(frozen=True)
class Detach:
    """Take a pod off its ReplicaSet by removing its template hash label. The ReplicaSet creates a
    replacement at once, and the detached pod keeps serving.
    """

    pod: Pod
    why: str


@dataclass(frozen=True)
class Reattach:
    """Give a detached pod its template hash label back. A ReplicaSet with that hash adopts it, and
    deletes a pod that is surplus then, one that is not ready first.
    """

    pod: Pod
    why: str


@dataclass(frozen=True)
class Evict:
    """Evict a pod; the PodDisruptionBudget may refuse."""

    pod: Pod
    why: str


@dataclass(frozen=True)
class Delete:
    """Delete a pod with a grace period of `grace` seconds; None: the pod's own."""

    pod: Pod
    why: str
    grace: int | None = None


@dataclass(frozen=True)
class ForceDelete:
    """Delete a pod without a grace period, but only if the server confirms that its node no longer
    exists.
    """

    pod: Pod
    why: str = "its node no longer exists"


@dataclass(frozen=True)
class SetDeletionCost:
    """Set a pod's pod-deletion-cost annotation: at a scale-in the ReplicaSet deletes pods with the
    lowest cost first.
    """

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
    """Save a note as an annotation of the Lease; None removes it."""

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


Key = tuple[str, str]
Report = Callable[[Action, str, ApiError | None], None]
"""Told the outcome of each action: done, dry_run, not_needed, lease_lost or error, then with the
server's refusal.
"""


class Executor:
    """Carries actions out. An action that was just carried out is not repeated before the informers
    can have seen its effect; one that was refused waits longer after each refusal, and all wait
    where the server says so.
    """

    def __init__(
        self,
        api: Api,
        config: Config,
        save_note: Callable[[str, str | None], None],
        repeat_after: float = REPEAT_AFTER,
        report: Report | None = None,
    ) -> None:
        """`save_note` writes a note to the Lease, or keeps it in a dry run; `repeat_after` is in
        seconds; `report` is told what came of each action.
        """
        self._api = DryRun(api) if config.dry_run else api
        self._config, self._save_note = config, save_note
        self._report = report or _unreported
        self._repeat_after = repeat_after
        self._not_before: dict[Key, float] = {}
        self._refusals: dict[Key, int] = {}
        self._quiet_until = NEVER
        self._alive: dict[str, float] = {}

    def due(self, action: Action, now: float) -> bool:
        """Whether the action was neither carried out nor refused within the last moments. `now` is
        monotonic.
        """
        return now >= max(self._quiet_until, self._not_before.get(_key(action), NEVER))

    def perform(self, action: Action) -> Object | None:
        """Carry the action out. Returns the server's answer; None if the server refused or could
        not be reached, or if nothing was to be done.

        Nothing is retried here: the next round decides anew.
        """
        key = _key(action)
        self._not_before[key] = time.monotonic() + self._repeat_after
        about = {"action": type(action).__name__, "object": key[1], "why": action.why}
        try:
            answer = self._do(action)
        except LeaseLostError:
            self._not_before.pop(key, None)
            self._report(action, "lease_lost", None)
            return None
        except ApiError as error:
            self._report(action, "error", error)
            if error.status == NOT_FOUND:
                return None
            refused = error.status in (CONFLICT, TOO_MANY_REQUESTS)
            pause = self._back_off(action, key, error)
            log_event(
                "action refused" if refused else "action failed",
                level="info" if refused else "error",
                error=str(error),
                again_in=round(pause, 1),
                **about,
            )
            return None
        self._refusals.pop(key, None)
        if answer is None:
            self._report(action, "not_needed", None)
        elif self._config.dry_run:
            self._not_before[key] = time.monotonic() + DRY_RUN_REPEAT
            log_event("dry run: action not done", **about)
            self._report(action, "dry_run", None)
        else:
            log_event("action done", **about)
            self._report(action, "done", None)
        self._forget()
        return answer

    def _back_off(self, action: Action, key: Key, error: ApiError) -> float:
        """Note when the refused action is due again; returns the pause in seconds."""
        now, config = time.monotonic(), self._config
        refusals = self._refusals[key] = self._refusals.get(key, 0) + 1
        if isinstance(action, Evict) and error.status == TOO_MANY_REQUESTS:
            # The budget refuses until other pods are ready: that takes as long the tenth time.
            first = longest = config.eviction_pause
        else:
            first, longest = FIRST_RETRY, config.longest_retry
            if error.retry_after:  # the server has too much to do, not only with this object
                self._quiet_until = max(self._quiet_until, now + error.retry_after)
        pause = backoff.pause(refusals, first, longest, error.retry_after)
        self._not_before[key] = now + pause
        return pause

    def _forget(self) -> None:
        """Keep the memory bounded without forgetting what still waits."""
        if len(self._not_before) > MAX_REMEMBERED:
            limit = time.monotonic() - FORGET_AFTER
            self._not_before = {k: t for k, t in self._not_before.copy().items() if t > limit}
            self._refusals = {
                k: n for k, n in self._refusals.copy().items() if k in self._not_before
            }

    def _do(self, action: Action) -> Object | None:
        api, namespace = self._api, self._config.namespace
        match action:
            case Cordon(node, why):
                return self._patch_node(node, why, unschedulable=True)
            case Uncordon(node, _):
                return self._patch_node(node, None, unschedulable=None)
            case Detach(pod, why):
                return self._patch_pod(
                    pod,
                    {TEMPLATE_HASH_LABEL: None, DETACHED_LABEL: why},
                    {
                        DETACHED_HASH_ANNOTATION: pod.template_hash,
                        DETACHED_BY_ANNOTATION: self._config.name,
                    },
                )
            case Reattach(pod, _):
                return self._patch_pod(
                    pod,
                    {TEMPLATE_HASH_LABEL: pod.detached_hash, DETACHED_LABEL: None},
                    {DETACHED_HASH_ANNOTATION: None},
                )
            case SetDeletionCost(pod, cost, _):
                return self._patch_pod(pod, {}, {DELETION_COST_ANNOTATION: str(cost)})
            case Evict(pod, _):
                body = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": pod.name, "namespace": namespace},
                    "deleteOptions": {"preconditions": {"uid": pod.uid}},
                }
                return api.call("POST", f"{self._pod_path(pod)}/eviction", body)
            case Delete(pod, _, grace):
                return self._delete(pod, grace)
            case ForceDelete(pod, _):
                return self._force_delete(pod)
            case SetMinReplicas(replicas, _):
                path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{self._config.hpa}"
                return api.patch(path, {"spec": {"minReplicas": replicas}})
            case SaveNote(key, value, _):
                self._save_note(key, value)
                return {}

    def _force_delete(self, pod: Pod) -> Object | None:
        """The informers may lag behind: only the server's own "not found" proves that the node no
        longer exists. A node that does exist is not looked up again for a while.
        """
        now = time.monotonic()
        if now - self._alive.get(pod.node, NEVER) < REPEAT_AFTER:
            return None
        try:
            self._api.get(f"/api/v1/nodes/{pod.node}")
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return self._delete(pod, 0)
        alive = {name: seen for name, seen in self._alive.items() if now - seen < REPEAT_AFTER}
        self._alive = {**alive, pod.node: now}
        return None

    def _pod_path(self, pod: Pod) -> str:
        return f"/api/v1/namespaces/{self._config.namespace}/pods/{pod.name}"

    def _patch_node(self, node: Node, reason: str | None, *, unschedulable: bool | None) -> Object:
        meta: dict[str, Any] = {"annotations": {CORDONED_ANNOTATION: reason}}
        return self._api.patch(
            f"/api/v1/nodes/{node.name}",
            {"metadata": meta | _as_seen(node), "spec": {"unschedulable": unschedulable}},
        )

    def _patch_pod(
        self, pod: Pod, labels: Mapping[str, Any], annotations: Mapping[str, Any]
    ) -> Object:
        meta: dict[str, Any] = {"uid": pod.uid, "labels": labels, "annotations": annotations}
        return self._api.patch(self._pod_path(pod), {"metadata": meta | _as_seen(pod)})

    def _delete(self, pod: Pod, grace: int | None) -> Object:
        options: dict[str, Any] = {"preconditions": {"uid": pod.uid}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        return self._api.call("DELETE", self._pod_path(pod), options)


def _as_seen(known: Node | Pod) -> dict[str, str]:
    """Has the server refuse a patch if the object has changed since it was decided on: so a replica
    that was the leader undoes nothing that its successor did.
    """
    return {"resourceVersion": known.version} if known.version else {}


def _unreported(_action: Action, _outcome: str, _error: ApiError | None) -> None:
    """Nobody is told."""


def _key(action: Action) -> Key:
    """What makes two actions the same: their type, and the object with what is written to it."""
    name = type(action).__name__
    match action:
        case Cordon(node, _) | Uncordon(node, _):
            return name, node.name
        case SetMinReplicas(replicas, _):
            return name, str(replicas)
        case SaveNote(key, value, _):
            return name, f"{key}={value}"
        case _:
            return name, f"{action.pod.name}/{action.pod.uid}"
