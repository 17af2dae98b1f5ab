"""The handler's leader ends while all preemptible nodes have their notice: another replica, or the
same one started anew, does what is left to do, and nobody loses a request.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from typing import Any

import psutil
import pytest

from interruption_handler.snapshot import timestamp
from lab.testing.figures import figure, measure
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import CLOCK, FULL, Live

NAME = "interruption-handler"


def asked(live: Live, *words: str) -> list[dict[str, Any]]:
    """Objects of the cluster, as kubectl lists them."""
    done = live.rig.lab.run("kubectl", "get", *words, "--output", "json")
    return json.loads(done.stdout)["items"]


def leader(live: Live) -> str:
    """The replica that holds the Lease."""
    (lease,) = (
        one
        for one in asked(live, "leases", "--all-namespaces")
        if one["metadata"]["name"].endswith(NAME)
    )
    return lease["spec"]["holderIdentity"]


def processes(live: Live, replica: str) -> list[psutil.Process]:
    """The processes of that replica in this lab."""
    home = f"{live.rig.lab.home}/"
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if f"--identity={replica}" in words and any(word.startswith(home) for word in words):
            found.append(process)
    return found


def cordons(live: Live, since: float) -> dict[str, tuple[float, str]]:
    """For each node cordoned since then (seconds since 1970): when, by the machine's clock, and by
    which replica, as the handler's Events say.
    """
    found: dict[str, tuple[float, str]] = {}
    for event in asked(live, "events.events.k8s.io", "--namespace", "default"):
        at = timestamp(event["eventTime"])
        ours = event["reportingController"].endswith(NAME) and event["reason"] == "Cordoned"
        if ours and "reclaimed" in event["note"] and at >= since:
            found[event["regarding"]["name"]] = (at, event["reportingInstance"])
    return found


@pytest.fixture(scope="module")
def live(labs: Labs) -> Iterator[Live]:
    """The stack at its peak, with two replicas of the handler."""
    with labs.fresh({"interruption": {"replicas": 2}}).full("leader") as live:
        yield live


@pytest.mark.parametrize("how", ["killed at the notice", "frozen in mid-drain"])
def test_a_leader_that_ends_at_the_notice_costs_nobody_a_request(live: Live, how: str) -> None:
    """A killed leader is started again by the kubelet, and whoever is first leads. A frozen one
    holds the Lease until that has been unchanged for its duration: 15 real seconds, at x5 as long
    as 75. It is frozen when all pods are detached and their replacements on the way; without a
    successor the old pods would end with their instances.
    """
    live.settle()
    first, told, began = leader(live), live.now, time.time()
    victims = processes(live, first)
    assert victims, f"no process of {first}"
    frozen = how.startswith("frozen")
    if not frozen:
        end(victims, signal.SIGKILL)
    lost = live.reclaim(notice=300)
    if frozen:
        live.until(lambda row: row["pods"]["detached"] >= lost, 250)
        end(victims, signal.SIGSTOP)
    live.pause(450 - (live.now - told))
    run = live.run().between(told, told + 450)
    after, short = figures.requests(run), figures.shortfall(run, FULL)
    done = cordons(live, began)
    figure(f"clock x{CLOCK}: {lost} preemptible nodes lost with 300 s notice, the leader {how}")
    measure(f"failed requests, the leader {how}", after["failed"])
    measure(f"requests per second short, the leader {how}", short)
    measure(
        f"real seconds until the last node was cordoned, the leader {how}",
        max(at for at, _ in done.values()) - began,
    )
    assert lost >= 12 and len(done) >= lost and after["count"] > 0
    assert after["failed"] == 0, figures.failure_reasons(run)
    assert short <= 0
    if frozen:
        assert leader(live) != first, "another replica leads"


def end(victims: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send the signal to the processes that are still there."""
    for process in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
