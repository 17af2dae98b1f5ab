"""Records a stack into a run directory until SIGTERM or Ctrl-C. Started by load, drill and
report.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from interruption_handler.signals import on_signal
from ops.record.cloud import cloud_of
from ops.record.live import Answers, Instances, price_of
from ops.record.mirror import Mirror, client
from ops.record.sample import POOL_LABEL, differences, sample

CONTROL = "http://10.0.0.2:9090/_lab"
EVENTS_SECONDS = 0.05
"""An event's time is exact to this, on the wall's clock: with a fast lab half a second would be ten
modelled ones.
"""


class Recorder:
    """Writes samples.jsonl (one row per interval) and events.jsonl of a run."""

    def __init__(self, run: Path, meta: dict[str, Any]) -> None:
        self.run, self.meta, self.clock = run, meta, float(meta["clock"])
        api, space = client(), f"namespaces/{meta['namespace']}"
        self.pods = Mirror(api, f"/api/v1/{space}/pods", meta["selector"])
        self.nodes = Mirror(api, "/api/v1/nodes", f"{POOL_LABEL}={meta['node_pool']}")
        self.deployments = Mirror(api, f"/apis/apps/v1/{space}/deployments")
        self.hpas = Mirror(api, f"/apis/autoscaling/v2/{space}/horizontalpodautoscalers")
        self._samples = (run / "samples.jsonl").open("a", buffering=1)
        self._events = (run / "events.jsonl").open("a", buffering=1)
        self._before: dict[str, dict[str, Any]] = {}
        self._instances: list[dict[str, Any]] = []
        cloud = cloud_of(meta)
        self._ecs = Instances(cloud, meta) if cloud and not meta.get("lab") else None
        self._answers = (
            Answers(cloud, meta, run / "requests.jsonl") if cloud and meta.get("route") else None
        )

    def wait(self) -> None:
        """Waits until every list was read once. Raises SystemExit when the cluster does not answer
        within 30 s.
        """
        for mirror in (self.pods, self.nodes, self.deployments, self.hpas):
            if not mirror.filled.wait(30):
                raise SystemExit(
                    "error: the cluster does not answer within 30 s; check the kubeconfig (KUBECONFIG)"
                )

    def _moment(self) -> dict[str, float]:
        """Now: modelled seconds since the run began, and the wall's clock."""
        wall = time.time()
        return {"t": round((wall - self.meta["started"]) * self.clock, 3), "wall": round(wall, 3)}

    def write_sample(self) -> None:
        """Writes one sample."""
        moment, pods, nodes = self._moment(), self.pods.objects, self.nodes.objects
        hpa = self.hpas.objects.get(self.meta["hpa"])
        row = sample(
            pods.values(),
            nodes,
            self.deployments.objects.get(self.meta["deployment"]),
            hpa,
            self.instances(nodes),
            self.meta["pod_qps"],
        )
        self._samples.write(json.dumps({**moment, **row}) + "\n")

    def write_events(self) -> None:
        """Writes the events since the last call."""
        moment = self._moment()
        for kind, now in (("pod", self.pods.objects), ("node", self.nodes.objects)):
            before = self._before.get(kind, now)
            for event in differences(before, now, kind) if now is not before else ():
                self._events.write(json.dumps({"t": moment["t"], **event}) + "\n")
            self._before[kind] = now

    def instances(self, nodes: dict[str, Any]) -> list[dict[str, Any]]:
        """The pool's instances: from the lab's control API, or from ECS on a real stack, or without
        credentials as far as the nodes tell (no booting ones).
        """
        if not self.meta.get("lab"):
            found = self._ecs.now() if self._ecs else None
            return (
                [_of_node(node, self.meta) for node in nodes.values()] if found is None else found
            )

        try:
            rows = httpx.get(f"{CONTROL}/instances", trust_env=False, timeout=5).json()["instances"]
        except (httpx.HTTPError, ValueError):
            return self._instances
        self._instances = [
            {**row, "list_price": self.meta["prices"].get(row["instance_type"], 0.0)}
            for row in rows
            if row.get("nodepool_id") == self.meta["node_pool"]
        ]
        return self._instances

    def close(self) -> None:
        """Stops the pollers and closes the files."""
        for source in (self._ecs, self._answers):
            if source is not None:
                source.close()
        self._samples.close()
        self._events.close()


def _of_node(node: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    labels = node["metadata"].get("labels") or {}
    kind = labels.get("node.kubernetes.io/instance-type", "")
    row = {
        "status": "Running",
        "instance_type": kind,
        "spot_strategy": labels.get("node.alibabacloud.com/spot-strategy", "NoSpot"),
    }
    return {**row, **price_of(row, meta)}


def main() -> int:
    """Records until it is told to stop; prints `recording` once every list was read."""
    parser = argparse.ArgumentParser(prog="python -m ops.record", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run directory, with meta.json")
    parser.add_argument(
        "--interval", type=float, default=0.5, help="wall seconds between two samples (default 0.5)"
    )
    options = parser.parse_args()
    stop = threading.Event()
    on_signal((signal.SIGTERM, signal.SIGINT), stop.set)
    recorder = Recorder(options.run, json.loads((options.run / "meta.json").read_text()))
    recorder.wait()
    print("recording", flush=True)
    due = 0.0
    while not stop.is_set():
        recorder.write_events()
        if time.monotonic() >= due:
            due = time.monotonic() + options.interval
            recorder.write_sample()
        stop.wait(EVENTS_SECONDS)
    recorder.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
