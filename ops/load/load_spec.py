"""What Locust is asked to do: a file that the run writes, and may write again with another
curve.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ops.load.profile import Profile


class LoadSpec:
    """The order in a file, as it stands now."""

    def __init__(self, place: Path) -> None:
        self._place, self._stamp = place, -1
        self._profile = Profile("none", ((0.0, 0.0),))

    def read(self) -> dict[str, Any]:
        """All of it."""
        return json.loads(self._place.read_text())

    def profile(self) -> Profile:
        """The curve; read again when the file is another one."""
        stamp = self._place.stat().st_mtime_ns
        if stamp != self._stamp:
            found = self.read()
            self._profile = Profile(
                found["name"],
                tuple((float(second), float(rate)) for second, rate in found["points"]),
                found["steps"],
            )
            self._stamp = stamp
        return self._profile
