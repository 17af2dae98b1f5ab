"""One region: its state, clock, scenario and faults, and what becomes due in it."""

from __future__ import annotations

import copy
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from lab.alicloud import scenario as scenarios
from lab.alicloud.auth.credentials import ensure_credentials
from lab.alicloud.clock import Clock
from lab.alicloud.faults import Faults
from lab.alicloud.regional_store import RegionalStore
from lab.alicloud.store import Store

log = logging.getLogger("region")

Payload = dict[str, Any]
"""What a timer was scheduled with."""
TimerHandler = Callable[["Region", Payload], None]
_TIMERS: dict[str, TimerHandler] = {}


def timer(name: str) -> Callable[[TimerHandler], TimerHandler]:
    """Register what happens when a timer of this name is due."""

    def register(function: TimerHandler) -> TimerHandler:
        _TIMERS[name] = function
        return function

    return register


class Region:
    """Everything the services share. The one that is made sees all regions and bears the home
    region's name; `at` gives one of them.
    """

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self.home = home
        self.clock = clock or Clock()
        self.scenario = scenarios.load(home / "scenario.yaml")
        self.store = Store(home / "data" / "region.sqlite")
        self.faults = Faults(self.scenario.faults, self.store.journal.start)
        self.blobs = home / "data" / "oss"
        self.account, self.name = _account(home)
        self.whole = self
        """All regions together, for what knows no region: timers, the control API, names that are
        taken everywhere.
        """
        self._listeners: list[Callable[[], None]] = []
        self._due_lock = threading.Lock()

    def at(self, name: str) -> Region:
        """One region, with nothing of the others in it."""
        if self is not self.whole and self.name == name:
            return self
        view = copy.copy(self.whole)
        view.name, view.store = (
            name,
            cast(Store, RegionalStore(self.whole.store, name, self.whole.name)),
        )
        return view

    def place(self, kind: str, key: str) -> str:
        """The region that a document belongs to."""
        found = self.whole.store.get("place", f"{kind}:{key}")
        return found["region"] if found else self.whole.name

    def schedule(self, name: str, modelled_seconds: float, **payload: Any) -> None:
        """Call the timer `name` after a modelled delay; survives a restart."""
        assert name in _TIMERS, name
        due = self.clock.now() + self.clock.real_seconds(modelled_seconds)
        self.store.sql(
            "INSERT INTO timer (due, name, payload) VALUES (?,?,?)", due, name, json.dumps(payload)
        )
        self.notify()

    def next_due(self) -> float | None:
        """When the next timer is due (epoch seconds), None when there is none."""
        return self.store.sql("SELECT min(due) AS due FROM timer")[0]["due"]

    def run_due(self) -> None:
        """Run every timer that is due, oldest first, each in its own transaction."""
        while True:
            with self._due_lock, self.store.transaction():
                rows = self.store.sql(
                    "SELECT * FROM timer WHERE due <= ? ORDER BY due, id LIMIT 1", self.clock.now()
                )
                if not rows:
                    return
                self.store.sql("DELETE FROM timer WHERE id = ?", rows[0]["id"])
                try:
                    _TIMERS[rows[0]["name"]](self, json.loads(rows[0]["payload"]))
                except Exception:  # one broken timer must not stop time for everybody
                    log.exception("timer %s failed", rows[0]["name"])
            self.notify()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Be called (from any thread) when timers or instances may have changed."""
        self._listeners.append(listener)

    def forget_listener(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        self._listeners.remove(listener)

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        for listener in list(self._listeners):
            listener()


def _account(home: Path) -> tuple[str, str]:
    own = ensure_credentials(home)
    return own["account_id"], own["region"]
