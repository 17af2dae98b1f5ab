"""Laying the plugins that the graph needs into a `PULUMI_HOME`, so that the CLI finds them without
downloads.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab.toolchain import published
from lab.toolchain.progress import Progress
from lab.toolchain.resolve import ensure
from lab.toolchain.specs import PULUMI_VERSION, SPECS
from lab.toolchain.tool import Tool

_LANGUAGE_HOST = "pulumi-language-python"


def install_into(home: Path, say: Progress | None = None) -> dict[str, Tool]:
    """Puts a link to every plugin where the CLI with this `PULUMI_HOME` looks for it; returns what
    each one is.

    Links that are right already are left alone. A CLI that brings its own Python language host
    keeps it. Raises ToolchainError when a plugin can't be had.
    """
    laid = places(home)
    tools = ensure([*laid, "pulumi"], say)
    for name, place in laid.items():
        if name != _LANGUAGE_HOST or bundled_language_host(tools["pulumi"]) is None:
            _link(place, tools[name].path)
    return {name: tools[name] for name in laid}


def places(home: Path) -> dict[str, Path]:
    """Where the CLI with this `PULUMI_HOME` looks for each plugin in its pinned version."""
    directories = {
        name: f"resource-{spec.plugin}-v{spec.version}"
        for name, spec in SPECS.items()
        if spec.plugin
    }
    directories[_LANGUAGE_HOST] = f"language-python-v{PULUMI_VERSION}"
    return {name: home / "plugins" / directory / name for name, directory in directories.items()}


def bundled_language_host(pulumi: Tool) -> Tool | None:
    """The language host that a CLI has beside itself, which it prefers to every other."""
    return published.brought(_LANGUAGE_HOST, pulumi)


def describe(tools: Iterable[Tool]) -> str:
    """One line per tool: name, version, origin, path."""
    return "\n".join(
        f"{tool.name:<28}{tool.version:<10}{tool.origin:<16}{tool.path}" for tool in tools
    )


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
