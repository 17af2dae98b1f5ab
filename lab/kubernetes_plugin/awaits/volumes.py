"""A volume is ready when it is available or bound, a claim when it is bound."""

from __future__ import annotations

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.base import Awaiter, Context
from lab.kubernetes_plugin.awaits.source import Event, Wanted
from lab.kubernetes_plugin.engine import INFO, WARNING

LIMIT_SECONDS = 300.0


class _Polled(Awaiter):
    fixed_limit = LIMIT_SECONDS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._seen = False

    def wanted(self) -> list[Wanted]:
        """The object itself."""
        return [Wanted("v1", objects.kind(self.context.current), f"metadata.name={self.name}")]

    def handle(self, event: Event) -> None:
        """Keep the newest state."""
        if event.type != "DELETED":
            self.object, self._seen = event.obj, True

    def timed_out(self) -> str:
        """The message when the limit has passed."""
        return f"Timeout occurred polling for '{self.name}'"

    def cancelled(self) -> str:
        """The message when the user gave up."""
        return f"Resource operation was cancelled for '{self.name}'"


class VolumeAwaiter(_Polled):
    """Waits for a PersistentVolume."""

    def done(self) -> bool:
        """Available or bound."""
        phase = objects.text(self.object, "status", "phase") if self._seen else ""
        told = {"Available": "✅ PV marked available", "Bound": "✅ PV has been bound"}.get(phase)
        if told:
            self.context.log.status(INFO, told)
        return told is not None


class ClaimAwaiter(_Polled):
    """Waits for a PersistentVolumeClaim; one whose class binds late only has to be pending."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._mode = ""

    def done(self) -> bool:
        """Bound, or waiting for its first pod by its class's will."""
        if not self._seen:
            return False
        self._mode = self._mode or self._bind_mode()
        phase = objects.text(self.object, "status", "phase")
        if self._mode == "WaitForFirstConsumer" and not (self.context.previous is not None and phase == "Bound"):
            return phase == "Pending"
        return phase == "Bound"

    def _bind_mode(self) -> str:
        name = objects.text(self.object, "spec", "storageClassName")
        if not name:
            self.context.log.status(WARNING, f'no storage class found for "{self.name}"')
            return ""
        found = self.context.cluster.find("storage.k8s.io/v1", "StorageClass", "", name)
        if found is None:
            self.context.log.status(WARNING, f'getting storagclass "{name}": storageclasses.storage.k8s.io "{name}" not found')
            return ""
        return objects.text(found, "volumeBindingMode")
