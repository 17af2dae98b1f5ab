"""The load spec: what Locust is told to send, in a file that the run writes and may rewrite with
another profile.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ops.load.profile import Profile


class LoadSpec:
    """The load spec in a file, as it is now."""

    def __init__(self, place: Path) -> None:
        self._place, self._stamp = place, -1
        self._profile = Profile("none", ((0.0, 0.0),))

    def read(self) -> dict[str, Any]:
        """The whole spec, parsed."""
        return json.loads(self._place.read_text())

    def profile(self) -> Profile:
        """The profile of the spec; parsed again when the file has changed."""
        stamp = self._place.stat().st_mtime_ns
        if stamp != self._stamp:
            spec = self.read()
            self._profile = Profile(
                spec["name"],
                tuple((float(second), float(rate)) for second, rate in spec["points"]),
                spec["steps"],
            )
            self._stamp = stamp
        return self._profile
