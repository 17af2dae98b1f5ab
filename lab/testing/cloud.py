"""Doubles of the cloud that run alone, without a cluster: start, stop, ask, wait."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.alicloud.auth.credentials import ensure_credentials
from lab.alicloud.seed import CLUSTER
from lab.pki import ensure_service_account_keys
from lab.testing.ports import free_ports
from lab.testing.session import inherited, tied

ROOT = Path(__file__).resolve().parents[2]
CLOCK = 20.0


@dataclass
class CloudDouble:
    """One running double of the cloud."""

    home: Path
    https: int
    http: int
    control: int
    clock: float = CLOCK
    address: str = "127.0.0.1"
    process: subprocess.Popen[str] | None = None
    own: dict[str, str] = field(default_factory=dict)

    @property
    def ca(self) -> str:
        """The CA file clients trust."""
        return str(self.home / "pki" / "ca.pem")

    def start(self) -> None:
        """Start the process and wait until it says it is ready."""
        command = tied(
            sys.executable,
            "-m",
            "lab.alicloud",
            "--home",
            str(self.home),
            "--https",
            f"{self.address}:{self.https}",
        )
        command += [
            "--http",
            f"{self.address}:{self.http}",
            "--control",
            f"{self.address}:{self.control}",
        ]
        environment = {
            **inherited(),
            "LAB_CLOCK": str(self.clock),
            "LAB_JUDGE": "all",
            "PYTHONPATH": str(ROOT),
        }
        log = (self.home / "region.log").open("a")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=ROOT
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "region: ready\n", line + (self.home / "region.log").read_text()

    def stop(self, *, kill: bool = False) -> None:
        """End the process, orderly or with SIGKILL."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(1500)

    def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        """Call the control API."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            f"http://{self.address}:{self.control}/_lab/{path}",
            data,
            method=method or ("POST" if data else "GET"),
        )
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=1500) as answer:
            return json.load(answer)

    def instances(self, pool: str) -> list[dict[str, Any]]:
        """A pool's instances that have not been released."""
        return [
            i
            for i in self.ask("instances")["instances"]
            if i["nodepool_id"] == pool and i["status"] not in ("Stopping", "Deleted")
        ]

    def last_call(self) -> int:
        """Number of the last recorded call."""
        return self.ask("calls?since=-1")["last"]


def new_lab(
    home: Path,
    clock: float = CLOCK,
    address: str = "127.0.0.1",
    ports: tuple[int, int, int] | None = None,
) -> CloudDouble:
    """A lab that isn't started yet."""
    ensure_service_account_keys(home)
    lab = CloudDouble(home, *(ports or free_ports(3)), clock=clock, address=address)
    lab.own = ensure_credentials(home)
    return lab


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until `what` gives something true; fail after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds} s: {what}")


__all__ = ["CLUSTER", "CloudDouble", "new_lab", "wait_for"]
