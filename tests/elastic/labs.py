"""The labs of a session, one at a time: two of them on one machine would measure each other."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

from tests import turn
from tests.elastic.live import LONG, QUIET, Live
from tests.elastic.rig import Rig, deployed


class Labs:
    """Hands out labs. What has become of a lab is nobody else's beginning, but for `peak`, which
    restores its own.
    """

    def __init__(self, place: pathlib.Path) -> None:
        self._place, self._number = place, 0
        self._open = contextlib.ExitStack()
        self._peak: Live | None = None

    def fresh(
        self,
        changes: dict[str, dict[str, Any]] | None = None,
        secrets: dict[str, str] | None = None,
        **delays: float,
    ) -> Rig:
        """The stack as it is shipped, with these changes and secrets, in a lab of its own with
        these delays; the lab before is taken down.
        """
        rig = self._deploy(changes, delays, secrets)
        turn.wait()  # from here on seconds of the machine count
        return rig

    def _deploy(
        self,
        changes: dict[str, dict[str, Any]] | None,
        delays: dict[str, float],
        secrets: dict[str, str] | None = None,
    ) -> Rig:
        self.close()
        self._number += 1
        place = self._place / str(self._number)
        place.mkdir()
        return self._open.enter_context(deployed(place, changes, delays, secrets))

    def peak(self) -> Live:
        """Steady load that needs 20 pods, which serve, in the wanted mix, with nothing going on.

        One run for all tests that begin there, in whatever order: getting there takes half an hour,
        coming back to it minutes.
        """
        if self._peak is None:
            self._peak = self._open.enter_context(
                self._deploy(None, {}).load("peak", (0, QUIET), (LONG, QUIET))
            )
        live = self._peak
        live.rig.market(stock=[])
        live.rig.metrics("normal")
        live.rise()
        live.settle()
        return live

    def close(self) -> None:
        """Take down what is up."""
        self._peak = None
        self._open.close()
