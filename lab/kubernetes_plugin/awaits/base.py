"""The common part of all waits: one loop over events, ticks, the time limit and cancellation."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.awaits.source import Event, Sources, Wanted
from lab.kubernetes_plugin.cluster import Cluster
from lab.kubernetes_plugin.engine import WARNING, ResourceLog

TICK_SECONDS = 10.0


class AwaitError(Exception):
    """A wait that ended without success: the object as last seen, and what was still wrong with it."""

    def __init__(self, message: str, obj: objects.Object, causes: list[str] | None = None) -> None:
        super().__init__(message)
        self.object, self.causes = obj, causes or []


class Cancellation:
    """Tells running waits that the user has given up."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._wake: set[Callable[[], None]] = set()
        self._lock = threading.Lock()

    @property
    def requested(self) -> bool:
        """Whether the user has given up."""
        return self._set.is_set()

    def request(self) -> None:
        """End all waits, now and later."""
        self._set.set()
        with self._lock:
            callbacks = list(self._wake)
        for wake in callbacks:
            wake()

    def sleep(self, seconds: float) -> bool:
        """Wait; True if the user gave up meanwhile."""
        return self._set.wait(seconds)

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake` called when the user gives up."""
        with self._lock:
            self._wake.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wake.discard(wake)


@dataclass
class Context:
    """What a wait works with: the object just written (and as it was before an update), and where to look and speak."""

    cluster: Cluster
    log: ResourceLog
    cancellation: Cancellation
    current: objects.Object
    previous: objects.Object | None = None
    clock: Callable[[], float] = field(default=time.monotonic)


class Awaiter:
    """One object's wait. Subclasses say what they watch, take in events and judge."""

    fixed_limit: float | None = None

    def __init__(self, context: Context) -> None:
        self.context = context
        self.object = context.current
        self.timers: list[tuple[float, str]] = []

    @property
    def name(self) -> str:
        """The object's name."""
        return objects.name(self.context.current)

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return objects.namespace(self.context.current)

    def wanted(self) -> list[Wanted]:
        """The kinds to watch."""
        raise NotImplementedError

    def start(self) -> None:
        """Called once before the first event."""

    def handle(self, event: Event) -> None:
        """Take in one event."""
        raise NotImplementedError

    def listed(self, kind: str, uids: list[str]) -> None:
        """Called when all there is of a kind has been told."""

    def done(self) -> bool:
        """Whether the object is ready; may say how far it is."""
        raise NotImplementedError

    def good_enough(self) -> bool:
        """Asked when time is up: whether to let it pass after all."""
        return False

    def errors(self) -> list[str]:
        """What still is wrong."""
        return []

    def tick(self) -> None:
        """Called every ten seconds."""

    def timer_due(self, label: str) -> None:
        """Called when one of `timers` (clock time, label) has come."""

    def timed_out(self) -> str:
        """The message when the limit has passed."""
        return f"'{self.name}' timed out waiting to be Ready"

    def cancelled(self) -> str:
        """The message when the user gave up."""
        return f'Resource operation was cancelled for "{self.name}"'

    def judge_now(self) -> None:
        """One look without waiting, for refresh. Raises AwaitError when the object is not ready."""
        for wanted in self.wanted():
            for obj in self.context.cluster.list(wanted.api_version, wanted.kind, self.namespace, wanted.field_selector):
                self.handle(Event("ADDED", obj))
        self.settle()
        if not self.done():
            raise AwaitError(f"Resource '{self.name}' was created but failed to initialize", self.object, self.errors())

    def settle(self) -> None:
        """Take what was seen for final (used by `judge_now`)."""

    def run(self, seconds: float) -> objects.Object:
        """Wait up to `seconds`; the ready object. Raises AwaitError."""
        clock, inbox = self.context.clock, queue.SimpleQueue[Any]()
        deadline = clock() + (self.fixed_limit if self.fixed_limit is not None else seconds)
        next_tick = clock() + TICK_SECONDS
        self.start()
        sources = Sources(self.context.cluster, self.namespace, [*self.wanted(), events_of(self.context.current)], inbox)
        with sources, self.context.cancellation.waking(lambda: inbox.put(None)):
            while not self.done():
                if self._time_is_up(deadline):
                    break
                if clock() >= next_tick:
                    next_tick += TICK_SECONDS
                    self.tick()
                if self.timers and min(self.timers)[0] <= clock():
                    self.timers.remove(timer := min(self.timers))
                    self.timer_due(timer[1])
                else:
                    self._take(inbox, min(deadline, next_tick, *(due for due, _ in self.timers)) - clock())
        return self.object

    def _take(self, inbox: queue.SimpleQueue[Any], seconds: float) -> None:
        try:
            event = inbox.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return
        if event is None:
            return
        if event.type == "LISTED":
            self.listed(event.obj["kind"], event.obj["uids"])
            return
        if event.obj.get("kind") == "Event":
            if event.obj.get("type") == "Warning":
                self.context.log.status(WARNING, f"{event.obj.get('reason')}: {event.obj.get('message')}")
            return
        self.handle(event)

    def _time_is_up(self, deadline: float) -> bool:
        cancelled = self.context.cancellation.requested
        if not cancelled and self.context.clock() < deadline:
            return False
        if not self.good_enough():
            raise AwaitError(self.cancelled() if cancelled else self.timed_out(), self.object, self.errors())
        return True


def events_of(obj: objects.Object) -> Wanted:
    """The Kubernetes events about an object."""
    return Wanted("v1", "Event", f"involvedObject.uid={objects.uid(obj)}")
