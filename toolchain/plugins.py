"""Laying the plugins that the graph needs into a `PULUMI_HOME`, so that the CLI finds them without downloads."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from toolchain.progress import Progress
from toolchain.resolve import ensure
from toolchain.specs import PULUMI_VERSION, SPECS
from toolchain.tool import Tool

_LANGUAGE_HOST = "pulumi-language-python"


def install_into(home: Path, say: Progress | None = None) -> dict[str, Tool]:
    """Puts a link to every plugin where the CLI with this `PULUMI_HOME` looks for it; returns what each one is.

    Links that are right already are left alone. A CLI that brings its own Python language host keeps it.
    Raises ToolchainError when a plugin can't be had.
    """
    names = [name for name, spec in SPECS.items() if spec.plugin]
    tools = ensure([*names, "pulumi", _LANGUAGE_HOST], say)
    for name in names:
        spec = SPECS[name]
        _link(home / "plugins" / f"resource-{spec.plugin}-v{spec.version}" / name, tools[name].path)
    if not _brings_language_host(tools["pulumi"].path):
        _link(home / "plugins" / f"language-python-v{PULUMI_VERSION}" / _LANGUAGE_HOST, tools[_LANGUAGE_HOST].path)
    return {name: tool for name, tool in tools.items() if name != "pulumi"}


def describe(tools: Iterable[Tool]) -> str:
    """One line per tool: name, version, origin, path."""
    return "\n".join(f"{tool.name:<28}{tool.version:<10}{tool.origin:<16}{tool.path}" for tool in tools)


def _brings_language_host(pulumi: Path) -> bool:
    return os.access(pulumi.resolve().parent / _LANGUAGE_HOST, os.X_OK)


def _link(place: Path, target: Path) -> None:
    """Makes `place` a symbolic link to `target`, at no moment missing or half-made."""
    wanted = str(target.resolve())
    if place.exists() and str(place.resolve()) == wanted:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=place.parent)) / place.name
    temporary.symlink_to(wanted)
    temporary.replace(place)
    temporary.parent.rmdir()
