"""Serving processes on loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.testing.models import MODEL, NAME, VERSION
from lab.testing.session import inherited, tied

ROOT = Path(__file__).resolve().parents[2]
TAG = "1.15.0-gpu"
"""Of the default image."""
START_SECONDS = 1500.0


@dataclass
class Server:
    """A started process and its ports."""

    process: subprocess.Popen[str]
    rest: int
    grpc: int
    log: Path

    @property
    def url(self) -> str:
        """Base address of the REST API."""
        return f"http://127.0.0.1:{self.rest}"

    def text(self) -> str:
        """Everything it printed so far."""
        return self.log.read_text()

    def wait_up(self) -> Server:
        """Until the REST port answers; fails with the log otherwise."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/v1/models/x")
                return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"not up (exit {self.process.poll()}): {self.text()[-2000:]}")

    def wait_for(self, text: str, seconds: float = START_SECONDS) -> None:
        """Until `text` was printed."""
        end = time.monotonic() + seconds
        while text not in self.text():
            assert time.monotonic() < end and (
                self.process.poll() is None or text in self.text()
            ), f"{text!r} never came: {self.text()[-2000:]}"
            time.sleep(0.05)

    def wait_end(self) -> int:
        """The exit status."""
        return self.process.wait(START_SECONDS)


Launch = Callable[..., Server]


def put_model(
    root: Path, source: Path = MODEL, version: int = VERSION, base: str = "models/tensorflow"
) -> Path:
    """Copies a model into a container's file tree; appears at once, as a finished directory."""
    target = root / base / str(version)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target.with_name("copying"))
    target.with_name("copying").rename(target)
    return target


def start_process(
    root: Path, flags: list[str], environment: dict[str, str], ports: tuple[int, int], default: bool
) -> Server:
    """Starts lab.serving with `root` as its file tree; `default` adds the usual model."""
    rest, grpc = ports
    log = root / f"log-{rest}"
    words = [sys.executable, "-m", "lab.serving", f"--port={grpc}", f"--rest_api_port={rest}"]
    if default:
        words += [f"--model_name={NAME}", "--model_base_path=/models/tensorflow"]
    env = {
        **inherited(),
        "LAB_ROOTFS": str(root),
        "LAB_POD_IP": "127.0.0.1",
        "LAB_IMAGE_TAG": TAG,
        **environment,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            tied(*words, *flags),
            env=env,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return Server(process, rest, grpc, log)
