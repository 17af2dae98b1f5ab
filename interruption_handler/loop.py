"""Look, decide, act; again whenever something changes, and at least each half second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from . import capacity_mix, min_replicas, orphaned_pods, spot_notice
from .actions import Action, Cordon, Executor
from .informer import Informer
from .kube import Api, Object
from .lease import Lease
from .log import log_event
from .model import ClusterSnapshot, Config, node_of, pod_of

TICK = 0.5
SETTLE = 0.05
WORKERS = 8


Decision = Callable[[ClusterSnapshot, Config, float], Iterable[Action]]
DECISIONS: tuple[Decision, ...] = (
    orphaned_pods.decide,
    spot_notice.decide,
    min_replicas.decide,
    capacity_mix.decide,
    capacity_mix.rank,
)


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> list[Action]:
    """All decisions of one moment; one that fails doesn't keep the others from being made. `now` is
    seconds since 1970.
    """
    wanted: list[Action] = []
    for decision in DECISIONS:
        try:
            wanted += decision(snapshot, config, now)
        except Exception as error:
            log_event(
                "decision failed", level="error", decision=decision.__module__, error=repr(error)
            )
    return wanted


class Loop:
    """The handler's life. `run` returns when `stop` is called."""

    def __init__(self, api: Api, config: Config, identity: str) -> None:
        self._config, self._changed = config, threading.Event()
        self._lease = Lease(api, config, identity, self._changed)
        self._executor = Executor(api, config, self._lease.save_note)
        self._stopped = False
        self._turned = time.monotonic()
        space, changed = config.namespace, self._changed
        labels = ",".join(f"{key}={value}" for key, value in config.node_labels.items())
        self._nodes = Informer(api, "/api/v1/nodes", {"labelSelector": labels}, node_of, changed)
        self._pods = Informer(
            api,
            f"/api/v1/namespaces/{space}/pods",
            {},
            lambda raw: pod_of(raw, config.selector),
            changed,
        )
        self._deployments = self._single(
            api, f"/apis/apps/v1/namespaces/{space}/deployments", config.deployment
        )
        self._informers = [self._nodes, self._pods, self._deployments]
        self._hpas: Informer | None = None
        if config.floors is not None:
            self._hpas = self._single(
                api, f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers", config.hpa
            )
            self._informers.append(self._hpas)

    def _single(self, api: Api, path: str, name: str) -> Informer:
        return Informer(
            api,
            path,
            {"fieldSelector": f"metadata.name={quote(name)}"},
            _without_noise,
            self._changed,
        )

    def run(self) -> None:
        """Until stopped."""
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            while not informer.synced.wait(TICK) and not self._stopped:
                self._turned = time.monotonic()
        self._lease.start()
        with ThreadPoolExecutor(WORKERS) as pool:
            while not self._stopped:
                self._changed.wait(TICK)
                self._changed.clear()
                self._turn(pool)
                self._turned = time.monotonic()
                time.sleep(SETTLE)  # what changes together is looked at together
        self._lease.release()

    def stop(self) -> None:
        """End soon; safe in a signal handler."""
        self._stopped = True
        self._changed.set()

    def ready(self) -> bool:
        """Whether the cluster has been seen."""
        return all(informer.synced.is_set() for informer in self._informers)

    def healthy(self) -> bool:
        """Whether the loop still turns."""
        return time.monotonic() - self._turned < 60

    def snapshot(self) -> ClusterSnapshot:
        """This moment."""
        deployment = self._deployments.now().get(self._config.deployment) or {}
        desired = int((deployment.get("spec") or {}).get("replicas") or 0)
        return ClusterSnapshot(
            nodes=self._nodes.now(),
            pods=self._pods.now(),
            desired=desired,
            hpa=(self._hpas.now().get(self._config.hpa) or {}) if self._hpas else {},
            notes=dict(self._lease.notes),
        )

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        if not self._lease.held:
            return
        wanted = decide(self.snapshot(), self._config, time.time())
        now = time.monotonic()
        due = [action for action in wanted if self._executor.due(action, now)]
        # Nodes are closed first: else a replacement may land on the very node its predecessor
        # leaves.
        for first in (True, False):
            list(
                pool.map(
                    self._perform, [action for action in due if isinstance(action, Cordon) is first]
                )
            )

    def _perform(self, action: Action) -> None:
        try:
            self._executor.perform(action)
        except Exception as error:
            log_event("action failed", level="error", action=repr(action), error=repr(error))


def _without_noise(raw: Object) -> dict[str, Any]:
    """An object's spec and conditions: what else changes doesn't count."""
    status = raw.get("status") or {}
    conditions = [
        {key: one.get(key) for key in ("type", "status", "reason", "lastTransitionTime")}
        for one in status.get("conditions") or []
    ]
    return {"spec": raw.get("spec") or {}, "conditions": conditions}
