"""A copy of the objects the handler looks at, kept current by watches in threads of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .kube import Api, ApiError, Object
from .log import log_event

TOO_OLD = 410
WATCH_SECONDS = 240


class Informer:
    """The objects of one list, by name. `reduce` makes of each object what is kept; None leaves it
    out.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        reduce: Callable[[Object], Any],
        changed: threading.Event,
    ) -> None:
        self._api, self._path, self._query, self._reduce, self._changed = (
            api,
            path,
            dict(query),
            reduce,
            changed,
        )
        self._kept: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.synced = threading.Event()
        self.heard = 0.0
        """When the server was last heard of here (monotonic)."""

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._follow, name=f"watch {self._path}", daemon=True).start()

    def now(self) -> dict[str, Any]:
        """What is known at this moment."""
        with self._lock:
            return dict(self._kept)

    def _follow(self) -> None:
        version, pause = "", 0.2
        while True:
            try:
                version = version or self._list()
                version = self._watch(version)
                pause = 0.2
            except ApiError as error:
                if error.status != TOO_OLD:
                    log_event("watch broken", level="warning", path=self._path, error=str(error))
                    time.sleep(pause)
                    pause = min(pause * 2, 10)
                version = ""

    def _list(self) -> str:
        found = self._api.get(self._path, **self._query)
        kept = {raw["metadata"]["name"]: self._reduce(raw) for raw in found.get("items") or []}
        with self._lock:
            self._kept = {name: value for name, value in kept.items() if value is not None}
        self.heard = time.monotonic()
        self.synced.set()
        self._changed.set()
        return found["metadata"]["resourceVersion"]

    def _watch(self, version: str) -> str:
        """Follow changes until the server ends the watch; the version to go on from."""
        for kind, raw in self._api.watch(
            self._path, {**self._query, "resourceVersion": version}, WATCH_SECONDS
        ):
            version = raw["metadata"]["resourceVersion"]
            self.heard = time.monotonic()
            if kind != "BOOKMARK":
                self._take(kind, raw)
        self.heard = time.monotonic()
        return version

    def _take(self, kind: str, raw: Object) -> None:
        name = raw["metadata"]["name"]
        value = None if kind == "DELETED" else self._reduce(raw)
        with self._lock:
            before = self._kept.get(name)
            if value is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = value
        if value != before:  # heartbeats change nothing that counts here
            self._changed.set()
