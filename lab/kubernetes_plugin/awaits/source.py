"""Events from the API server: per kind one thread lists, then watches, and lists again when the stream breaks."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from dataclasses import dataclass
from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.cluster import ApiError, Cluster, NoSuchKind, Unreachable

RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Wanted:
    """A kind to watch in the object's namespace."""

    api_version: str
    kind: str
    field_selector: str | None = None


@dataclass(frozen=True)
class Event:
    """What happened ("ADDED", "MODIFIED" or "DELETED") to which object.

    "LISTED" says that all objects there are of a kind have been told; `obj` then is {"kind": ..., "uids": [...]}.
    """

    type: str
    obj: objects.Object


class Sources:
    """A set of watches that put their events into one queue; leaving the context ends them."""

    def __init__(self, cluster: Cluster, namespace: str, wanted: list[Wanted], inbox: queue.SimpleQueue[Any]) -> None:
        self._streams = [_Stream(cluster, namespace, kind, inbox) for kind in wanted]

    def __enter__(self) -> Sources:
        for stream in self._streams:
            threading.Thread(target=stream.run, name=f"watch-{stream.wanted.kind}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.stop()


class _Stream:
    def __init__(self, cluster: Cluster, namespace: str, wanted: Wanted, inbox: queue.SimpleQueue[Any]) -> None:
        self.wanted = wanted
        self._cluster, self._namespace, self._inbox = cluster, namespace, inbox
        self._known: dict[str, objects.Object] = {}
        self._stopped = threading.Event()
        self._response: Any = None

    def stop(self) -> None:
        """End the watch, also while it is blocked in a read."""
        self._stopped.set()
        _shut(self._response)

    def run(self) -> None:
        """List and watch until stopped; troubles with the server are waited out, the wait's own limit ends them."""
        while not self._stopped.is_set():
            with contextlib.suppress(ApiError, NoSuchKind, Unreachable, OSError, ValueError, AttributeError, *_broken()):
                self._follow(self._relist())
                continue
            self._stopped.wait(RETRY_SECONDS)

    def _relist(self) -> str:
        wanted = self.wanted
        items, version = self._cluster.list_for_watch(wanted.api_version, wanted.kind, self._namespace, wanted.field_selector)
        present = {objects.uid(item): item for item in items}
        for uid in [uid for uid in self._known if uid not in present]:
            self._emit("DELETED", self._known[uid])
        for item in items:
            self._emit("MODIFIED" if objects.uid(item) in self._known else "ADDED", item)
        self._inbox.put(Event("LISTED", {"kind": wanted.kind, "uids": list(present)}))
        return version

    def _follow(self, version: str) -> None:
        wanted = self.wanted
        for event in self._cluster.watch(
            wanted.api_version, wanted.kind, self._namespace, version, self._opened, wanted.field_selector
        ):
            if self._stopped.is_set():
                return
            if event["type"] == "ERROR":
                return  # mostly "too old resource version": list again
            if event["type"] != "BOOKMARK":
                self._emit(event["type"], event["object"])

    def _opened(self, response: Any) -> None:
        self._response = response
        if self._stopped.is_set():
            _shut(response)

    def _emit(self, kind: str, obj: objects.Object) -> None:
        if kind == "DELETED":
            self._known.pop(objects.uid(obj), None)
        else:
            self._known[objects.uid(obj)] = obj
        if not self._stopped.is_set():
            self._inbox.put(Event(kind, obj))


def _broken() -> tuple[type[Exception], ...]:
    from urllib3.exceptions import HTTPError

    return (HTTPError,)


def _shut(response: Any) -> None:
    sock = getattr(getattr(response, "connection", None), "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
