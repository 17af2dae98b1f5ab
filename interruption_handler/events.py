"""Kubernetes Events: what the handler did, on the object it did it to, for `kubectl describe` and
`kubectl get events`.

They are objects of events.k8s.io/v1, the API that the scheduler's and client-go's newer recorder
use: it has fields for the action and the reporting pod, the server validates them, and the same
object is readable by core/v1, where `kubectl describe` looks.

An Event never delays an action: `record` puts it into a bounded queue, and a thread of its own
sends it, at most `RATE` a second. What the queue does not hold, what the server refuses and what is
left when the Lease is lost is dropped and counted (`metrics.EVENTS_DROPPED`). What happens to an
object again for the same reason is no new Event, but a series of the first one.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import capacity_mix, metrics
from .actions import (
    CONFLICT,
    NOT_FOUND,
    TOO_MANY_REQUESTS,
    Action,
    Cordon,
    Delete,
    Detach,
    Evict,
    ForceDelete,
    Reattach,
    SaveNote,
    SetDeletionCost,
    SetMinReplicas,
    Uncordon,
)
from .kube import Api, ApiError, LeaseLostError
from .log import log_event
from .snapshot import Node, Pod

CONTROLLER = "elastic-inference/interruption-handler"
"""`reportingController` of the Events; by it they can be selected."""
NODE_NAMESPACE = "default"
"""Namespace of Events about nodes: the API server takes them nowhere else but in kube-system."""
RATE = 10.0
"""Events sent in a second at most."""
BURST = 50
"""Events sent at once at most, after a while without any."""
QUEUE = 1000
"""Events that wait at most."""
SERIES_SECONDS = 300.0
"""Seconds between two updates of a series; the first repetition is sent at once."""
SERIES_ENDS = 1800.0
"""Seconds without a repetition after which the next one is a new Event."""
KNOWN = 5000
"""Series remembered at most; the oldest is forgotten first."""
REQUEST_SECONDS = 5.0
"""Timeout of a request."""
LONGEST_NOTE, LONGEST_NAME = 1000, 200
"""Characters of an Event's text and of the object's name in an Event's name; the API takes 1024
bytes and 253.
"""
LOG_EVERY = 600.0
"""Seconds between two lines in the log about Events that could not be sent."""


@dataclass(frozen=True)
class Ref:
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    """Empty for a node."""
    name: str
    uid: str

    def body(self) -> dict[str, str]:
        """The object reference as the API has it."""
        fields = {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
        }
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True)
class Event:
    """Something that happened to an object."""

    regarding: Ref
    reason: str
    """One word, as Kubernetes' own: Cordoned, EvictionRefused."""
    action: str
    """What the handler did or tried."""
    note: str
    """The text for people."""
    warning: bool = False
    related: Ref | None = None

    @property
    def key(self) -> tuple[Ref, str, str]:
        """What makes it the same as another one."""
        return self.regarding, self.reason, self.action


@dataclass(frozen=True)
class Objects:
    """Refers to the objects that actions concern."""

    namespace: str
    """The model server's."""
    deployment: Ref
    hpa: Ref

    def node(self, node: Node) -> Ref:
        """A node."""
        return Ref("v1", "Node", "", node.name, node.uid)

    def pod(self, pod: Pod) -> Ref:
        """A pod of the model server or of the headroom."""
        return Ref("v1", "Pod", self.namespace, pod.name, pod.uid)


_REASONS = {
    "notice": "its instance is about to be reclaimed",
    "mix": "more pay-as-you-go nodes run than the mix asks for",
}
_WORDS: dict[type, tuple[str, str, str]] = {
    Cordon: ("Cordoned", "Cordon", "cordon the node"),
    Uncordon: ("Uncordoned", "Uncordon", "uncordon the node"),
    Detach: ("Detached", "Detach", "detach the pod from its ReplicaSet, which replaces it"),
    Reattach: ("Reattached", "Reattach", "give the pod back to its ReplicaSet"),
    Evict: ("Evicted", "Eviction", "evict the pod"),
    Delete: ("Deleted", "Deletion", "delete the pod"),
    ForceDelete: ("Deleted", "Deletion", "delete the pod without a grace period"),
    SetMinReplicas: ("MinReplicasSet", "MinReplicas", "set minReplicas"),
    SaveNote: ("MixChanged", "Mix", "note the state of the mix"),
}
"""For each action that Events tell of: the reason when it was done, the beginning of the reason
when it failed, and what it does. Deletion costs and other notes have none: they change nothing by
themselves, and costs are up to fifty a round.
"""


