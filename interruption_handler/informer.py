"""A local copy of objects in the API server, kept current by a list and watches in a thread of its
own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .kube import Api, ApiError, Object
from .log import log_event

TOO_OLD = 410
WATCH_SECONDS = 240
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds between two attempts after a failed list or watch; the pause doubles each time."""


class Informer:
    """The objects of one list, by name, each reduced by `reduce`; None leaves an object out."""

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        reduce: Callable[[Object], Any],
        changed: threading.Event,
    ) -> None:
        """`path` and `query` name the list; `changed` is set when a reduced object changes."""
        self._api, self._path, self._query = api, path, dict(query)
        self._reduce, self._changed = reduce, changed
        self._objects: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.synced = threading.Event()
        """Set once the first list is complete."""

    def start(self) -> None:
        """Start the thread that lists and watches; returns at once."""
        threading.Thread(target=self._follow, name=f"watch {self._path}", daemon=True).start()

    def objects(self) -> dict[str, Any]:
        """The reduced objects at this moment, by name."""
        with self._lock:
            return dict(self._objects)

    def _follow(self) -> None:
        version, pause = "", FIRST_PAUSE
        while True:
            try:
                version = version or self._list()
                version = self._watch(version)
                pause = FIRST_PAUSE
            except ApiError as error:
                if error.status != TOO_OLD:
                    log_event("watch failed", level="warning", path=self._path, error=str(error))
                    time.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                version = ""

    def _list(self) -> str:
        """List all objects; returns the resource version to watch from."""
        answer = self._api.get(self._path, **self._query)
        reduced = {raw["metadata"]["name"]: self._reduce(raw) for raw in answer.get("items") or []}
        with self._lock:
            self._objects = {name: value for name, value in reduced.items() if value is not None}
        self.synced.set()
        self._changed.set()
        return answer["metadata"]["resourceVersion"]

    def _watch(self, version: str) -> str:
        """Follow changes until the server ends the watch; returns the version to continue from."""
        query = {**self._query, "resourceVersion": version}
        for event, raw in self._api.watch(self._path, query, WATCH_SECONDS):
            version = raw["metadata"]["resourceVersion"]
            if event != "BOOKMARK":
                self._apply(event, raw)
        return version

    def _apply(self, event: str, raw: Object) -> None:
        name = raw["metadata"]["name"]
        value = None if event == "DELETED" else self._reduce(raw)
        with self._lock:
            before = self._objects.get(name)
            if value is None:
                self._objects.pop(name, None)
            else:
                self._objects[name] = value
        if value != before:  # a kubelet's heartbeat changes nothing in the reduced node
            self._changed.set()
