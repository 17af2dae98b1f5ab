"""Leader election: of the handler's replicas the holder of a Lease acts. The Lease's annotations
also keep the few notes that belong to no other object.

The rules are those of client-go's leaderelection package. A replica does not compare another one's
`renewTime` with its own clock: it measures, by its own monotonic clock, how long it has seen the
Lease unchanged. The holder stops acting `RENEW_DEADLINE` seconds after the last renewal that it
began, `DURATION - RENEW_DEADLINE` seconds before anybody else may take the Lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from . import backoff
from .config import Config
from .kube import Api, ApiError, LeaseLostError
from .log import log_event

DURATION = 15
"""Seconds for which a Lease must be seen unchanged before another replica takes it."""
RENEW_DEADLINE = 10.0
"""Seconds after its last renewal at which the holder stops acting."""
RENEW = 4.0
"""Seconds between two renewals; half of it between two attempts to take the Lease."""
REQUEST_SECONDS = 4.0
"""Timeout of a request about the Lease: two attempts fit into `RENEW_DEADLINE`."""
NOT_FOUND, CONFLICT = 404, 409


class Lease:
    """Holds the Lease or waits for it, in a thread of its own."""

    def __init__(
        self,
        api: Api,
        config: Config,
        identity: str,
        changed: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`identity` is this replica's name; `changed` is set when it becomes the leader or stops
        being the leader; `clock` returns monotonic seconds.
        """
        self._api, self._identity, self._changed = api, identity, changed
        self._clock = clock
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{config.namespace}/leases"
        self._name = config.name
        self._path = f"{self._leases}/{self._name}"
        self._renewed: float | None = None
        """When the last renewal that succeeded began; None while another replica may be the
        leader.
        """
        self._seen: dict[str, Any] = {}
        """The Lease's spec as last read, and since when it is like that."""
        self._seen_at = 0.0
        self._version: str | None = None
        """Resource version that this replica wrote last."""
        self._leading = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.notes: dict[str, str] = {}
        """Annotations of the Lease, as last read or written."""
        self.reported: float | None = None
        """When the thread last finished an attempt (`clock`); None before `start`."""

    @property
    def held(self) -> bool:
        """Whether this replica may act. Becomes false when renewals fail, before another replica
        can take the Lease.
        """
        renewed = self._renewed
        return renewed is not None and self._clock() < renewed + RENEW_DEADLINE

    def permit(self) -> float:
        """Seconds within which a write that begins now must be answered: then another replica may
        be the leader. Raises LeaseLostError when this replica is not the leader.
        """
        renewed, now = self._renewed, self._clock()
        if renewed is None or now >= renewed + RENEW_DEADLINE:
            raise LeaseLostError(f"{self._identity} does not hold the lease {self._name}")
        return renewed + DURATION - now

    def start(self) -> None:
        """Start the thread that takes and renews the Lease; returns at once."""
        self.reported = self._clock()
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def save_note(self, key: str, value: str | None) -> None:
        """Write a note as an annotation of the Lease; None removes it. Refused by the server if
        another replica has written the Lease since. Raises ApiError, LeaseLostError.
        """
        with self._lock:
            self.permit()
            meta: dict[str, Any] = {"annotations": {key: value}}
            if self._version:
                meta["resourceVersion"] = self._version
            self._remember(self._api.patch(self._path, {"metadata": meta}))

    def release(self) -> None:
        """Stop renewing, and let another replica take the Lease at once."""
        self._stopped.set()
        with self._lock:
            held, self._renewed = self.held, None
            if not held:
                return
            try:
                lease = self._api.get(self._path)
                if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                    self._write(lease, "")
            except ApiError as error:
                log_event("lease not released", level="warning", error=str(error))

    def _keep(self) -> None:
        """Renew or try to take the Lease until `release`; no failure ends it."""
        failures = 0
        while not self._stopped.is_set():
            retry_after = 0.0
            try:
                self._attempt()
                failures = 0
            except Exception as error:
                failures += 1
                if isinstance(error, ApiError):
                    retry_after = error.retry_after
                    if error.status != CONFLICT:
                        log_event("lease not renewed", level="warning", error=str(error))
                else:
                    log_event("lease not renewed", level="error", error=repr(error))
            if self.held != self._leading:
                self._leading = not self._leading
                log_event("leading" if self._leading else "waiting", identity=self._identity)
                self._changed.set()
            self.reported = self._clock()
            if failures:
                pause = backoff.pause(failures, RENEW / 8, RENEW / 2, retry_after)
            else:
                pause = RENEW if self._leading else backoff.pause(1, RENEW / 2, RENEW / 2)
            self._stopped.wait(pause)

    def _attempt(self) -> None:
        """One renewal, or one attempt to take the Lease. Raises ApiError."""
        with self._lock:
            if self._stopped.is_set():
                return
            began = self._clock()
            self._renewed = began if self._take() else None

    def _take(self) -> bool:
        """Take or renew the Lease; whether this replica holds it now. Raises ApiError."""
        try:
            lease = self._api.get(self._path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            body = {"metadata": {"name": self._name}, "spec": self._spec(self._identity, 0)}
            self._remember(self._api.call("POST", self._leases, body))
            return True
        spec = lease.get("spec") or {}
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()
        duration = float(spec.get("leaseDurationSeconds") or DURATION)
        if (
            spec.get("holderIdentity") not in (None, "", self._identity)
            and self._clock() - self._seen_at < duration
        ):
            return False
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
        self._remember(self._api.patch(self._path, body))

    def _remember(self, lease: dict[str, Any]) -> None:
        """What the server answered to a write of this replica."""
        self._version = lease["metadata"].get("resourceVersion")
        self.notes = dict(lease["metadata"].get("annotations") or {})

    def _spec(self, identity: str, changes: int) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": identity,
            "leaseDurationSeconds": DURATION,
            "renewTime": now,
            "leaseTransitions": changes,
        }
