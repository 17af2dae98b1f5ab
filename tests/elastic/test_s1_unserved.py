"""Requests that nobody was served order nothing, and a metric of 0 while requests flow takes
nothing away: the entry asks for a password, the HPA counts requests that reached a model server.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import bcrypt
import pytest

from lab.testing.figures import measure
from ops.load.session import INGRESS_IN_LAB
from ops.report import figures
from tests.elastic.labs import Labs
from tests.elastic.live import CLOCK, HANGS, LONG, Live

TARGET = 10.0
PEAK = 40.0
"""Requests a second of the accepted load: four pods."""
STRANGERS = 20 * PEAK
QUIET = 2.0
"""Requests a second that are accepted otherwise: so few that chance, in the one and a half seconds
of the machine that the metric's window is at x10, does not make them more than one pod is for.
"""
TEN_MINUTES, QUARTER = 600.0, 900.0
USER, PASSWORD = "ann", "secret"
USERS = f"{USER}:$2y$10$cPi0sG.KpuAXlI1u.bmYje1tn48hvhdVqAFOZ75qf3M2/S3yBDPCC"
CHANGES: dict[str, dict[str, Any]] = {
    "autoscaler": {
        "countedRequests": "served",
        "outageReplicas": 2,
        "outageSeconds": 5,
        "scaleDownSeconds": max(30, 300 // CLOCK),
    },
    "entry": {"auth": "basic"},
}


class Strangers:
    """What they were answered, once they are gone."""

    def __init__(self) -> None:
        self.answers: dict[str, int] = {}


@contextlib.contextmanager
def strangers(live: Live, *user: str) -> Iterator[Strangers]:
    """Strangers at twenty times the peak's rate while the block runs; `user` is name:password."""
    seen = Strangers()
    path, host = live.session.meta["path"], live.session.meta["host"]
    process = live.rig.lab.popen(
        "python", "-m", "tests.elastic.strangers", f"{INGRESS_IN_LAB}{path}", host, str(STRANGERS), *user
    )  # fmt: skip
    try:
        yield seen
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # popen gave it a session of its own
        out, _ = process.communicate(timeout=120)
        with contextlib.suppress(ValueError, IndexError):
            seen.answers = json.loads(out.strip().splitlines()[-1])


def counted_by_ack(live: Live) -> float:
    """Requests per second of the route by ACK's own access log, refused ones included."""
    hpa = json.loads(live.session.output("kubectl", "get", "hpa", "-A", "-o", "json"))["items"][0]
    labels = hpa["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in {**labels, "sls.logstore": "nginx-ingress"}.items())  # fmt: skip
    path = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/inference/sls_ingress_qps?labelSelector={selector}"
    answer = json.loads(live.session.output("kubectl", "get", "--raw", path))
    text = answer["items"][0]["value"]
    return float(text.removesuffix("k")) * (1000 if text.endswith("k") else 1)


def moved(live: Live, since: float) -> tuple[int, int]:
    """By how many pods and by how many nodes the stack has grown since then."""
    rows = live.run().between(since).samples
    pods = [row["pods"]["desired"] for row in rows]
    nodes = [row["billed"]["on_demand"] + row["billed"]["spot"] for row in rows]
    return max(pods) - pods[0], max(nodes) - nodes[0]


def hashed_cheaply(live: Live) -> None:
    """Writes bcrypt's least cost into the entry's Secret: at the least that the settings take, the
    logins of 40 requests a second need a whole processor, of which this machine has two, and S1 is
    about pods.
    """
    secrets = json.loads(
        live.session.output("kubectl", "get", "secret", "-n", "inference", "-o", "json")
    )["items"]
    (name,) = [one["metadata"]["name"] for one in secrets if "auth" in one.get("data", {})]
    cheap = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    patch = json.dumps({"stringData": {"auth": f"{USER}:{cheap}"}})
    live.session.output("kubectl", "patch", "secret", name, "-n", "inference", "-p", patch)


def limited(live: Live, limit: str) -> None:
    """Set or remove the ingress' limit per client address, as entry.clientQps does."""
    annotation = f"nginx.ingress.kubernetes.io/limit-rps{limit}"
    live.session.output("kubectl", "annotate", "ingress", "--all", "-n", "inference", "--overwrite", annotation)  # fmt: skip


@pytest.mark.timeout(5400)
def test_what_nobody_was_served_moves_nothing_and_a_false_zero_takes_nothing_away(
    labs: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EI_USER", USER)
    monkeypatch.setenv("EI_PASSWORD", PASSWORD)
    rig = labs.fresh(CHANGES, {"htpasswd": USERS})
    with rig.load("strangers", (0, QUIET), (LONG, QUIET)) as live:
        live.until(lambda row: row["pods"]["ready"] >= 1, HANGS)
        hashed_cheaply(live)
        live.calm()

        begun = live.now
        with strangers(live) as refused:
            live.pause(TEN_MINUTES / 2)
            seen = counted_by_ack(live)
            live.pause(TEN_MINUTES / 2)
            pods, nodes = moved(live, begun)

            rising = live.now  # beside them, accepted load
            live._load((0, QUIET), (rising, QUIET), (rising + 600, PEAK), (rising + LONG, PEAK))
            live.until(lambda row: row["pods"]["ready"] * TARGET >= PEAK * 0.9, HANGS)
            most = max(row["pods"]["desired"] for row in live.run().samples)
        measure("pods moved by ten minutes of refused logins", pods)
        measure("nodes moved by them", nodes)
        measure("requests a second that ACK's log counts meanwhile", seen)
        measure("pods wanted for the accepted load beside them", most)
        assert set(refused.answers) <= {"401", "none"} and refused.answers["401"] > 0
        assert seen > 2 * TARGET, "what every line counts for would have ordered pods"
        assert (pods, nodes) == (0, 0)
        assert most <= PEAK / TARGET + 2

        live.calm()
        wanted, begun = live.row()["pods"]["desired"], live.now
        rig.metrics("zero")
        live.pause(QUARTER)
        rows = live.run().between(begun).samples
        fewest = min(row["pods"]["desired"] for row in rows)
        failed = figures.requests(live.run().between(begun))["failed"]
        measure("pods taken away in fifteen minutes of 0 at the peak", wanted - fewest)
        measure("requests failed meanwhile", failed)
        assert fewest >= wanted and failed == 0
        ended = live.now  # the load really ends while the metric still says 0
        live._load((0, PEAK), (ended, PEAK), (ended + 300, QUIET), (ended + LONG, QUIET))
        live.until(lambda row: row["pods"]["desired"] <= 2, HANGS)
        rig.metrics("normal")

        live.calm()
        limited(live, "=2")
        begun = live.now
        with strangers(live, f"{USER}:{PASSWORD}") as over:
            live.pause(TEN_MINUTES)
        pods, nodes = moved(live, begun)
        measure("pods moved by ten minutes of limited requests", pods)
        limited(live, "-")
        assert over.answers.get("503", 0) > over.answers.get("200", 0)
        assert (pods, nodes) == (0, 0)
