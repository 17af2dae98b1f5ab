"""A clone of the last commit with empty caches: what a machine has that never ran this project."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ops.engine.cli import ROOT

CACHES = ("EI_CACHE", "GOCACHE", "GOMODCACHE", "PIP_CACHE_DIR", "LAB_HOME")
PORTS = ("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT")


@dataclass(frozen=True)
class Clone:
    """A clone, and an environment in which nothing is built, downloaded or running yet."""

    directory: pathlib.Path
    environment: dict[str, str]

    def timed(self, *command: str) -> tuple[float, str]:
        """Runs a command in the clone; returns wall seconds and its output (stdout and stderr).
        Raises CalledProcessError, with both, when it fails.
        """
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return time.monotonic() - started, done.stdout + done.stderr


@contextlib.contextmanager
def clean_clone(place: pathlib.Path) -> Iterator[Clone]:
    """A clone under `place` for the time of the block; afterwards its lab is stopped and its caches
    and files are deleted.
    """
    directory = place / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(directory)], check=True)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own = {name: str(place / name.lower()) for name in CACHES} | {
        name: str(free_port()) for name in PORTS
    }
    own["LAB_OWNER_PID"] = str(
        os.getpid()
    )  # its lab ends with this process, even if that is killed
    clone = Clone(directory, inherited | own)
    try:
        yield clone
    finally:
        subprocess.run(
            ["make", "down", "FORCE=1"],
            cwd=directory,
            env=clone.environment,
            capture_output=True,
            check=False,
        )
        subprocess.run(["chmod", "-R", "u+w", own["GOMODCACHE"]], capture_output=True, check=False)
        shutil.rmtree(place, ignore_errors=True)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
