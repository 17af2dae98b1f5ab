"""A run under way in the elastic tests: what to wait for, what to do to it; all times in modelled
seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interruption_handler.pool_sizing import tolerated_on_demand_nodes
from ops.load.profile import Profile
from ops.load.session import Session
from ops.report.run import Growing, Run
from tests import turn

if TYPE_CHECKING:
    from tests.elastic.rig import Rig

CLOCK = int(os.environ.get("ELASTIC_CLOCK", "10"))
"""Modelled seconds in one wall second."""
QUIET = 6.0
FULL = 200.0
"""Requests per second that 20 pods are for."""
LONG = 10 * 86400.0
HANGS = 600.0 * CLOCK
"""Longer than the way up takes, in ten minutes of the machine."""
MIX = {"base": 0, "percent": 30, "points": 4}
"""The wanted mix, and the points above it that the handler lets be."""


class Live:
    """A run under way."""

    def __init__(self, rig: Rig, session: Session) -> None:
        self.rig, self.session = rig, session
        self._recorded = Growing(session.run)
        self._high = False

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self.session.now

    def run(self) -> Run:
        """What has been recorded so far."""
        return self._recorded.run()

    def row(self) -> dict[str, Any]:
        """The last sample."""
        return self.run().samples[-1]

    def until(self, what: Callable[[dict[str, Any]], bool], seconds: float) -> float:
        """Wait until the last sample fulfils `what`; when that was. Fails after `seconds`."""
        end = self.now + seconds
        while self.now < end:
            rows = self.run().samples
            if rows and what(rows[-1]):
                return rows[-1]["t"]
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds} s; last seen: {self.row()}")

    def rise(self) -> None:
        """The load rises within 20 minutes to what 20 pods are for, and stays; returns once they
        serve it. Nothing, if it has risen.
        """
        if not self._high:
            begin = self.now
            self._load((0, QUIET), (begin + 60, QUIET), (begin + 1200, FULL), (begin + LONG, FULL))
            self._high = True
            self.until(
                lambda row: at_twenty(row) or (self.now > begin + 1320 and self._still(120)), HANGS
            )
            turn.wait()  # nothing is measured of the way up: other tests may slow it
            self.until(lambda row: at_twenty(row) or self._still(120), HANGS)
            if not at_twenty(
                self.row()
            ):  # the autoscaler's tolerance lets 19 pods be: a tenth more load moves it on
                now = self.now
                self._load(
                    (0, FULL),
                    (now, 1.1 * FULL),
                    (now + 120, 1.1 * FULL),
                    (now + 121, FULL),
                    (begin + LONG, FULL),
                )
                self.until(at_twenty, 2400)
            self.pause(420)

    def fall(self, within: float = 300) -> None:
        """The load falls within so many seconds to what one pod is for, and stays."""
        begin = self.now
        self._load((0, FULL), (begin, FULL), (begin + within, QUIET), (begin + LONG, QUIET))
        self._high = False

    def settle(self, pods: int = 20, qps: float = FULL) -> None:
        """Wait until what came before is over: so many pods serve, there is no surplus that the
        handler would still replace, all is calm.
        """
        self.until(
            lambda row: (
                row["capacity_qps"] >= qps
                and row["pods"]["ready"] >= pods
                and row["pods"]["pending"] == 0
            ),
            max(1800, HANGS),
        )
        self.until(lambda row: _mixed(row) and self._still(120), max(3600, HANGS))

    def calm(self) -> None:
        """Wait until nothing has moved for two minutes: the same pods wanted and ready, nothing
        booting, nothing expiring.
        """
        self.until(lambda _: self._still(120), max(2400, HANGS))

    def _still(self, seconds: float) -> bool:
        rows = self.run().between(self.now - seconds).samples
        seen = {
            (
                row["pods"]["desired"],
                row["pods"]["ready"],
                row["nodes"]["booting"],
                row["nodes"]["expiring"],
            )
            for row in rows
        }
        wanted, ready, booting, expiring = rows[-1]["pods"]["desired"], *next(iter(seen))[1:]
        return len(seen) == 1 and wanted == ready and not booting and not expiring

    def _load(self, *points: tuple[float, float]) -> None:
        self.session.change(Profile(self.session.title, points))

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds / CLOCK)

    def reclaim(self, **body: Any) -> int:
        """Have the market reclaim preemptible instances; how many."""
        return len(self.rig.lab.control("reclaim", "POST", body)["instances"])


def at_twenty(row: dict[str, Any]) -> bool:
    """Whether 20 pods serve, and no node is on its way for more."""
    return row["pods"]["ready"] >= 20 and row["nodes"]["booting"] == 0


def _mixed(row: dict[str, Any]) -> bool:
    """Whether the handler has no pay-as-you-go node to replace."""
    billed = row["billed"]
    total = billed["on_demand"] + billed["spot"]
    return billed["on_demand"] <= tolerated_on_demand_nodes(total, **MIX)
