"""Progress lines: what is being done, for how long already."""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives one finished line of text, without line end."""

INTERVAL_SECONDS = 10.0


def to_stderr(line: str) -> None:
    """The usual receiver of progress lines."""
    print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A duration for people: `duration(83)` is "1 min 23 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Ticker:
    """Says at most once in `INTERVAL_SECONDS` how far a long step is."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._what = what
        self.started = time.monotonic()
        self._last = self.started

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def tick(self, detail: str) -> None:
        """Shows `detail` with the elapsed time if the last line is old enough."""
        now = time.monotonic()
        if now - self._last < INTERVAL_SECONDS:
            return
        self._last = now
        self._progress(f"{self._what}: {duration(self.elapsed)}, {detail}")
