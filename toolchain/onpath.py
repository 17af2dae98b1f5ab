"""Tools that are already on `PATH`, in a version that will do."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from toolchain import versions
from toolchain.paths import cache_root, is_ours
from toolchain.specs import Spec
from toolchain.tool import Tool

_TIMEOUT_SECONDS = 20.0


def find(spec: Spec) -> Tool | None:
    """The tool on `PATH` if its version is accepted, else None. Tools out of our own cache don't count."""
    command = shutil.which(spec.name) if spec.on_path else None
    if command is None or is_ours(Path(command)) or _is_wheel_script(command):
        return None
    found = version_of(Path(command), spec)
    return Tool(spec.name, Path(command), found, "PATH") if found and spec.accepts(found) else None


def _is_wheel_script(command: str) -> bool:
    return Path(command).parent == Path(sys.prefix) / "bin"


def version_of(command: Path, spec: Spec) -> str:
    """The version a tool reports ("" if it can't be run), remembered per file so that a second look takes no time."""
    stat = command.resolve().stat()
    identity = f"{command.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    memory = cache_root() / "versions" / f"{spec.name}.json"
    known = _read(memory)
    if known.get("identity") == identity:
        return known.get("version", "")
    version = _ask(command, spec)
    _write(memory, {"identity": identity, "version": version})
    return version


def _ask(command: Path, spec: Spec) -> str:
    try:
        done = subprocess.run(
            [command, *spec.version_args],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, **spec.environment},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return versions.number(done.stdout or done.stderr) if done.returncode == 0 else ""


def _read(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _write(path: Path, data: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(data, file)
    os.replace(file.name, path)
