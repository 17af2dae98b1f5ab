"""What the model server's pods say they serve: the second source beside the HPA's metric.

The metric comes from the access log. A log collector that has stopped leaves it at 0, which the HPA
takes for a load that has ended. The pods count their requests too (TensorFlow Serving's metrics
page), and know nothing of the log: where they go on serving, the metric is wrong.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .config import MinReplicas
from .log import log_event
from .snapshot import Object, Pod

PATH = "/monitoring/prometheus/metrics"
COUNTER = re.compile(r'^:tensorflow:serving:request_latency_count\{.*\bAPI="([^"]*)".*\} (\S+)$')
RUNS = re.compile(r"^:tensorflow:core:direct_session_runs\{\} (\S+)$")
"""Runs of the graph, which TensorFlow itself counts in every release since 1.x: one for each
prediction (fewer with batching), none for a probe. The page of TensorFlow Serving 1.15, the
tutorial's, has no request_latency.
"""
PREDICTIONS = ("predict", "classify", "regress", "multiinference")
"""APIs whose requests are load; the probes ask for status and metadata."""
EVERY = 10.0
"""Seconds between two samples."""
STALE = 60.0
"""Seconds after which a sample says nothing any more."""
ASKED = 20
"""Pods asked at most; with more of them, these stand for all."""
TIMEOUT = 3.0
"""Seconds for one pod's answer."""

Counts = Mapping[str, float]


class ServedRequests:
    """Samples the pods' counters, and tells for how long the metric has been wrong."""

    def __init__(
        self, settings: MinReplicas, fetch: Callable[[str, int], str] | None = None
    ) -> None:
        """`fetch` reads the metrics page at an address and port; OSError or HTTPException if it
        can't.
        """
        self._settings, self._fetch = settings, fetch or _fetch
        self._counts: Counts = {}
        self._sampled_at: float | None = None
        self._qps: tuple[float, float] | None = None  # when, requests per second
        self._since: float | None = None

    def start(self, pods: Callable[[], Iterable[Pod]]) -> None:
        """Sample the serving pods that `pods` returns, in a thread of its own."""
        threading.Thread(target=self._follow, args=(pods,), name="served", daemon=True).start()

    def _follow(self, pods: Callable[[], Iterable[Pod]]) -> None:
        while True:
            try:
                self.sample(pods(), time.monotonic())
            except Exception as error:
                log_event("pods not asked for their requests", level="error", error=repr(error))
            time.sleep(EVERY)

    def sample(self, pods: Iterable[Pod], now: float) -> None:
        """Ask the ready pods; `now` is monotonic, in seconds."""
        ready = sorted((pod for pod in pods if pod.ready and pod.address), key=lambda pod: pod.uid)
        counts: dict[str, float] = {}
        for pod in ready[:ASKED]:
            try:
                counts[pod.uid] = predictions(self._fetch(pod.address, self._settings.rest_port))
            except (OSError, http.client.HTTPException, ValueError):
                continue  # a pod that starts or ends; the others tell
        before, at = self._counts, self._sampled_at
        both = counts.keys() & before.keys()
        if both and at is not None and now > at:
            grown = sum(max(0.0, counts[uid] - before[uid]) for uid in both)
            self._qps = (now, grown / (now - at) * len(ready) / len(both))
        self._counts, self._sampled_at = counts, now

    def qps(self, now: float) -> float | None:
        """Requests per second that all pods serve; None when that is not known at `now`
        (monotonic).
        """
        return self._qps[1] if self._qps and now - self._qps[0] <= STALE else None

    def unseen_seconds(self, hpa: Object, now: float) -> float:
        """Seconds for which the HPA's metric has read 0 while the pods served at least what one pod
        is for; 0 when it does not. `now` is monotonic.

        Below that one pod is enough, and a metric that counts whole requests may well read 0.
        """
        qps = self.qps(now)
        if not reads_zero(hpa) or qps is None or qps < max(1.0, self._settings.target_qps):
            if self._since is not None:
                log_event("the metric and the pods agree again", qps=qps)
            self._since = None
            return 0.0
        if self._since is None:
            self._since = now
            log_event("the metric reads 0 while the pods serve requests", level="error", qps=qps)
        return now - self._since


def predictions(page: str) -> float:
    """Predictions that a server has answered since it started, from its metrics page; the runs of
    its graph where it counts no requests.
    """
    lines = page.splitlines()
    counted = [one for line in lines if (one := COUNTER.match(line))]
    if not counted:
        return sum(float(one[1]) for line in lines if (one := RUNS.match(line)))
    return sum(float(one[2]) for one in counted if one[1].lower() in PREDICTIONS)


def reads_zero(hpa: Object) -> bool:
    """Whether the HPA has its metric, and the metric is 0."""
    return hpa.get("metric") is not None and float(re.sub(r"[^0-9.]", "", hpa["metric"]) or 1) == 0


def current_metric(status: Mapping[str, Any]) -> str | None:
    """The quantity that an HPA's status shows for its external metric; None without one."""
    for metric in status.get("currentMetrics") or []:
        current = (metric.get("external") or {}).get("current") or {}
        quantity = current.get("averageValue") or current.get("value")
        if quantity is not None:
            return str(quantity)
    return None


def _fetch(address: str, port: int) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("GET", PATH)
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(f"{address}:{port}{PATH}: {answer.status}")
        return answer.read().decode(errors="replace")
    finally:
        connection.close()