def of_action(action: Action, outcome: str, detail: str, objects: Objects) -> Event | None:
    """The Event of an action with this outcome (as in `metrics.ACTIONS`); None where there is
    nothing to tell: a pod that is gone, an object that has changed meanwhile. `detail` is the
    server's message.
    """
    silent = isinstance(action, SetDeletionCost) or (
        isinstance(action, SaveNote) and action.key != capacity_mix.NOTE
    )
    if silent or outcome not in ("done", "dry_run", "refused", "failed"):  # fmt: skip
        return None
    done, failed, text = _WORDS[type(action)]
    match action:
        case Cordon(node, _) | Uncordon(node, _):
            regarding, related = objects.node(node), None
        case SetMinReplicas(replicas, _):
            regarding, related = objects.hpa, None
            text += f" to {replicas}"
        case SaveNote():
            regarding, related = objects.deployment, None
        case _:
            regarding = objects.pod(action.pod)
            on = action.pod.node
            related = Ref("v1", "Node", "", on, "") if on else None
            text += f" on node {on}" if on else ""
    why = _REASONS.get(action.why, action.why)
    because = f": {why}" if why else ""
    if outcome == "done":
        return Event(regarding, done, _name(action), f"{text[0].upper()}{text[1:]}{because}", related=related)  # fmt: skip
    if outcome == "dry_run":
        return Event(regarding, f"Would{_name(action)}", _name(action), f"Dry run: would {text}{because}", related=related)  # fmt: skip
    refused = outcome == "refused"
    reason = f"{failed}{'Refused' if refused else 'Failed'}"
    note = f"{'The server refused to' if refused else 'Could not'} {text}{because}: {detail}"
    return Event(regarding, reason, _name(action), note, warning=True, related=related)


def outcome_of(status: int) -> str:
    """The outcome of an action that the server answered with this status from 400 on; 0 is no
    answer.
    """
    known = {NOT_FOUND: "gone", CONFLICT: "conflict", TOO_MANY_REQUESTS: "refused"}
    return known.get(status, "failed")


def _name(action: Action) -> str:
    return type(action).__name__


@dataclass
class _Series:
    """One Event in the cluster, or on its way there."""

    event: Event
    count: int = 1
    sent: int = 0
    """The count that the cluster knows; 0 before it knows the Event."""
    name: str = ""
    first: datetime = field(default_factory=lambda: datetime.now(UTC))
    last: datetime = field(default_factory=lambda: datetime.now(UTC))
    seen: float = 0.0
    sent_at: float = 0.0
    waits: bool = False


