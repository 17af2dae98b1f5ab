"""A trace: requests per second over time."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ops.plan.problems import Problems
from settings.core.problem import Problem

MOST = 20_000_000


@dataclass(frozen=True)
class Trace:
    """Mean rates: from `times[i]` on `rates[i]` requests per second. The first time is 0."""

    name: str
    times: np.ndarray
    rates: np.ndarray
    seconds: float
    exact: bool = False
    """Whether the counts are measured ones, to be taken as they are."""

    def per_step(self, step: float, steps: int) -> np.ndarray:
        """Expected requests in each step of `step` seconds."""
        total = np.concatenate(
            [[0.0], np.cumsum(self.rates * np.diff(np.append(self.times, self.seconds)))]
        )
        edges = np.minimum(np.arange(steps + 1) * step, self.seconds)
        return np.diff(np.interp(edges, np.append(self.times, self.seconds), total))

    @property
    def peak(self) -> float:
        """Highest rate of a minute, requests per second."""
        steps = max(1, int(self.seconds // 60))
        width = min(60.0, self.seconds)
        return float(self.per_step(width, steps).max() / width)

    @property
    def mean(self) -> float:
        """Mean rate over the whole trace, requests per second."""
        return float(self.per_step(self.seconds, 1)[0] / self.seconds)

    def scaled(self, peak: float) -> Trace:
        """The same shape, scaled to a highest minute of `peak` requests per second."""
        return Trace(
            self.name, self.times, self.rates * (peak / self.peak), self.seconds, self.exact
        )


def read(path: Path) -> Trace:
    """The trace in a CSV file with the columns seconds (rising) and qps; the last row lasts as long
    as the one before. Raises PlanError.
    """
    problems = Problems()
    rows: list[tuple[float, float]] = []
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(line for line in file if not line.startswith("#"))
            header = [name.strip() for name in reader.fieldnames or []]
            if "seconds" not in header or "qps" not in header:
                problems.append(
                    _problem(
                        path,
                        1,
                        ",".join(header) or None,
                        "a first line naming the columns seconds and qps",
                    )
                )
            else:
                reader.fieldnames = header
                rows = _rows(path, reader, problems)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(
            _problem(
                path, None, getattr(error, "strerror", None) or "not text", "a readable CSV file"
            )
        )
    if not problems and len(rows) < 2:
        problems.append(
            _problem(path, None, f"{len(rows)} rows", "at least two rows of seconds,qps")
        )
    problems.check()
    times, rates = np.array([t for t, _ in rows]), np.array([q for _, q in rows])
    times -= times[0]
    return Trace(path.stem, times, rates, float(2 * times[-1] - times[-2]))


def _rows(path: Path, reader: csv.DictReader, problems: Problems) -> list[tuple[float, float]]:  # type: ignore[type-arg]
    rows: list[tuple[float, float]] = []
    for row in reader:
        line = reader.line_num
        try:
            time, rate = float(row["seconds"]), float(row["qps"])
        except (TypeError, ValueError):
            problems.append(
                _problem(path, line, f"{row.get('seconds')},{row.get('qps')}", "two numbers")
            )
            continue
        if not (np.isfinite(time) and np.isfinite(rate)) or rate < 0:
            problems.append(
                _problem(
                    path, line, f"{time:g},{rate:g}", "finite numbers, and a rate of 0 or more"
                )
            )
        elif rows and time <= rows[-1][0]:
            problems.append(
                _problem(
                    path, line, f"{time:g}", f"a time after {rows[-1][0]:g}, that of the row before"
                )
            )
        else:
            rows.append((time, rate))
        if len(problems) >= 10:
            break
    return rows


def _problem(path: Path, line: int | None, value: object, expected: str) -> Problem:
    where = f"trace {path}" + (f", line {line}" if line else "")
    return Problem(
        where,
        value,
        expected,
        "there is no load to plan for",
        "correct the file, or use a built-in trace: --trace S3",
    )
