"""The programs the lab runs and offers, as the tool chain finds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.environment import LabError

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "traefik")
COMMANDS = ("pulumi", "kubectl")
PLUGINS = ("pulumi-resource-alicloud", "pulumi-resource-kubernetes")


def find(name: str) -> dict[str, str]:
    """Where a tool is: {"path", "version", "origin"}. Raises `LabError`, with the command that gets it, when it is not there yet."""
    import toolchain

    try:
        return _plain(toolchain.find(name))
    except toolchain.ToolchainError as error:
        raise LabError(str(error)) from None


def ensure(names: Iterable[str], say: Callable[[str], None]) -> dict[str, dict[str, str]]:
    """Every named tool, built if need be; `say` gets a line at a time."""
    import toolchain

    try:
        return {name: _plain(tool) for name, tool in toolchain.ensure(names, say).items()}
    except toolchain.ToolchainError as error:
        raise LabError(str(error)) from None


def lay_plugins(pulumi_home: Path, say: Callable[[str], None]) -> None:
    """Put the plugins where the CLI in the lab looks for them. Nothing is built for that: what is missing is said."""
    from toolchain import plugins

    missing = [name for name in (*PLUGINS, *COMMANDS, "pulumi-language-python") if not _there(name)]
    if missing:
        say(f"without {', '.join(missing)}: `python -m toolchain ensure {' '.join(missing)}` provides what `pulumi` in the lab needs")
        return
    plugins.install_into(pulumi_home, say)


def plugins_laid(pulumi_home: Path) -> bool:
    """Whether each plugin has its place and leads somewhere."""
    return all(any(pulumi_home.glob(f"plugins/*/{name}")) for name in PLUGINS)


def directories() -> list[str]:
    """The directories of the tools that commands inside call by name; those not there yet are left out."""
    return list(dict.fromkeys(os.path.dirname(find(name)["path"]) for name in (*COMMANDS, *CONTROL_PLANE) if _there(name)))


def _there(name: str) -> bool:
    try:
        return bool(find(name))
    except LabError:
        return False


def _plain(tool: object) -> dict[str, str]:
    return {part: str(getattr(tool, part)) for part in ("path", "version", "origin")}
