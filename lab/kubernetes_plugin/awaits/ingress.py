"""An Ingress is ready when each path's Service has an Endpoints object and a controller has given it an address."""

from __future__ import annotations

from collections.abc import Iterator

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.base import Awaiter, Context
from lab.kubernetes_plugin.awaits.service import SETTLE_SECONDS
from lab.kubernetes_plugin.awaits.source import Event, Wanted
from lab.kubernetes_plugin.engine import INFO, WARNING

GRACE_SECONDS = 60.0


class IngressAwaiter(Awaiter):
    """Follows one Ingress and the Services and Endpoints of its namespace."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ready = self._settled = self._seen_endpoints = False
        self._endpoints: set[str] = set()
        self._external: set[str] = set()

    def wanted(self) -> list[Wanted]:
        """The Ingress, and Services and Endpoints of any name."""
        return [Wanted("networking.k8s.io/v1", "Ingress", f"metadata.name={self.name}"), Wanted("v1", "Service"), Wanted("v1", "Endpoints")]

    def start(self) -> None:
        """Say what is looked for."""
        self.timers.append((self.context.clock() + GRACE_SECONDS, "grace"))
        self.context.log.status(INFO, "[1/3] Finding a matching service for each Ingress path")

    def handle(self, event: Event) -> None:
        """Take in one event."""
        kind, name = objects.kind(event.obj), objects.name(event.obj)
        if kind == "Ingress":
            self._ready = False
            if event.type != "DELETED":
                self.object = event.obj
                self._ready = bool(objects.pluck(event.obj, "status", "loadBalancer", "ingress"))
        elif kind == "Service":
            if event.type == "DELETED":
                self._external.discard(name)
            elif objects.pluck(event.obj, "spec", "type") == "ExternalName":
                self._external.add(name)
        else:
            self._seen_endpoints = True
            (self._endpoints.discard if event.type == "DELETED" else self._endpoints.add)(name)
            self._settled = False
            self.timers.append((self.context.clock() + SETTLE_SECONDS, "settled"))

    def timer_due(self, label: str) -> None:
        """Endpoints were left alone for a while, or none came at all."""
        if label == "settled" or not self._seen_endpoints:
            self._settled = True

    def settle(self) -> None:
        """Take the endpoints for final."""
        self._settled = True

    def _backends(self) -> Iterator[tuple[str, str, str]]:
        for rule in objects.pluck(self.object, "spec", "rules") or []:
            for path in objects.pluck(rule, "http", "paths") or []:
                name = objects.text(path, "backend", "service", "name")
                if name and name not in self._external:
                    yield rule.get("host") or "", path.get("path") or "", name

    def _targets_found(self) -> bool:
        for host, path, name in self._backends():
            if name in self._endpoints:
                continue
            if not self._settled:
                return False
            place = f'"{host}{path}"' if host or path else '"" (default path)'
            self.context.log.status(WARNING, f'No matching service found for ingress rule: {place} -> "{name}"')
        return True

    def done(self) -> bool:
        """An address, and endpoints for every path (or proof that they won't come)."""
        found = self._targets_found()
        if self._ready and found:
            self.context.log.status(INFO, "Ingress initialization complete")
            return True
        if found:
            self.context.log.status(INFO, "[2/3] Waiting for update of .status.loadBalancer with hostname/IP")
        return False

    def good_enough(self) -> bool:
        """Nothing is passed that is not ready, but a target may just not have settled."""
        return self._ready and self._targets_found()

    def errors(self) -> list[str]:
        """Paths without a target, no address."""
        messages: list[str] = []
        if not self._targets_found():
            messages.append("Ingress has at least one rule with an unavailable target endpoint.")
        if not self._ready:
            messages.append(
                "Ingress .status.loadBalancer field was not updated with a hostname/IP address. "
                "\n    for more information about this error, see https://pulumi.io/xdv72s"
            )
        return messages
