"""Tools that are on this machine already, in a version that will do: on `PATH`, or where Pulumi's
own installer puts its programs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.toolchain import plugin_version, versions
from lab.toolchain.paths import cache_root, is_ours, pulumi_homes
from lab.toolchain.specs import Spec
from lab.toolchain.tool import Tool

_TIMEOUT_SECONDS = 20.0


def find(spec: Spec) -> Tool | None:
    """The first such tool whose version is accepted, else None. Tools out of our own cache don't
    count.
    """
    for command, origin in _candidates(spec):
        version = version_of(command, spec)
        if version and spec.accepts(version):
            return Tool(spec.name, command, version, origin)
    return None


def refused(spec: Spec) -> list[str]:
    """The others, each with its version: what a user may wonder about."""
    found = {command: version_of(command, spec) for command, _ in _candidates(spec)}
    wrong = {
        command: version
        for command, version in found.items()
        if not version or not spec.accepts(version)
    }
    return [
        f"{command} is {version or 'of no version that it tells'}"
        for command, version in wrong.items()
    ]


def _candidates(spec: Spec) -> Iterator[tuple[Path, str]]:
    if not spec.on_path:
        return
    directories = [
        (Path(entry), "PATH")
        for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if entry
    ]
    directories += [(home / "bin", "installer") for home in pulumi_homes()]
    seen = set()
    for directory, origin in directories:
        command = directory / spec.name
        if (
            directory == Path(sys.prefix) / "bin"
            or command in seen
            or not command.is_file()
            or not os.access(command, os.X_OK)
        ):
            continue
        seen.add(command)
        if not is_ours(command):
            yield command, origin


def version_of(command: Path, spec: Spec) -> str:
    """The version a tool reports ("" if it can't be run), remembered per file so that a second look
    takes no time.
    """
    stat = command.resolve().stat()
    identity = f"{command.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    memory = cache_root() / "versions" / f"{spec.name}.json"
    known = _read(memory)
    if identity in known:
        return known[identity]
    version = plugin_version.ask(command) if spec.plugin else _ask(command, spec)
    if (
        version is not None
    ):  # else it took too long: a busy machine is no reason to forget a tool for good
        _write(memory, {**known, identity: version})
    return version or ""


def _ask(command: Path, spec: Spec) -> str | None:
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
    except subprocess.TimeoutExpired:
        return None
    except OSError:
        return ""
    return versions.number(done.stdout or done.stderr) if done.returncode == 0 else ""


def _read(path: Path) -> dict[str, str]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write(path: Path, data: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(data, file)
    os.replace(file.name, path)
