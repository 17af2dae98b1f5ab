"""The lab's region as the double of a scenario."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.tests.alicloud_plugin.scenarios import CLUSTER, NODE_POOL, Step

_CONTROL = "http://10.0.0.2:9090/_lab"
# between the plugin's first look at a task (after 5 s) and its second (after 8 s), as recorded
_TASK_SECONDS = 6.5


class Region:
    """Starts the region in this namespace, with the cluster of the recordings."""

    def __init__(self, home: Path) -> None:
        (home / "scenario.yaml").write_text(f"delays: {{task: {_TASK_SECONDS}}}\n")
        self._log = (home / "region.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.alicloud", "--home", str(home)], stderr=self._log
        )
        self._home = home
        self._wait()
        _ask(
            "/clusters",
            {"cluster_id": CLUSTER, "name": "recorded", "vswitch_ids": NODE_POOL["vswitchIds"]},
        )
        self._last = _ask("/calls?since=-1")["last"]

    def _wait(self) -> None:
        deadline = time.monotonic() + 1500
        while True:
            try:
                _ask("/health")
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(
                        f"the region did not start: {(self._home / 'region.log').read_text()}"
                    ) from None
                time.sleep(0.1)

    def credentials(self) -> dict[str, str]:
        """The region checks signatures: environment with its keys."""
        keys = json.loads((self._home / "credentials.json").read_text())
        return {
            "ALICLOUD_ACCESS_KEY": keys["access_key"],
            "ALICLOUD_SECRET_KEY": keys["secret_key"],
        }

    def plays(self, step: Step) -> bool:
        """Whether the step needs nothing that was done behind the plugin's back in the
        recording.
        """
        return not step.staged

    def expect(self, answers: Iterable[dict[str, Any]]) -> None:
        """The region answers by itself."""

    def take(self) -> list[dict[str, Any]]:
        """The calls since the last time, in order."""
        answer = _ask(f"/calls?since={self._last}")
        self._last = answer["last"]
        return answer["calls"]


def _ask(path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        _CONTROL + path, data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=1500) as answer:
        return json.load(answer)
