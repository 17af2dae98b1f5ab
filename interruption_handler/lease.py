"""Leader election: of the handler's replicas the holder of a Lease acts. The Lease's annotations
also keep the few notes that belong to no other object.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from .config import Config
from .kube import Api, ApiError
from .log import log_event
from .snapshot import timestamp

DURATION = 15
"""Seconds after its last renewal for which a Lease is held."""
RENEW = 4.0
"""Seconds between two renewals."""
NOT_FOUND, CONFLICT = 404, 409


def holder(lease: dict[str, Any], now: float) -> str:
    """Identity that holds a Lease object at `now` (seconds since 1970); empty if it has
    expired or was released.
    """
    spec = lease.get("spec") or {}
    duration = float(spec.get("leaseDurationSeconds") or DURATION)
    expired = timestamp(spec.get("renewTime")) + duration <= now
    return "" if expired else spec.get("holderIdentity") or ""


class Lease:
    """Holds the Lease or waits for it, in a thread of its own."""

    def __init__(self, api: Api, config: Config, identity: str, changed: threading.Event) -> None:
        """`identity` is this replica's name; `changed` is set when it becomes the leader or stops
        being the leader.
        """
        self._api, self._identity, self._changed = api, identity, changed
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{config.namespace}/leases"
        self._name = config.name
        self._path = f"{self._leases}/{self._name}"
        self._until = 0.0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.notes: dict[str, str] = {}
        """Annotations of the Lease, as last read or written."""

    @property
    def held(self) -> bool:
        """Whether this replica may act. Becomes false when renewals fail, before another replica
        can take the Lease.
        """
        return time.monotonic() < self._until

    def start(self) -> None:
        """Start the thread that takes and renews the Lease; returns at once."""
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def save_note(self, key: str, value: str | None) -> None:
        """Write a note as an annotation of the Lease; None removes it. Raises ApiError."""
        with self._lock:
            answer = self._api.patch(self._path, {"metadata": {"annotations": {key: value}}})
            self.notes = dict(answer["metadata"].get("annotations") or {})

    def release(self) -> None:
        """Stop renewing, and let another replica take the Lease at once."""
        self._stopped.set()
        if self.held:
            self._until = 0.0
            try:
                lease = self._api.get(self._path)
                if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                    self._write(lease, "")
            except ApiError as error:
                log_event("lease not released", level="warning", error=str(error))

    def _keep(self) -> None:
        while not self._stopped.is_set():
            began, before = time.monotonic(), self.held
            try:
                with self._lock:
                    taken = self._take()
                if taken:
                    self._until = began + DURATION - RENEW
            except ApiError as error:
                if error.status != CONFLICT:
                    log_event("lease not renewed", level="warning", error=str(error))
            if self.held != before:
                log_event("leading" if self.held else "waiting", identity=self._identity)
                self._changed.set()
            self._stopped.wait(RENEW if self.held else RENEW / 2)

    def _take(self) -> bool:
        """Take or renew the Lease; whether this replica holds it now. Raises ApiError."""
        try:
            lease = self._api.get(self._path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            body = {"metadata": {"name": self._name}, "spec": self._spec(self._identity, 0)}
            self._api.call("POST", self._leases, body)
            self.notes = {}
            return True
        if holder(lease, time.time()) not in ("", self._identity):
            return False
        self.notes = dict(lease["metadata"].get("annotations") or {})
        self._write(lease, self._identity)
        return True

    def _write(self, lease: dict[str, Any], identity: str) -> None:
        """Written with the resource version that was read, so that of two replicas that take the
        Lease at the same time one is refused.
        """
        spec = lease.get("spec") or {}
        changes = int(spec.get("leaseTransitions") or 0) + (spec.get("holderIdentity") != identity)
        body = {
            "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
            "spec": self._spec(identity, changes),
        }
        self._api.patch(self._path, body)

    def _spec(self, identity: str, changes: int) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": identity,
            "leaseDurationSeconds": DURATION,
            "renewTime": now,
            "leaseTransitions": changes,
        }
