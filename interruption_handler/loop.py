"""The main loop: take a snapshot, decide, act; whenever something changes, and at least twice a
second.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from . import (
    alarms,
    capacity_mix,
    ecs_locks,
    events,
    leftovers,
    metrics,
    min_replicas,
    orphaned_pods,
    spot_notice,
)
from .actions import NOT_FOUND, Action, Cordon, Delete, Detach, Evict, Executor, SetDeletionCost
from .config import Config
from .informer import Informer
from .kube import Api, ApiError, Object
from .lease import REQUEST_SECONDS, Lease
from .log import log_event
from .served_requests import ServedRequests, current_metric
from .snapshot import ClusterSnapshot, Node, Pod, node_of, pod_of

TICK = 0.5
"""Longest wait for a change, in seconds."""
SETTLE = 0.05
"""Pause after each round, in seconds, so that changes that come together are decided together."""
ROUND_SECONDS = 2.0
"""After so long no further action of a round begins: the next round sees what has changed since."""
LAST_EVENTS_SECONDS = 2.0
"""Time for Events that wait at the end."""
CLEAN_UP_SECONDS = 20.0
"""Time for what is undone at the end; the kubelet kills the pod after 30 s."""
STALLED = 60
"""Seconds without a round and without a finished action after which the loop counts as hung."""
SILENT = 120
"""Seconds after which an informer or the lease thread that has neither had an answer nor a failure
counts as dead, and an informer without an answer as out of date.
"""
WORKERS = 8
"""Requests to the API server at the same time."""

Decision = Callable[[ClusterSnapshot, Config, float], Iterable[Action]]
DECISIONS: tuple[Decision, ...] = (
    orphaned_pods.decide,
    spot_notice.decide,
    min_replicas.decide,
    capacity_mix.decide,
    capacity_mix.rank_pods,
    leftovers.decide,
    ecs_locks.decide,
)


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> list[Action]:
    """The actions of all decisions at `now` (seconds since 1970). A decision that raises is logged
    and does not keep the others from being made.
    """
    actions: list[Action] = []
    for decision in DECISIONS:
        try:
            actions += decision(snapshot, config, now)
        except Exception as error:
            log_event(
                "decision failed", level="error", decision=decision.__module__, error=repr(error)
            )
    return actions


def phases(actions: Iterable[Action]) -> list[list[Action]]:
    """The actions in the order in which they are carried out, one phase after the other.

    First what can't wait: pods whose instance ends within seconds, then cordons, so that no
    replacement lands on a node that its predecessor leaves. Deletion costs come last.
    """
    urgent: list[Action] = []
    cordons: list[Action] = []
    usual: list[Action] = []
    costs: list[Action] = []
    for action in actions:
        match action:
            case Delete(pod) if pod.role == "serving":
                urgent.append(action)
            case Cordon():
                cordons.append(action)
            case SetDeletionCost():
                costs.append(action)
            case _:
                usual.append(action)
    return [urgent + cordons, usual, costs]


class Loop:
    """The handler's main loop and the informers it reads from."""

    def __init__(
        self,
        api: Api,
        config: Config,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
        locks: ecs_locks.EcsLocks | None = None,
    ) -> None:
        """`identity` is this replica's name on the Lease; `clock` returns monotonic seconds;
        `locks` is the second source of notices.
        """
        self._locks = locks
        self._config, self._changed, self._clock = config, threading.Event(), clock
        self._lease = Lease(
            api.bounded(timeout=REQUEST_SECONDS), config, identity, self._changed, clock
        )
        self._kept_notes: dict[str, str | None] = {}
        self._executor = Executor(
            api.bounded(permit=self._lease.permit),
            config,
            self._keep_note if config.dry_run else self._lease.save_note,
            report=self._report,
        )
        self._recorder = events.Recorder(
            api.bounded(timeout=events.REQUEST_SECONDS, permit=self._lease.permit), identity
        )
        metrics.LEADER.follow(lambda: float(self._lease.held))
        self._notices: dict[str, float] = {}
        self._api, self._alarms = api, alarms.AlarmLog()
        self._stopped = False
        self._progress = clock()
        namespace, changed = config.namespace, self._changed
        labels = ",".join(f"{key}={value}" for key, value in config.node_labels.items())
        self._nodes = Informer(api, "/api/v1/nodes", {"labelSelector": labels}, node_of, changed)
        self._pods = Informer(
            api,
            f"/api/v1/namespaces/{namespace}/pods",
            {},
            lambda raw: pod_of(raw, config.selector),
            changed,
        )
        self._deployments = self._single(
            api, f"/apis/apps/v1/namespaces/{namespace}/deployments", config.deployment
        )
        self._informers = [self._nodes, self._pods, self._deployments]
        self._hpas: Informer | None = None
        self._served: ServedRequests | None = None
        if config.min_replicas is not None:
            self._hpas = self._single(
                api,
                f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
                config.hpa,
            )
            self._informers.append(self._hpas)
            if config.min_replicas.outage_replicas:
                self._served = ServedRequests(config.min_replicas)

    def _single(self, api: Api, path: str, name: str) -> Informer:
        query = {"fieldSelector": f"metadata.name={quote(name)}"}
        return Informer(api, path, query, _spec_and_conditions, self._changed)

    def run(self) -> None:
        """Run until `stop` is called, then release the Lease."""
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            while not informer.synced.wait(TICK) and not self._stopped:
                self._progress = self._clock()
        self._lease.start()
        self._recorder.start()
        if self._served:
            self._served.start(self._serving)
        if self._locks:
            self._locks.start(self._preemptible)
        with ThreadPoolExecutor(WORKERS) as pool:
            while not self._stopped:
                self._changed.wait(TICK)
                self._changed.clear()
                try:
                    self._round(pool)
                except Exception as error:
                    log_event("round failed", level="error", error=repr(error))
                self._progress = self._clock()
                time.sleep(SETTLE)
            self._clean_up(pool)
        self._recorder.stop(LAST_EVENTS_SECONDS)
        self._lease.release()
        for informer in self._informers:
            informer.stop()

    def stop(self) -> None:
        """End `run` soon. Any thread may call it, but no signal handler (see `signals`)."""
        self._stopped = True
        self._changed.set()

    def ready(self) -> bool:
        """Whether every informer has its first list and has heard from the server lately."""
        now = time.monotonic()
        return all(
            informer.synced.is_set() and now - informer.heard < SILENT
            for informer in self._informers
        )

    def healthy(self) -> bool:
        """Whether the loop has made a round or finished an action within the last minute, and the
        threads of the informers and of the Lease are alive.

        A server that can't be reached leaves them alive: a restart would not help, and the pauses
        between restarts would outlast the outage.
        """
        now, lease = time.monotonic(), self._lease.reported
        return (
            self._clock() - self._progress < STALLED
            and all(now - informer.reported < SILENT for informer in self._informers)
            and (lease is None or self._clock() - lease < SILENT)
        )

    def _serving(self) -> list[Pod]:
        pods = self._pods.objects() if self._lease.held else {}
        return [pod for pod in pods.values() if pod.role == "serving"]

    def _preemptible(self) -> list[str] | None:
        """Instances that ECS is asked about; None while another replica leads."""
        if not self._lease.held:
            return None
        nodes = self._nodes.objects().values()
        return [node.instance for node in nodes if node.spot and node.instance]

    def snapshot(self) -> ClusterSnapshot:
        """What the informers, the Lease and ECS say now."""
        nodes, notes = self._nodes.objects(), self._notes()
        seen = self._locks.seen if self._locks else None
        if self._locks:
            known = ecs_locks.known(seen, notes)
            nodes = ecs_locks.with_notices(nodes, known)
            seen = None if seen is None else known
        deployment = self._deployments.objects().get(self._config.deployment) or {}
        hpas = self._hpas.objects() if self._hpas else {}
        hpa = hpas.get(self._config.hpa) or {}
        return ClusterSnapshot(
            nodes=nodes,
            pods=self._pods.objects(),
            # An absent object is not one that wants no pods.
            desired=int(deployment["spec"].get("replicas", 1)) if deployment else None,
            hpa=hpa,
            unseen_seconds=self._served.unseen_seconds(hpa, time.monotonic())
            if self._served
            else 0.0,
            locks=seen,
            locks_age=self._locks.age if self._locks else None,
            notes=notes,
        )

    def _notes(self) -> dict[str, str]:
        """The Lease's notes; in a dry run those that it would write cover them."""
        notes = {**self._lease.notes, **self._kept_notes}
        return {key: value for key, value in notes.items() if value is not None}

    def _keep_note(self, key: str, value: str | None) -> None:
        """A dry run's note: it is kept here only, so that the next decision builds on it."""
        self._kept_notes = {**self._kept_notes, key: value}

    def _round(self, pool: ThreadPoolExecutor) -> None:
        """Decide once, and act for at most `ROUND_SECONDS`."""
        if not self._lease.held:
            metrics.ALARMS.replace(())
            return
        snapshot, now = self.snapshot(), time.time()
        self._see_notices(snapshot)
        actions = decide(snapshot, self._config, now)
        for alarm in self._alarms.log(alarms.decide(snapshot, self._config, now), now):
            self._tell(alarm)
        now = time.monotonic()
        ends = self._clock() + ROUND_SECONDS
        for phase in phases(action for action in actions if self._executor.due(action, now)):
            waiting = deque(phase)
            list(pool.map(lambda _, left=waiting: self._work(left, ends), range(WORKERS)))
            if waiting:
                self._changed.set()
                return

    def _see_notices(self, snapshot: ClusterSnapshot) -> None:
        """Count the notices that are new."""
        given = {
            node.name: node.notice_at
            for node in snapshot.nodes.values()
            if node.notice_at is not None
        }
        metrics.NOTICES.add(len(given.items() - self._notices.items()))
        self._notices = given

    def _report(self, action: Action, outcome: str, error: ApiError | None) -> None:
        """Count what came of an action, and tell of it on its object. Never raises: it must not
        keep the next action from being carried out.
        """
        try:
            if error is not None:
                outcome = events.outcome_of(error.status)
            kind = type(action).__name__
            metrics.ACTIONS.add(action=kind, outcome=outcome)
            since = self._notices.get(_node_served(action)) if outcome == "done" else None
            if since is not None:
                metrics.SINCE_NOTICE.observe(max(0.0, time.time() - since), action=kind.lower())
            event = events.of_action(action, outcome, str(error or ""), self._objects())
            if event is not None:
                self._recorder.record(event)
        except Exception as failure:
            log_event(
                "outcome not reported", level="error", action=repr(action), error=repr(failure)
            )

    def _tell(self, alarm: alarms.Alarm) -> None:
        """Events of an alarm: on the Deployment, and on the objects that it names."""
        objects = self._objects()
        about = [
            objects.node(each) if isinstance(each, Node) else objects.pod(each)
            for each in alarm.about
        ]
        reason = "".join(word.capitalize() for word in alarm.key.replace("-", " ").split())
        count = alarm.detail.get("count")
        note = alarm.message + (f" ({count})" if count else "")
        for ref in (objects.deployment, *about):
            self._recorder.record(events.Event(ref, reason, "Alarm", note, warning=True))

    def _objects(self) -> events.Objects:
        config = self._config
        deployment = self._deployments.objects().get(config.deployment) or {}
        hpa = (self._hpas.objects().get(config.hpa) if self._hpas else None) or {}
        namespace = config.namespace
        return events.Objects(
            namespace,
            events.Ref("apps/v1", "Deployment", namespace, config.deployment, deployment.get("uid", "")),
            events.Ref("autoscaling/v2", "HorizontalPodAutoscaler", namespace, config.hpa, hpa.get("uid", "")),
        )  # fmt: skip

    def _clean_up(self, pool: ThreadPoolExecutor) -> None:
        """Undo what would outlive the handler, if this is its end and not the change to another
        version or node: its own Deployment is gone, is being deleted or wants no pods.
        """
        if not self._lease.held:
            return
        try:
            if not self._removed():
                return
            log_event("the handler is removed: what it changed is undone")
            waiting = deque(leftovers.at_end(self.snapshot(), self._config))
            ends = self._clock() + CLEAN_UP_SECONDS
            list(pool.map(lambda _: self._work(waiting, ends), range(WORKERS)))
            if waiting:
                log_event("not all is undone", level="error", actions=[repr(a) for a in waiting])
        except Exception as error:
            log_event("clean-up failed", level="error", error=repr(error))

    def _removed(self) -> bool:
        """Whether the handler's own Deployment is at its end. Raises ApiError."""
        config = self._config
        path = f"/apis/apps/v1/namespaces/{config.own_namespace}/deployments/{config.name}"
        try:
            deployment = self._api.get(path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return True
        return bool(
            deployment["metadata"].get("deletionTimestamp")
            or deployment["spec"].get("replicas") == 0
        )

    def _work(self, waiting: deque[Action], ends: float) -> None:
        """Carry actions out, one after the other, until none waits, `ends` has passed or the Lease
        is lost.
        """
        while self._clock() < ends and self._lease.held:
            try:
                action = waiting.popleft()
            except IndexError:
                return
            try:
                self._executor.perform(action)
            except Exception as error:
                log_event("action failed", level="error", action=repr(action), error=repr(error))
            self._progress = self._clock()


def _node_served(action: Action) -> str:
    """The node that an action for its notice concerns: it is cordoned, or a serving pod leaves it.
    Empty for other actions.
    """
    match action:
        case Cordon(node, _):
            return node.name
        case Detach(pod, _) | Evict(pod, _) | Delete(pod, _) if pod.role == "serving":
            return pod.node
        case _:
            return ""


def _spec_and_conditions(raw: Object) -> dict[str, Any]:
    """An object's spec and conditions, and an HPA's metric; the rest of its status changes often
    and decides nothing.
    """
    status = raw.get("status") or {}
    conditions = [
        {key: condition.get(key) for key in ("type", "status", "reason", "lastTransitionTime")}
        for condition in status.get("conditions") or []
    ]
    return {
        "uid": (raw.get("metadata") or {}).get("uid", ""),
        "spec": raw.get("spec") or {},
        "conditions": conditions,
        "metric": current_metric(status),
    }
