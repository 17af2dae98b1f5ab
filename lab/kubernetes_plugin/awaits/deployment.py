"""A Deployment is ready when its newest ReplicaSet is, it says it is available, and the claims its pods mount are bound."""

from __future__ import annotations

from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits import pods
from lab.kubernetes_plugin.awaits.base import Awaiter, Context
from lab.kubernetes_plugin.awaits.source import Event, Wanted
from lab.kubernetes_plugin.engine import INFO, WARNING


class DeploymentAwaiter(Awaiter):
    """Follows one rollout."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._reconciled = False
        self._early: list[Event] = []
        self._revision = "0"
        self._available = self._progressed = self._pods_ready = False
        self._faults: dict[str, str] = {}
        self._replica_sets: dict[str, objects.Object] = {}
        self._pods: dict[str, objects.Object] = {}
        self._claims: dict[str, objects.Object] = {}

    def wanted(self) -> list[Wanted]:
        """The Deployment, its ReplicaSets and pods, and claims."""
        mine = f"metadata.name={self.name}"
        others = [Wanted("apps/v1", "ReplicaSet"), Wanted("v1", "Pod"), Wanted("v1", "PersistentVolumeClaim")]
        return [Wanted("apps/v1", "Deployment", mine), *others]

    def handle(self, event: Event) -> None:
        """Take in one event; nothing counts until the controller has seen the current generation."""
        if objects.kind(event.obj) == "Deployment":
            self._deployment(event)
        elif not self._reconciled:
            self._early.append(event)
        else:
            {"ReplicaSet": self._replica_set, "Pod": self._pod, "PersistentVolumeClaim": self._claim}[objects.kind(event.obj)](event)

    def _deployment(self, event: Event) -> None:
        deployment = event.obj
        if objects.generation(deployment) < objects.generation(self.context.current) or event.type == "DELETED":
            return
        if not self._reconciled:
            if objects.pluck(deployment, "status", "observedGeneration") != objects.generation(deployment):
                return
            self._reconciled = True
        self._faults = {}
        self.object = deployment
        self._revision = objects.annotation(deployment, objects.REVISION)
        if self._revision:
            self._conditions(objects.pluck(deployment, "status", "conditions") or [])
            self._look_at_pods()
            self._look_at_claims()
        early, self._early = self._early, []
        for earlier in early:
            self.handle(earlier)

    def _conditions(self, conditions: list[dict[str, Any]]) -> None:
        for condition in conditions:
            holds = condition.get("status") == "True"
            if condition.get("type") == "Progressing":
                self._progressed = holds and condition.get("reason") == "NewReplicaSetAvailable"
            elif condition.get("type") == "Available":
                self._available = holds
            else:
                continue
            reason, message = condition.get("reason"), condition.get("message")
            if not holds and reason and message:
                self._faults[reason] = f"[{reason}] {message}"
                self.context.log.status(WARNING, self._faults[reason])

    def _replica_set(self, event: Event) -> None:
        if not objects.owned_by(event.obj, self.context.current):
            return
        revision = objects.annotation(event.obj, objects.REVISION)
        if event.type == "DELETED":
            self._replica_sets.pop(revision, None)
            return
        self._replica_sets[revision] = event.obj
        self._look_at_pods()

    def _pod(self, event: Event) -> None:
        if event.type == "DELETED":
            self._pods.pop(objects.name(event.obj), None)
        else:
            self._pods[objects.name(event.obj)] = event.obj

    def _claim(self, event: Event) -> None:
        if event.type == "DELETED":
            self._claims.pop(objects.uid(event.obj), None)
            return
        volumes = objects.pluck(self.object, "spec", "template", "spec", "volumes") or []
        if any(objects.pluck(v, "persistentVolumeClaim", "claimName") == objects.name(event.obj) for v in volumes):
            self._claims[objects.uid(event.obj)] = event.obj
        self._look_at_claims()

    def _look_at_pods(self) -> None:
        replica_set = self._replica_sets.get(self._revision)
        if replica_set is None:
            return
        wanted = objects.pluck(replica_set, "spec", "replicas")
        count = 1 if wanted is None else wanted
        ready = objects.pluck(replica_set, "status", "readyReplicas")
        enough = ready >= count if ready is not None else count == 0
        before = objects.annotation(self.context.previous or {}, objects.REVISION)
        rolling = self.context.previous is None or objects.annotation(self.object, objects.REVISION) != before
        self._pods_ready = enough and (not rolling or before != self._revision)
        if not self._pods_ready:
            self.context.log.status(INFO, f"Waiting for app ReplicaSet to be available ({ready or 0}/{count} Pods available)")
        elif count == 0:
            self.context.log.status(WARNING, f'Replicas scaled to 0 for Deployment "{self.name}"')

    def _look_at_claims(self) -> None:
        for claim in self._claims.values():
            phase = objects.text(claim, "status", "phase")
            if phase and phase != "Bound":
                text = f"PersistentVolumeClaim: [{objects.name(claim)}] is not ready. status.phase currently at: {phase}"
                self.context.log.status(WARNING, text)

    def _unbound(self) -> list[str]:
        return [objects.name(c) for c in self._claims.values() if objects.text(c, "status", "phase") != "Bound"]

    def done(self) -> bool:
        """Available, the newest pods ready, rolled out (from the second revision on), claims bound."""
        rolled = self._revision == "1" or self._progressed
        if not (self._available and self._pods_ready and rolled) or self._unbound():
            return False
        self.context.log.status(INFO, "Deployment initialization complete")
        return True

    def tick(self) -> None:
        """Say what is wrong with the pods."""
        for message in self._pod_errors():
            self.context.log.status(WARNING, message)

    def errors(self) -> list[str]:
        """The Deployment's own faults, what was not reached, what its pods say."""
        messages = list(self._faults.values())
        unbound = self._unbound()
        if unbound:
            messages.append(f'Failed to bind PersistentVolumeClaim(s): "{",".join(unbound)}"')
        if not self._available:
            messages.append("Minimum number of live Pods was not attained")
        elif self._revision != "1" and not self._progressed:
            messages.append("Minimum number of Pods to consider the application live was not attained")
        elif not self._pods_ready:
            first = "Minimum number of Pods to consider the application live was not attained"
            later = "Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live"
            messages.append(first if self._revision == "1" else later)
        return messages + self._pod_errors()

    def _pod_errors(self) -> list[str]:
        replica_set = self._replica_sets.get(self._revision)
        mine = [pod for pod in self._pods.values() if objects.owned_by(pod, replica_set)]
        messages = [message for pod in mine for message in pods.pod_problems(pod)]
        return messages + [message for pod in mine for message in pods.start_problems(self.context.cluster, pod)]
