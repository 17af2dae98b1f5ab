"""The cache of built tools: `<cache>/bin/<name>/<version>-<key>/`, complete exactly when it holds a
`.ready` file.
"""

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from lab.toolchain.paths import cache_root
from lab.toolchain.specs import GoModule, Spec
from lab.toolchain.tool import Tool

READY = ".ready"
BUILD_FLAGS = ("-trimpath",)
BUILD_ENVIRONMENT = {
    "CGO_ENABLED": "0",  # runs on every Linux, and needs no C compiler
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
"""The environment of every build: the pinned modules only, no download of another Go."""
BUILD_PACE = {"GOGC": "400", "GOMEMLIMIT": "4GiB"}
"""Lets compiler and linker collect garbage less often: 0.83x the time, measured on etcd. The limit
holds each of them to what the largest package, alicloud's, takes anyway. What is built is the same,
so no key depends on it.
"""
_SOURCES = ("go.mod", "go.sum", "*.go")


@dataclass(frozen=True)
class Key:
    """What a built tool depends on: `inputs` is all but the Go version, `digest` is all."""

    inputs: str
    digest: str


def key_of(spec: Spec, go_version: str) -> Key:
    """The cache key of a tool: pins, sums, our sources, flags, platform, and the Go version (may be
    "").
    """
    if spec.module is None:
        raise ValueError(f"{spec.name} is not built from a module")
    digest = hashlib.sha256()
    parts = [
        spec.name,
        spec.version,
        spec.module.package,
        spec.module.ldflags,
        *BUILD_FLAGS,
        *BUILD_ENVIRONMENT.values(),
    ]
    parts += [platform.system(), platform.machine()]
    digest.update("\0".join(parts).encode())
    for path in _source_files(spec.module):
        digest.update(b"\0" + str(path.relative_to(spec.module.directory)).encode() + b"\0")
        digest.update(path.read_bytes())
    inputs = digest.hexdigest()
    whole = hashlib.sha256(f"{inputs} go{go_version}".encode()).hexdigest()
    return Key(inputs[:12], whole[:12])


def _source_files(module: GoModule) -> list[Path]:
    found = {path for pattern in _SOURCES for path in module.directory.rglob(pattern)}
    found |= {module.directory / name for name in module.beside}
    return sorted(path for path in found if not path.name.endswith("_test.go"))


def directory_of(spec: Spec, key: Key) -> Path:
    """Where a tool with this key is or will be."""
    return cache_root() / "bin" / spec.name / f"{spec.version}-{key.digest}"


def load(spec: Spec, key: Key) -> Tool | None:
    """The built tool, or None if it is not (completely) there."""
    return _load_from(spec, directory_of(spec, key))


def load_by_inputs(spec: Spec, key: Key) -> Tool | None:
    """The tool built from the same inputs by any Go version: what is used where there is no Go any
    more.
    """
    for directory in sorted((cache_root() / "bin" / spec.name).glob(f"{spec.version}-*")):
        tool = _load_from(spec, directory)
        if tool and _metadata(directory).get("inputs") == key.inputs:
            return tool
    return None


def write_ready(spec: Spec, key: Key, directory: Path, go_version: str, **figures: float) -> None:
    """Marks a directory that holds the finished tool; its last file. `figures` are what its build
    took.
    """
    final = directory_of(spec, key) / spec.name
    data = {
        "path": str(final),
        "version": spec.version,
        "origin": "built",
        "go": go_version,
        "inputs": key.inputs,
        **figures,
    }
    (directory / READY).write_text(json.dumps(data, indent=1) + "\n")


def _load_from(spec: Spec, directory: Path) -> Tool | None:
    metadata = _metadata(directory)
    path = directory / spec.name
    if not metadata or not os.access(path, os.X_OK):
        return None
    return Tool(spec.name, path, metadata["version"], metadata["origin"])


def _metadata(directory: Path) -> dict[str, str]:
    try:
        return json.loads((directory / READY).read_text())
    except (OSError, ValueError):
        return {}
