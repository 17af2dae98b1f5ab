"""Waiting until an object is gone."""

from __future__ import annotations

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.base import Awaiter, AwaitError, Context
from lab.kubernetes_plugin.awaits.source import Event, Wanted
from lab.kubernetes_plugin.cluster import ApiError
from lab.kubernetes_plugin.engine import INFO, WARNING


class DeletionAwaiter(Awaiter):
    """Waits for one object, known by its uid, to go."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._gone = False

    def wanted(self) -> list[Wanted]:
        """The object itself."""
        return [Wanted(objects.api_version(self.object), objects.kind(self.object), f"metadata.name={self.name}")]

    def start(self) -> None:
        """It may be gone already."""
        self._look()

    def _look(self) -> None:
        try:
            live = self.context.cluster.get(self.context.current)
        except ApiError as error:
            if error.code != 404:
                raise
            self._gone = True
        else:
            self._gone = self._is_other(live)

    def _is_other(self, live: objects.Object) -> bool:
        wanted = objects.uid(self.context.current)
        return bool(wanted) and objects.uid(live) != wanted

    def listed(self, kind: str, uids: list[str]) -> None:
        """It may have gone between the first look and the list; then no event will ever tell."""
        if kind == objects.kind(self.context.current) and not uids:
            self._gone = True

    def handle(self, event: Event) -> None:
        """Take in a change; another object of the same name means that ours is gone."""
        if event.type == "DELETED" or self._is_other(event.obj):
            self._gone = True
            return
        self.object = event.obj
        leaving = objects.pluck(event.obj, "metadata", "deletionTimestamp")
        self.context.log.status(INFO, "Resource scheduled for deletion" if leaving else "Resource is current")

    def done(self) -> bool:
        """Whether it is gone."""
        return self._gone

    def good_enough(self) -> bool:
        """One last look before giving up."""
        try:
            self._look()
        except ApiError as error:
            raise AwaitError(error.message, self.object) from error
        if not self._gone:
            finalizers = objects.pluck(self.object, "metadata", "finalizers") or []
            self.context.log.lasting(WARNING, f"finalizers might be preventing deletion ({', '.join(finalizers)})")
        return self._gone

    def timed_out(self) -> str:
        """The message when the limit has passed."""
        return "timed out waiting for the condition"

    def cancelled(self) -> str:
        """The message when the user gave up."""
        return "timed out waiting for the condition: context canceled"
