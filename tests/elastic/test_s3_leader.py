"""The handler's leader ends while all preemptible nodes have their notice: another replica, or the
same one started anew, does what is left to do, and nobody loses a request.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import psutil
import pytest

from interruption_handler.snapshot import timestamp
from lab.testing.figures import figure, measure
from ops.report import figures
from tests.elastic.live import CLOCK, FULL, HANGS, Live

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


@pytest.mark.parametrize(
    ("how", "mid_drain"),
    [(signal.SIGKILL, False), (signal.SIGSTOP, True)],
    ids=["killed at the notice", "frozen in mid-drain"],
)
def test_a_leader_that_ends_at_the_notice_costs_nobody_a_request(
    peak: Live, how: signal.Signals, mid_drain: bool
) -> None:
    """A killed leader is started again by the kubelet and may lead at once; a frozen one holds the
    Lease until it has been unchanged for its duration, which is real time: at x5 as long as 75 s.
    """
    first = leader(peak)
    told, began = peak.now, time.time()
    victims = processes(peak, first)
    assert victims, f"no process of {first}"
    if not mid_drain:
        for process in victims:
            os.kill(process.pid, how)
    lost = peak.reclaim(notice=300)
    if mid_drain:
        peak.until(lambda row: row["nodes"]["expiring"] > 0, HANGS)
        while not cordons(peak, began):
            assert peak.now < told + 200, "nothing was cordoned"
        for process in victims:
            os.kill(process.pid, how)
    peak.pause(450)
    run = peak.run().between(told, told + 450)
    after, short = figures.requests(run), figures.shortfall(run, FULL)
    done = cordons(peak, began)
    late = max(at for at, _ in done.values()) - began
    title = "frozen in mid-drain" if mid_drain else "killed at the notice"
    figure(f"clock x{CLOCK}: {lost} preemptible nodes lost with 300 s notice, the leader {title}")
    measure(f"failed requests, the leader {title}", after["failed"])
    measure(f"requests per second short, the leader {title}", short)
    measure(f"real seconds until the last node was cordoned, the leader {title}", late)
    assert lost >= 12 and len(done) >= lost and after["count"] > 0
    assert after["failed"] == 0, figures.failure_reasons(run)
    assert short <= 0
    if mid_drain:
        assert leader(peak) != first, "another replica leads"
