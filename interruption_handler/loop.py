"""The main loop: take a snapshot, decide, act; whenever something changes, and at least twice a
second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from . import capacity_mix, min_replicas, orphaned_pods, spot_notice
from .actions import Action, Cordon, Executor
from .config import Config
from .informer import Informer
from .kube import Api, Object
from .lease import Lease
from .log import log_event
from .snapshot import ClusterSnapshot, node_of, pod_of

TICK = 0.5
"""Longest wait for a change, in seconds."""
SETTLE = 0.05
"""Pause after each round, in seconds, so that changes that come together are decided together."""
STALLED = 60
"""Seconds without a round after which the loop counts as hung."""
WORKERS = 8
"""Requests to the API server at the same time."""

Decision = Callable[[ClusterSnapshot, Config, float], Iterable[Action]]
DECISIONS: tuple[Decision, ...] = (
    orphaned_pods.decide,
    spot_notice.decide,
    min_replicas.decide,
    capacity_mix.decide,
    capacity_mix.rank_pods,
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


class Loop:
    """The handler's main loop and the informers it reads from."""

    def __init__(self, api: Api, config: Config, identity: str) -> None:
        """`identity` is this replica's name on the Lease."""
        self._config, self._changed = config, threading.Event()
        self._lease = Lease(api, config, identity, self._changed)
        self._executor = Executor(api, config, self._lease.save_note)
        self._stopped = False
        self._last_round = time.monotonic()
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
        if config.min_replicas is not None:
            self._hpas = self._single(
                api,
                f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
                config.hpa,
            )
            self._informers.append(self._hpas)

    def _single(self, api: Api, path: str, name: str) -> Informer:
        query = {"fieldSelector": f"metadata.name={quote(name)}"}
        return Informer(api, path, query, _spec_and_conditions, self._changed)

    def run(self) -> None:
        """Run until `stop` is called, then release the Lease."""
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            while not informer.synced.wait(TICK) and not self._stopped:
                self._last_round = time.monotonic()
        self._lease.start()
        with ThreadPoolExecutor(WORKERS) as pool:
            while not self._stopped:
                self._changed.wait(TICK)
                self._changed.clear()
                self._round(pool)
                self._last_round = time.monotonic()
                time.sleep(SETTLE)
        self._lease.release()

    def stop(self) -> None:
        """End `run` soon. Any thread may call it, but no signal handler (see `signals`)."""
        self._stopped = True
        self._changed.set()

    def ready(self) -> bool:
        """Whether every informer has its first list."""
        return all(informer.synced.is_set() for informer in self._informers)

    def healthy(self) -> bool:
        """Whether the loop has made a round within the last minute."""
        return time.monotonic() - self._last_round < STALLED

    def snapshot(self) -> ClusterSnapshot:
        """What the informers and the Lease hold now."""
        deployment = self._deployments.objects().get(self._config.deployment) or {}
        hpas = self._hpas.objects() if self._hpas else {}
        return ClusterSnapshot(
            nodes=self._nodes.objects(),
            pods=self._pods.objects(),
            desired=int((deployment.get("spec") or {}).get("replicas") or 0),
            hpa=hpas.get(self._config.hpa) or {},
            notes=dict(self._lease.notes),
        )

    def _round(self, pool: ThreadPoolExecutor) -> None:
        if not self._lease.held:
            return
        actions = decide(self.snapshot(), self._config, time.time())
        now = time.monotonic()
        due = [action for action in actions if self._executor.due(action, now)]
        # Nodes are cordoned first: otherwise a replacement pod may land on the node that its
        # predecessor leaves.
        for cordons in (True, False):
            batch = [action for action in due if isinstance(action, Cordon) is cordons]
            list(pool.map(self._perform, batch))

    def _perform(self, action: Action) -> None:
        try:
            self._executor.perform(action)
        except Exception as error:
            log_event("action failed", level="error", action=repr(action), error=repr(error))


def _spec_and_conditions(raw: Object) -> dict[str, Any]:
    """An object's spec and conditions; the rest of its status changes often and decides nothing."""
    status = raw.get("status") or {}
    conditions = [
        {key: condition.get(key) for key in ("type", "status", "reason", "lastTransitionTime")}
        for condition in status.get("conditions") or []
    ]
    return {"spec": raw.get("spec") or {}, "conditions": conditions}
