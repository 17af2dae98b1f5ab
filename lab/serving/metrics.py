"""Counters and histograms of the server, and the page Prometheus reads."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BUCKETS = tuple(10 * 1.8**power for power in range(33))
"""Upper bounds of the latency histograms, microseconds."""
REQUESTS = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
LOADS = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY = ":tensorflow:cc:saved_model:load_latency"
Labels = tuple[tuple[str, str], ...]


@dataclass
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value


@dataclass
class Outcome:
    """Set `ok` to False inside `Metrics.load` when the load failed."""

    ok: bool = True


class Metrics:
    """What the process counted so far."""

    def __init__(self) -> None:
        self.counters: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self.histograms: dict[str, dict[Labels, _Histogram]] = defaultdict(
            lambda: defaultdict(_Histogram)
        )

    def request(self, model: str, api: str, entry: str, code: str, seconds: float) -> None:
        """Counts one request; only successes enter the latency histogram."""
        self.counters[REQUESTS][(("model_name", model), ("status", code))] += 1
        if code == "OK":
            labels = (("model_name", model), ("API", api), ("entrypoint", entry))
            self.histograms[REQUEST_LATENCY][labels].add(seconds * 1e6)

    def runtime(self, model: str, seconds: float, api: str = "Predict") -> None:
        """Time inside the model, for one call of Predict, Classify or Regress."""
        self.histograms[RUNTIME_LATENCY][
            (("model_name", model), ("API", api), ("runtime", "TF1"))
        ].add(seconds * 1e6)

    @contextmanager
    def load(self, path: str) -> Iterator[Outcome]:
        """Counts one load attempt and its time."""
        outcome, began = Outcome(), time.perf_counter()
        yield outcome
        self.counters[LOADS][
            (("model_path", path), ("status", "success" if outcome.ok else "fail"))
        ] += 1
        self.counters[LOAD_LATENCY][(("model_path", path),)] += int(
            (time.perf_counter() - began) * 1e6
        )

    def page(self) -> str:
        """The text page: `# TYPE` lines, no help lines."""
        lines: list[str] = []
        for name, series in self.counters.items():
            lines.append(f"# TYPE {name} counter")
            lines += [f"{name}{_labels(labels)} {value:.0f}" for labels, value in series.items()]
        for name, histograms in self.histograms.items():
            lines.append(f"# TYPE {name} histogram")
            for labels, histogram in histograms.items():
                seen = 0
                for bound, count in zip(
                    (*map("{:g}".format, BUCKETS), "+Inf"), histogram.counts, strict=True
                ):
                    seen += count
                    lines.append(f"{name}_bucket{_labels((*labels, ('le', bound)))} {seen}")
                lines.append(f"{name}_sum{_labels(labels)} {histogram.total:g}")
                lines.append(f"{name}_count{_labels(labels)} {seen}")
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}"
