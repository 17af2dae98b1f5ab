"""A Service is ready when its endpoints have settled and none of them is still starting (and a load balancer has an address)."""

from __future__ import annotations

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.base import Awaiter, Context
from lab.kubernetes_plugin.awaits.source import Event, Wanted
from lab.kubernetes_plugin.engine import INFO

SETTLE_SECONDS = 10.0


class ServiceAwaiter(Awaiter):
    """Follows one Service and its Endpoints."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._type = objects.text(context.current, "spec", "type") or "ClusterIP"
        self._ready = self._has_endpoints = self._pending = self._settled = False

    def wanted(self) -> list[Wanted]:
        """The Service and the Endpoints of its name."""
        mine = f"metadata.name={self.name}"
        return [Wanted("v1", "Service", mine), Wanted("v1", "Endpoints", mine)]

    def start(self) -> None:
        """Say what is looked for."""
        self.context.log.status(INFO, "[1/3] Finding Pods to direct traffic to")

    def handle(self, event: Event) -> None:
        """Take in a change of the Service or of its endpoints."""
        if objects.kind(event.obj) == "Service":
            self._ready = False
            if event.type != "DELETED":
                self.object = event.obj
                self._ready = self._type != "LoadBalancer" or bool(objects.pluck(event.obj, "status", "loadBalancer", "ingress"))
            return
        self._settled = False
        self.timers.append((self.context.clock() + SETTLE_SECONDS, "settled"))
        self._has_endpoints = self._pending = False
        if event.type != "DELETED":
            subsets = event.obj.get("subsets") or []
            self._has_endpoints = any(subset.get("addresses") for subset in subsets)
            self._pending = any(subset.get("notReadyAddresses") for subset in subsets)

    def timer_due(self, label: str) -> None:
        """The endpoints have been left alone for a while."""
        self._settled = True

    def settle(self) -> None:
        """Take the endpoints for final."""
        self._settled = True

    def _headless(self) -> bool:
        return objects.pluck(self.object, "spec", "clusterIP") == "None"

    def _needs_pods(self) -> bool:
        return self._type != "ExternalName" and not self._headless() and bool(objects.pluck(self.object, "spec", "selector"))

    def done(self) -> bool:
        """Ready, with settled endpoints where there are pods to direct traffic to."""
        if not self._needs_pods():
            return self._ready
        if self._ready and self._settled and not self._pending:
            self.context.log.status(INFO, "Service initialization complete")
            return True
        if self._settled and self._has_endpoints:
            self.context.log.status(INFO, "[2/3] Attempting to allocate IP address to Service")
        return False

    def good_enough(self) -> bool:
        """A Service whose endpoints only have not settled yet passes."""
        return self._ready and not self._pending

    def errors(self) -> list[str]:
        """No pods, no address."""
        messages: list[str] = []
        if self._headless() or self._type == "ExternalName":
            return messages
        if not self._has_endpoints:
            messages.append(
                "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels "
                "on any Pods"
            )
        if self._type == "LoadBalancer" and not self._ready:
            messages.append("Service was not allocated an IP address; does your cloud provider support this?")
        return messages
