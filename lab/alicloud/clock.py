"""Time in the double: wall-clock stamps, and modelled delays shortened by the factor LAB_CLOCK."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


class Clock:
    """All time the double knows. `factor` 10 lets every modelled delay pass ten times faster;
    stamps stay wall-clock.
    """

    def __init__(self, factor: float | None = None) -> None:
        if factor is None:
            factor = _factor_from_environment()
        if not factor > 0:
            raise ValueError(
                f"LAB_CLOCK={factor}: expected a number above 0 (1 = real time, 10 = ten times faster); unset it or correct it"
            )
        self.factor = factor

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def real_seconds(self, modelled: float) -> float:
        """How long a modelled delay (seconds) takes here."""
        return modelled / self.factor


def _factor_from_environment() -> float:
    text = os.environ.get("LAB_CLOCK", "1") or "1"
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"LAB_CLOCK={text!r}: expected a number (1 = real time, 10 = ten times faster); unset it or correct it"
        ) from None


def iso(seconds: float) -> str:
    """Epoch seconds as `2026-11-22T20:57:12Z`, the form most services use."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(seconds: float) -> str:
    """`2026-11-22T20:57:12.000Z`, the form OSS uses: whole seconds, and oss2 accepts no other
    milliseconds than 000.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def iso_exact(seconds: float) -> str:
    """`2026-11-22T20:57:12.345+00:00`, for the lab's own interface: seconds of a fast lab are
    long.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def iso_minutes(seconds: float) -> str:
    """`2026-11-22T20:57Z`, the form ECS uses."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def http_date(seconds: float) -> str:
    """`Sun, 22 Nov 2026 21:06:10 GMT`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
