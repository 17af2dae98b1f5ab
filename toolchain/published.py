"""Published plugins: installed by the Pulumi CLI's own `plugin install`, never by code of ours."""

import json
import os
import subprocess
import time
from pathlib import Path

from toolchain.paths import cache_root
from toolchain.progress import Progress
from toolchain.specs import Spec
from toolchain.tool import Tool

TIMEOUT_SECONDS = 20.0
REMEMBER_FAILURE_SECONDS = 24 * 3600.0


def find(spec: Spec) -> Tool | None:
    """The published plugin if the user's Pulumi or an earlier `install` has it, else None."""
    for home in (_home(), Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()):
        directory = home / "plugins" / f"resource-{spec.plugin}-v{spec.version}"
        path = directory / spec.name
        complete = not directory.with_name(directory.name + ".partial").exists()
        if complete and os.access(path, os.X_OK) and not _is_wrapper(path):
            return Tool(spec.name, path, spec.version, "plugin install")
    return None


def install(spec: Spec, pulumi: Path, progress: Progress) -> Tool | None:
    """Lets the CLI install the published plugin; None if that fails or takes too long.

    A failure is remembered for a day, so that a machine without that download does not wait again and again.
    """
    if failed_lately(spec):
        return None
    progress(f"{spec.name}: asking `pulumi plugin install` for the published {spec.version} (at most {TIMEOUT_SECONDS:.0f} s)")
    command = [str(pulumi), "plugin", "install", "resource", str(spec.plugin), spec.version, "--non-interactive"]
    environment = {**os.environ, "PULUMI_HOME": str(_home()), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    reason = "it took too long"
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode == 0 and (tool := find(spec)):
            return tool
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        pass
    progress(f"{spec.name}: not to be had from there ({reason})")
    _remember_failure(spec, reason)
    return None


def _home() -> Path:
    return cache_root() / "pulumi-home"


def _is_wrapper(path: Path) -> bool:
    """Whether this is what `toolchain.plugins` laid there: a link into our cache or repository."""
    return path.is_symlink()


def _memory(spec: Spec) -> Path:
    return cache_root() / "not-published" / f"{spec.name}-{spec.version}.json"


def failed_lately(spec: Spec) -> bool:
    """Whether an `install` of this version failed within the last day."""
    try:
        at = float(json.loads(_memory(spec).read_text())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return 0 <= time.time() - at < REMEMBER_FAILURE_SECONDS


def _remember_failure(spec: Spec, reason: str) -> None:
    path = _memory(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"at": time.time(), "reason": reason}) + "\n")
