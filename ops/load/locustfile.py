"""What Locust runs: users that send predictions at random moments, as many as the profile's rate
needs.

Locust's users wait for their answers; a population whose members each send one request in two
seconds on average, and subtract the time an answer took, sends independently of the answers as long
as these take less than that.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from locust import FastHttpUser, LoadTestShape, events, task

from ops.endpoint import authorization, credentials
from ops.load.latency_by_second import LatencyBySecond
from ops.load.load_spec import LoadSpec

PLACE = LoadSpec(Path(os.environ["LOAD_SPEC"]))
SPEC: dict[str, Any] = PLACE.read()
PER_USER = 0.5  # requests a second of one user
DICE = random.Random(SPEC["seed"])
HEADERS = {
    **SPEC["headers"],
    **authorization(credentials()),
}  # in no file: the order is kept with the run


class Client(FastHttpUser):
    """One of many who ask."""

    host = SPEC["base"]
    connection_timeout = SPEC["timeout"]
    network_timeout = SPEC["timeout"]

    def on_start(self) -> None:
        """Nobody begins at the same moment."""
        self.last = time.monotonic() - DICE.random() / PER_USER

    def wait_time(self) -> float:
        """Until the next request: exponential between the beginnings of two."""
        return max(0.0, DICE.expovariate(PER_USER) - (time.monotonic() - self.last))

    @task
    def predict(self) -> None:
        """One prediction."""
        self.last = time.monotonic()
        self.client.post(SPEC["path"], data=SPEC["body"], headers=HEADERS, name="predict")


class Shape(LoadTestShape):
    """As many users as the rate needs now; the end when the profile ends."""

    def tick(self) -> tuple[int, float] | None:
        """(users, users that may come or go in a second)."""
        since = (
            self.get_run_time() if SPEC["begun"] is None else max(0.0, time.time() - SPEC["begun"])
        )
        profile, modelled = PLACE.profile(), since * SPEC["clock"]
        if modelled >= profile.seconds:
            return None
        return max(1, math.ceil(profile.rate(modelled) / PER_USER)), 1000.0


COUNTS = LatencyBySecond(Path(SPEC["requests"]), SPEC["started"], SPEC["clock"], SPEC["deadline"])
REASONS: dict[str, int] = defaultdict(int)


@events.request.add_listener
def on_request(response_time: float, exception: Exception | None, response: Any, **_: Any) -> None:
    """Count one answer."""
    failed = exception is not None or response is None or response.status_code != 200
    if failed:
        REASONS[f"{getattr(response, 'status_code', 0)} {exception}"[:120]] += 1
    COUNTS.add(time.time(), response_time / 1000, failed)


@events.quitting.add_listener
def on_quit(**_: Any) -> None:
    """Write what is left."""
    COUNTS.close()
    Path(SPEC["requests"]).with_name("failures.json").write_text(
        json.dumps(dict(REASONS), indent=1, ensure_ascii=False)
    )
