"""The cloud double as a process on loopback, and what tests do to it behind the provider's
back.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import oss2

from lab.testing.ports import free_ports
from lab.testing.session import tied

ROOT = Path(__file__).resolve().parents[3]


class Cloud:
    """One region: an account with keys, an OSS service with verified signatures, faults on
    demand.
    """

    REGION = "cn-shanghai"

    def __init__(self, home: Path) -> None:
        self.home = home
        self._before: dict[str, int] = {}
        """Number of the last call before a bucket was made: what came earlier, of hundreds of
        tests, is not read again and again.
        """
        self.port, self._control = free_ports(2)
        command = tied(
            sys.executable,
            "-m",
            "lab.alicloud",
            "--home",
            str(home),
            "--https",
            f"127.0.0.1:{self.port}",
        )
        command += ["--control", f"127.0.0.1:{self._control}"]
        self._log = open(home / "region.log", "w+")  # noqa: SIM115 (closed with the region)
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert "ready" in line, (
            f"the region did not start: {line} {(home / 'region.log').read_text()}"
        )
        self.keys = json.loads((home / "credentials.json").read_text())
        self.ca = str(home / "pki" / "ca.pem")
        self._install_redirect()

    @property
    def environment(self) -> dict[str, str]:
        """What the plugin needs to reach this region with valid keys."""
        return {
            "TEST_CLOUD": f"127.0.0.1:{self.port}",
            "REQUESTS_CA_BUNDLE": self.ca,
            "ALICLOUD_ACCESS_KEY": self.keys["access_key"],
            "ALICLOUD_SECRET_KEY": self.keys["secret_key"],
            "ALICLOUD_REGION": self.REGION,
        }

    def bucket(self, name: str) -> oss2.Bucket:
        """An ordinary client of one bucket."""
        auth = oss2.AuthV4(self.keys["access_key"], self.keys["secret_key"])
        return oss2.Bucket(
            auth, f"https://oss-{self.REGION}.aliyuncs.com", name, region=self.REGION
        )

    def new_bucket(self, name: str, versioned: bool = False) -> oss2.Bucket:
        """A fresh bucket."""
        bucket = self.bucket(name)
        self._before[name] = self.control("GET", "/_lab/calls?since=-1")["last"]
        bucket.create_bucket()
        if versioned:
            bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
        return bucket

    def fault(self, **fault: Any) -> None:
        """Let the next matching calls fail; see the double's `/_lab/faults`."""
        self.control("POST", "/_lab/faults", fault)

    def calls(self, bucket: str) -> list[dict[str, Any]]:
        """The requests that reached a bucket, in order."""
        entries = self.control("GET", f"/_lab/calls?since={self._before.get(bucket, 0)}")["calls"]
        return [call for call in entries if call["host"].startswith(f"{bucket}.")]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control API."""
        data = json.dumps(body).encode() if body is not None else None
        url, headers = (
            f"http://127.0.0.1:{self._control}{path}",
            {"Content-Type": "application/json"},
        )
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=1500) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close(self) -> None:
        """Stop the region."""
        self._process.terminate()
        self._process.wait(1500)
        self._log.close()
        if self._process.stdout:
            self._process.stdout.close()

    def _install_redirect(self) -> None:
        """The tests' own client goes the same way as the plugin."""
        os.environ["TEST_CLOUD"] = self.environment["TEST_CLOUD"]
        os.environ["REQUESTS_CA_BUNDLE"] = self.ca
        importlib.import_module("tests.plugins.ossmodel.hooks.sitecustomize")  # reads TEST_CLOUD
