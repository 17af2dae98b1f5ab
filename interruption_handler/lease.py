"""Which of the replicas acts: the holder of a Lease. The Lease also keeps the few notes that no
other object can carry.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from .kube import Api, ApiError
from .log import log_event
from .model import Config, seconds

DURATION = 15
RENEW = 4.0
MISSING, TAKEN = 404, 409


def holder(lease: dict[str, Any], now: float) -> str:
    """Who holds a Lease at `now` (seconds since 1970); empty when nobody does any more."""
    spec = lease.get("spec") or {}
    lasts = float(spec.get("leaseDurationSeconds") or DURATION)
    return (
        (spec.get("holderIdentity") or "") if seconds(spec.get("renewTime")) + lasts > now else ""
    )


class Lease:
    """Holds or waits for the Lease in a thread of its own."""

    def __init__(self, api: Api, config: Config, identity: str, changed: threading.Event) -> None:
        self._api, self._identity, self._changed = api, identity, changed
        self._base = f"/apis/coordination.k8s.io/v1/namespaces/{config.namespace}/leases"
        self._name = config.name
        self._until = 0.0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.notes: dict[str, str] = {}

    @property
    def held(self) -> bool:
        """Whether this process may act. Ends by itself when renewing fails, before another one may
        take over.
        """
        return time.monotonic() < self._until

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def save_note(self, key: str, value: str | None) -> None:
        """Write a note on the Lease; None removes it. Raises ApiError."""
        with self._lock:
            answer = self._api.patch(
                f"{self._base}/{self._name}", {"metadata": {"annotations": {key: value}}}
            )
            self.notes = dict(answer["metadata"].get("annotations") or {})

    def release(self) -> None:
        """Let another replica take over at once."""
        self._stopped.set()
        if self.held:
            self._until = 0.0
            try:
                lease = self._api.get(f"{self._base}/{self._name}")
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
                if error.status != TAKEN:
                    log_event("lease not renewed", level="warning", error=str(error))
            if self.held != before:
                log_event("leading" if self.held else "waiting", identity=self._identity)
                self._changed.set()
            self._stopped.wait(RENEW if self.held else RENEW / 2)

    def _take(self) -> bool:
        try:
            lease = self._api.get(f"{self._base}/{self._name}")
        except ApiError as error:
            if error.status != MISSING:
                raise
            self._api.call(
                "POST",
                self._base,
                {"metadata": {"name": self._name}, "spec": self._spec(self._identity, 0)},
            )
            self.notes = {}
            return True
        if holder(lease, time.time()) not in ("", self._identity):
            return False
        self.notes = dict(lease["metadata"].get("annotations") or {})
        self._write(lease, self._identity)
        return True

    def _write(self, lease: dict[str, Any], identity: str) -> None:
        """With the version read, so that of two that take it at once one is refused."""
        spec = lease.get("spec") or {}
        changes = int(spec.get("leaseTransitions") or 0) + (spec.get("holderIdentity") != identity)
        body = {
            "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
            "spec": self._spec(identity, changes),
        }
        self._api.patch(f"{self._base}/{self._name}", body)

    def _spec(self, identity: str, changes: int) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": identity,
            "leaseDurationSeconds": DURATION,
            "renewTime": now,
            "leaseTransitions": changes,
        }
