"""A local copy of objects in the API server, kept current by a list and watches in a thread of its
own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import backoff, metrics
from .kube import Api, ApiError, Object
from .log import log_event

TOO_OLD = 410
PAGE = 250
"""Objects in one answer to a list: of a large cluster only so many are in memory unreduced."""


@dataclass(frozen=True)
class Times:
    """When an informer asks again, in seconds. The sum of `silence`, two request timeouts and a
    pause bounds how late a change is seen when a connection dies without a word: 70 s and a moment.
    """

    watch: float = 40
    """Length of a watch; the server ends it. Short, so that its end is a sign of life that comes
    also where nothing changes and no bookmark is sent.
    """
    silence: float = 50
    """After how long a watch that the server did not end is given up."""
    resync: float = 600
    """After how long the objects are listed again although no watch failed."""
    first_pause: float = 0.2
    """Pause after a failed list or watch; it doubles with each failure in a row."""
    longest_pause: float = 10
    """Longest such pause, unless the server asks for a longer one."""


class Informer:
    """The objects of one list, by name, each reduced by `reduce`; None leaves an object out."""

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        reduce: Callable[[Object], Any],
        changed: threading.Event,
        times: Times | None = None,
    ) -> None:
        """`path` and `query` name the list; `changed` is set when a reduced object changes."""
        self._api, self._path, self._query = api, path, dict(query)
        self._reduce, self._changed, self._times = reduce, changed, times or Times()
        self._objects: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._listed = 0.0
        self._stopped = threading.Event()
        self.synced = threading.Event()
        """Set once the first list is complete."""
        self.reported = time.monotonic()
        """When the thread last had an answer or a failure: it is alive if that is recent."""
        self.heard = time.monotonic()
        """When the server last answered: the copy is current if that is recent."""

    def start(self) -> None:
        """Start the thread that lists and watches; returns at once."""
        threading.Thread(target=self._follow, name=f"watch {self._path}", daemon=True).start()

    def stop(self) -> None:
        """End the thread when its current request ends."""
        self._stopped.set()

    def objects(self) -> dict[str, Any]:
        """The reduced objects at this moment, by name."""
        with self._lock:
            return dict(self._objects)

    def _follow(self) -> None:
        """List, then watch; after any failure pause and list again. Only `stop` ends it."""
        version, failures = "", 0
        while not self._stopped.is_set():
            retry_after = 0.0
            try:
                if not version or time.monotonic() - self._listed > self._times.resync:
                    version = self._list()
                began, before = time.monotonic(), version
                version = self._watch(version)
                self._count("ended")
                if version != before or time.monotonic() - began >= self._times.first_pause:
                    failures = 0
                    continue
                failures += 1  # a watch that ends at once, again and again, is no watch
            except Exception as error:
                version, failures = "", failures + 1
                self.reported = time.monotonic()
                expired = isinstance(error, ApiError) and error.status == TOO_OLD
                self._count("expired" if expired else "failed")
                if expired and failures == 1:
                    continue  # the usual end of a long pause between events: list at once
                retry_after = error.retry_after if isinstance(error, ApiError) else 0.0
                log_event(
                    "watch failed",
                    level="warning" if isinstance(error, ApiError) else "error",
                    path=self._path,
                    error=str(error) if isinstance(error, ApiError) else repr(error),
                )
            first, longest = self._times.first_pause, self._times.longest_pause
            self._stopped.wait(backoff.pause(failures, first, longest, retry_after))

    def _list(self) -> str:
        """List all objects, page by page; returns the resource version to watch from."""
        listed: dict[str, Any] = {}
        query = {**self._query, "limit": str(PAGE)}
        while True:
            answer = self._api.get(self._path, **query)
            self._hear()
            for raw in answer.get("items") or []:
                if (value := self._reduced(raw)) is not None:
                    listed[raw["metadata"]["name"]] = value
            meta = answer["metadata"]
            if not meta.get("continue"):
                break
            query["continue"] = meta["continue"]
        with self._lock:
            self._objects = listed
        self._listed = time.monotonic()
        self.synced.set()
        self._changed.set()
        return meta["resourceVersion"]

    def _watch(self, version: str) -> str:
        """Follow changes until the server ends the watch; returns the version to continue from."""
        query = {**self._query, "resourceVersion": version}
        for event, raw in self._api.watch(
            self._path, query, self._times.watch, self._times.silence
        ):
            self._hear()
            version = raw["metadata"]["resourceVersion"]
            if event != "BOOKMARK":
                self._apply(event, raw)
        self._hear()
        return version

    def _apply(self, event: str, raw: Object) -> None:
        name = raw["metadata"]["name"]
        value = None if event == "DELETED" else self._reduced(raw)
        with self._lock:
            before = self._objects.get(name)
            if value is None:
                self._objects.pop(name, None)
            else:
                self._objects[name] = value
        if value != before:  # a kubelet's heartbeat changes nothing in the reduced node
            self._changed.set()

    def _reduced(self, raw: Object) -> Any:
        """The reduced object. One that can't be read is left out: it must not hide the others."""
        try:
            return self._reduce(raw)
        except Exception as error:
            name = raw["metadata"]["name"]
            log_event(
                "object not read", level="error", path=self._path, name=name, error=repr(error)
            )
            return None

    def _count(self, why: str) -> None:
        metrics.WATCHES.add(resource=self._path.rpartition("/")[2], why=why)

    def _hear(self) -> None:
        self.heard = self.reported = time.monotonic()
