"""The programs the lab runs, as the tool chain finds them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from lab.environment import LabError

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "traefik")
ON_PATH = ("pulumi", "pulumi-language-python", "kubectl")
PLUGINS = ("pulumi-resource-alicloud", "pulumi-resource-kubernetes")


def find(name: str) -> dict[str, str]:
    """Where a tool is: {"path", "version", "origin"}. Raises `LabError` when it is not there yet."""
    fallback = _fallback(name)
    if fallback:
        return fallback
    import toolchain

    try:
        tool = toolchain.find(name)
    except Exception as error:
        raise LabError(f"{name}: {error}; `python -m toolchain ensure {name}` provides it") from None
    return {"path": str(tool.path), "version": str(tool.version), "origin": str(tool.origin)}


def find_all(names: Iterable[str] = CONTROL_PLANE) -> dict[str, dict[str, str]]:
    """`find` for several tools."""
    return {name: find(name) for name in names}


def ensure(names: Iterable[str], progress: Any) -> None:
    """Let the tool chain provide what is missing; `progress` is called with one line at a time."""
    import toolchain

    toolchain.ensure(names, progress)


def directories() -> list[str]:
    """The directories of the tools that commands inside call by name; those not there yet are left out."""
    found = []
    for name in (*ON_PATH, *CONTROL_PLANE):
        try:
            found.append(os.path.dirname(find(name)["path"]))
        except LabError:
            continue
    return list(dict.fromkeys(found))


def _fallback(name: str) -> dict[str, str] | None:
    import importlib.util
    import shutil
    import sys

    if importlib.util.find_spec("toolchain.find") is not None:
        return None
    for candidate in (f"/tmp/gobuild/{name}", os.path.join(os.path.dirname(sys.executable), name)):
        if shutil.which(candidate):
            return {"path": candidate, "version": "dev", "origin": "built"}
    raise LabError(f"{name}: not found")
