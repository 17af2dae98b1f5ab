"""The programs the lab runs and offers, as the tool chain finds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from lab import toolchain
from lab.errors import LabError
from lab.toolchain import plugins
from lab.toolchain.specs import SPECS

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "traefik")
COMMANDS = ("pulumi", "kubectl")
PLUGINS = ("pulumi-resource-alicloud", "pulumi-resource-kubernetes")


def find(name: str) -> dict[str, str]:
    """Where a tool is: {"path", "version", "origin"}. Raises `LabError`, with the command that gets
    it, when it is not there yet.
    """
    try:
        return _plain(toolchain.find(name))
    except toolchain.ToolchainError as error:
        raise LabError(str(error)) from None


def ensure(names: Iterable[str], say: Callable[[str], None]) -> dict[str, dict[str, str]]:
    """Every named tool, built if need be; `say` gets a line at a time."""
    try:
        return {name: _plain(tool) for name, tool in toolchain.ensure(names, say).items()}
    except toolchain.ToolchainError as error:
        raise LabError(str(error)) from None


def lay_plugins(pulumi_home: Path, say: Callable[[str], None]) -> None:
    """Put the plugins where the CLI in the lab looks for them. Nothing is built for that: what is
    missing is said.
    """
    missing = [name for name in (*PLUGINS, *COMMANDS, "pulumi-language-python") if not _there(name)]
    if missing:
        say(
            f"without {', '.join(missing)}: `python -m lab.toolchain ensure {' '.join(missing)}` provides what `pulumi` in the lab needs"
        )
        return
    before = _laid(pulumi_home)
    plugins.install_into(pulumi_home, say)
    for name, path in _laid(pulumi_home).items():
        if before.get(name, path) != path:
            say(f"{name}: {path} is used from now on, so far {before[name]} was")


def _laid(pulumi_home: Path) -> dict[str, Path]:
    return {
        name: place.resolve()
        for name, place in plugins.places(pulumi_home).items()
        if place.exists()
    }


def used(pulumi_home: Path) -> dict[str, dict[str, str]]:
    """What commands in the lab really run: {"path", "version", "origin"} of the CLI, of kubectl and
    of each plugin laid for the CLI.

    A plugin that is laid and is not what would be found now has "next", which says what the next
    `lab up` takes.
    """
    found = {name: find(name) for name in COMMANDS if _there(name)}
    for name, path in _laid(pulumi_home).items():
        version = SPECS[name].version  # the place that the CLI looks at is that version's
        now = find(name) if _there(name) else None
        if now is None or Path(now["path"]).resolve() == path:
            found[name] = now or {"path": str(path), "version": version, "origin": "laid earlier"}
        else:
            found[name] = {
                "path": str(path),
                "version": version,
                "origin": "laid earlier",
                "next": f"{now['path']} ({now['origin']})",
            }
    bundled = plugins.bundled_language_host(toolchain.find("pulumi")) if "pulumi" in found else None
    if bundled:
        found[bundled.name] = _plain(bundled)
    return found


def older_parts(running: Iterable[dict[str, str]]) -> list[str]:
    """Parts of a running lab, by name, version and origin, that would be something else if the lab
    were started now: a line each.
    """
    lines = []
    for part in running:
        name = part["name"]
        if name in CONTROL_PLANE and "origin" in part and _there(name):
            now = find(name)
            if (now["version"], now["origin"]) != (part["version"], part["origin"]):
                runs, next_one = (
                    f"{part['version']} ({part['origin']})",
                    f"{now['version']} ({now['origin']})",
                )
                lines.append(
                    f"{name} {runs} runs on; {next_one} is used from the lab's next start on"
                )
    return lines


def directories() -> list[str]:
    """The directories of the tools that commands inside call by name; those not there yet are left
    out.
    """
    return list(
        dict.fromkeys(
            os.path.dirname(find(name)["path"])
            for name in (*COMMANDS, *CONTROL_PLANE)
            if _there(name)
        )
    )


def _there(name: str) -> bool:
    try:
        return bool(find(name))
    except LabError:
        return False


def _plain(tool: object) -> dict[str, str]:
    return {part: str(getattr(tool, part)) for part in ("path", "version", "origin")}
