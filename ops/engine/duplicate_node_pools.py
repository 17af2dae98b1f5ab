"""Node pools that were ordered twice: an order whose answer is lost is sent again by the provider,
and ACK lets two pools have one name.

The provider tells nobody that it sent an order again, so the pools are looked at after every
creation of one: as soon as it is created, while the engine continues with what comes after it. The
look runs in a process of its own (ops/cloud/resources.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from ops.cloud.resources import NODE_POOL
from ops.engine.cli import ROOT, Stack, environment
from ops.engine.cloud_resources import CLOCK_SKEW, MODULE, provider_argument
from ops.engine.events import Report

TIMEOUT = 120
"""Seconds that one look may take."""


class DuplicateCheck:
    """The looks for duplicates of one run of the engine, which began at `started` (epoch
    seconds).
    """

    def __init__(self, stack: Stack, started: float) -> None:
        self._stack, self._started = stack, started
        self._looks: dict[str, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def on_created(self, resource: dict[str, Any]) -> None:
        """Begins a look if the created resource is a node pool whose id is known."""
        if resource["type"] == NODE_POOL and resource.get("id"):
            self._begin(resource, [resource["id"]])

    def finish(self, report: Report) -> None:
        """Waits for the looks; prints which pools of the run's own name that were created during
        the run and are not in the state were deleted.
        """
        for resource in report.created:
            self.on_created(resource)
        failed = [
            failure.resource
            for failure in report.failures
            if failure.type == NODE_POOL and failure.step.startswith("create")
        ]
        if failed:  # what was adopted after a lost answer is in the state
            ids = [
                resource.get("id", "")
                for resource in self._stack.export_state()["deployment"].get("resources") or []
            ]
            for resource in failed:
                cluster = resource["inputs"]["clusterId"]
                self._begin(
                    resource, [identity for identity in ids if identity.startswith(f"{cluster}:")]
                )
        for resource in [*report.created, *failed]:
            look = self._looks.get(resource["urn"])
            if look and not _print_outcome(look, resource["inputs"]):
                return

    def _begin(self, resource: dict[str, Any], ours: list[str]) -> None:
        question = [
            sys.executable,
            "-m",
            MODULE,
            provider_argument(self._stack),
            "delete-duplicate-node-pools",
            resource["inputs"]["clusterId"],
            resource["inputs"]["nodePoolName"],
            json.dumps(ours),
            str(self._started - CLOCK_SKEW),
        ]
        with self._lock:
            if resource["urn"] not in self._looks:
                # In a session of its own: Ctrl-C ends the engine in order, and what that leaves is
                # looked at anyway.
                self._looks[resource["urn"]] = subprocess.Popen(
                    self._stack.inside(*question),
                    cwd=ROOT,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )


def _print_outcome(look: subprocess.Popen[str], inputs: dict[str, Any]) -> bool:
    """Waits for a look and prints what it did; False when it gave no answer."""
    cluster, name = inputs["clusterId"], inputs["nodePoolName"]
    try:
        printed, errors = look.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        look.kill()
        printed, errors = look.communicate()
    if look.returncode != 0:
        print(
            f"{errors}\nwarning: whether node pool {name} was ordered twice is not known; look at the node pools of cluster {cluster}: "
            "of two with this name only the one in the state is ours",
            file=sys.stderr,
        )
        return False
    for pool in json.loads(printed.splitlines()[-1]):
        print(
            f"node pool {name} was ordered twice, because an answer was lost: the second one, {pool}, is being released",
            file=sys.stderr,
        )
    return True
