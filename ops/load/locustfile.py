"""Locust's program: users that send predictions at random moments, as many as the profile's rate
needs.

Each user sends one request in two seconds on average and subtracts the time that an answer took, so
that the population's rate does not depend on the answers as long as these take less than that.
"""

from __future__ import annotations

import math
import os
import random
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, LoadTestShape, events, task

from ops.endpoint import authorization, credentials
from ops.load.latency_by_second import LatencyBySecond
from ops.load.load_spec import LoadSpec

SPEC_FILE = LoadSpec(Path(os.environ["LOAD_SPEC"]))
SPEC: dict[str, Any] = SPEC_FILE.read()
PER_USER = 0.5  # requests a second of one user
DICE = random.Random(SPEC["seed"])
HEADERS = {
    **SPEC["headers"],
    **authorization(credentials()),
}  # in no file: the order is kept with the run


class Client(FastHttpUser):
    """A Locust user: one of the population that sends predictions."""

    host = SPEC["base"]
    connection_timeout = SPEC["timeout"]
    network_timeout = SPEC["timeout"]

    def on_start(self) -> None:
        """Spreads the users' first requests over their interval."""
        self.last = time.monotonic() - DICE.random() / PER_USER

    def wait_time(self) -> float:
        """Seconds until the next request; the starts of two requests are exponentially
        distributed.
        """
        return max(0.0, DICE.expovariate(PER_USER) - (time.monotonic() - self.last))

    @task
    def predict(self) -> None:
        """Sends one prediction request."""
        self.last = time.monotonic()
        self.client.post(SPEC["path"], data=SPEC["body"], headers=HEADERS, name="predict")


class Shape(LoadTestShape):
    """As many users as the profile's rate needs now; None when the profile has ended."""

    def tick(self) -> tuple[int, float] | None:
        """(users, users that may start or stop per second), or None at the end."""
        since = (
            self.get_run_time() if SPEC["begun"] is None else max(0.0, time.time() - SPEC["begun"])
        )
        profile, modelled = SPEC_FILE.profile(), since * SPEC["clock"]
        if modelled >= profile.seconds:
            return None
        return max(1, math.ceil(profile.rate(modelled) / PER_USER)), 1000.0


COUNTS = LatencyBySecond(Path(SPEC["requests"]), SPEC["started"], SPEC["clock"], SPEC["deadline"])


@events.request.add_listener
def on_request(response_time: float, exception: Exception | None, response: Any, **_: Any) -> None:
    """Counts one answer, with the reason when it is an error."""
    failed = exception is not None or response is None or response.status_code != 200
    reason = f"{getattr(response, 'status_code', 0)} {exception}"[:120] if failed else None
    COUNTS.add(time.time(), response_time / 1000, reason)


@events.quitting.add_listener
def on_quit(**_: Any) -> None:
    """Writes the last second's counts."""
    COUNTS.close()