class Recorder:
    """Sends Events in a thread of its own."""

    def __init__(
        self,
        api: Api,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
        size: int = QUEUE,
    ) -> None:
        """`api` is asked with its permit before each Event, so that none is written after the Lease
        is lost; `identity` is this replica's name; `clock` returns monotonic seconds.
        """
        self._api, self._identity, self._clock = api, identity, clock
        self._waiting: queue.Queue[_Series] = queue.Queue(size)
        self._known: OrderedDict[tuple[Ref, str, str], _Series] = OrderedDict()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._room, self._filled = float(BURST), clock()
        self._logged: float | None = None

    def record(self, event: Event) -> None:
        """Note an Event for sending. Returns at once and never fails."""
        now = self._clock()
        with self._lock:
            series = self._known.get(event.key)
            if series is None or now - series.seen > SERIES_ENDS:
                series = self._known[event.key] = _Series(event, seen=now)
            else:
                series.count += 1
                series.seen, series.last = now, datetime.now(UTC)
            self._known.move_to_end(event.key)
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)
            repeated_lately = series.sent > 1 and now - series.sent_at < SERIES_SECONDS
            if series.waits or repeated_lately:
                return
            try:
                self._idle.clear()
                self._waiting.put_nowait(series)
                series.waits = True
            except queue.Full:
                if not series.sent:  # what the cluster does not know begins anew
                    self._known.pop(event.key, None)
                metrics.EVENTS_DROPPED.add(why="queue_full")

    def start(self) -> None:
        """Start the thread that sends; returns at once."""
        threading.Thread(target=self._follow, name="events", daemon=True).start()

    def stop(self, seconds: float) -> None:
        """Send what waits for at most so many seconds, then end the thread; the rest is dropped."""
        if not self._waiting.empty():
            self._idle.wait(seconds)
        self._stopped.set()
        self._drop("ended")

    def _follow(self) -> None:
        """Send one Event after the other until `stop`; no failure ends it."""
        while not self._stopped.is_set():
            try:
                series = self._waiting.get(timeout=0.2)
            except queue.Empty:
                self._idle.set()
                continue
            self._stopped.wait(self._pause())
            if not self._stopped.is_set():
                self._stopped.wait(self._deliver(series))
            else:
                metrics.EVENTS_DROPPED.add(why="ended")

    def _pause(self) -> float:
        """Seconds to wait before the next Event may be sent; takes its place."""
        now = self._clock()
        self._room = min(float(BURST), self._room + (now - self._filled) * RATE) - 1
        self._filled = now
        return max(0.0, -self._room / RATE)

    def _deliver(self, series: _Series) -> float:
        """Send an Event; drop it if that fails. Returns how long the server wants to be left
        alone, in seconds.
        """
        with self._lock:
            series.waits = False
        try:
            self._send(series)
        except LeaseLostError:
            metrics.EVENTS_DROPPED.add(why="lease_lost")
            self._forget(series)
            self._drop("lease_lost")
            return 0.0
        except Exception as error:
            metrics.EVENTS_DROPPED.add(why="failed")
            self._forget(series)
            now = self._clock()
            if self._logged is None or now - self._logged >= LOG_EVERY:
                self._logged = now
                text = str(error) if isinstance(error, ApiError) else repr(error)
                log_event("events not sent", level="warning", error=text)
            return min(60.0, error.retry_after) if isinstance(error, ApiError) else 0.0
        metrics.EVENTS.add()
        return 0.0

    def _send(self, series: _Series) -> None:
        """Create the Event, or update its series. Raises ApiError, LeaseLostError."""
        event, count = series.event, series.count
        namespace = event.regarding.namespace or NODE_NAMESPACE
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        repeated = {"count": count, "lastObservedTime": _micro(series.last)}
        if series.sent:
            self._api.patch(f"{path}/{series.name}", {"series": repeated})
        else:
            name = f"{event.regarding.name[:LONGEST_NAME]}.{time.time_ns():x}"
            self._api.call("POST", path, self._body(series, name, namespace))
            series.name = name
            count = 1
        series.sent, series.sent_at = count, self._clock()

    def _body(self, series: _Series, name: str, namespace: str) -> dict[str, Any]:
        event = series.event
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": _micro(series.first),
            "reportingController": CONTROLLER,
            "reportingInstance": self._identity[:128],
            "action": event.action,
            "reason": event.reason,
            "regarding": event.regarding.body(),
            "note": event.note.encode()[:LONGEST_NOTE].decode(errors="ignore"),
            "type": "Warning" if event.warning else "Normal",
        }
        if event.related is not None:
            body["related"] = event.related.body()
        return body

    def _forget(self, series: _Series) -> None:
        """What could not be sent begins anew when it happens again."""
        with self._lock:
            if self._known.get(series.event.key) is series:
                del self._known[series.event.key]

    def _drop(self, why: str) -> None:
        """Drop what waits."""
        while True:
            try:
                series = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._forget(series)
            metrics.EVENTS_DROPPED.add(why=why)


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
