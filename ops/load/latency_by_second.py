"""Counts and latencies of answers, by the second in which they arrived."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path


class LatencyBySecond:
    """Writes one line per wall second: {"t", "count", "failed", "late", "p50", "p95", "p99"}, and
    with failed requests "reasons" (how many for which); `t` modelled, latencies in wall seconds.

    Failed requests are not late as well, and their times are in no percentile.
    """

    def __init__(self, path: Path, started: float, clock: float, deadline: float) -> None:
        self._file = path.open("a", buffering=1)
        self._started, self._clock, self._deadline = started, clock, deadline
        self._second, self._good = -1, []
        self._failed: Counter[str] = Counter()

    def add(self, moment: float, seconds: float, failure: str | None = None) -> None:
        """Counts one answer. `moment`: epoch seconds of its arrival; `seconds`: its latency;
        `failure`: why it is none.
        """
        second = int(moment - self._started)
        if second > self._second:
            self._write()
            self._second = second
        if failure is None:
            self._good.append(seconds)
        else:
            self._failed[failure] += 1

    def close(self) -> None:
        """Writes the last second's counts and closes the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        good = sorted(self._good)
        failed = self._failed.total()
        if good or failed:
            row = {
                "t": round(self._second * self._clock, 3),
                "count": len(good) + failed,
                "failed": failed,
                "late": sum(value > self._deadline for value in good),
                **{
                    name: round(percentile(good, share), 4)
                    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
                },
                **({"reasons": dict(self._failed)} if failed else {}),
            }
            self._file.write(json.dumps(row) + "\n")
        self._good, self._failed = [], Counter()


def percentile(ordered: list[float], share: float) -> float:
    """Nearest-rank percentile of sorted values; 0 for an empty list."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
