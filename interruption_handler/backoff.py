"""Pauses between attempts: longer after each failure, never the same for two programs, and never
shorter than what the server asked for (`Retry-After`).
"""

from __future__ import annotations

import random

JITTER = 0.2
"""Largest share by which a pause is longer than computed, so that replicas and threads that failed
together don't come back together.
"""


def pause(failures: int, first: float, longest: float, retry_after: float = 0.0) -> float:
    """Seconds to wait after so many failures in a row (1 or more): `first`, doubled for each
    further failure up to `longest`, at least `retry_after`, and up to a fifth more by chance.
    """
    doubled = first * 2 ** min(failures - 1, 30)
    return max(min(doubled, longest), retry_after) * (1 + JITTER * random.random())
