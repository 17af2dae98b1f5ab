"""Building tools from their published Go modules into the cache."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lab.toolchain import cache, estimate, onpath, published
from lab.toolchain.child import Child
from lab.toolchain.errors import ToolchainError
from lab.toolchain.failures import explain
from lab.toolchain.golang import Go, require_go
from lab.toolchain.lock import exclusive
from lab.toolchain.paths import cache_root
from lab.toolchain.progress import Board, Step, about, duration
from lab.toolchain.specs import GoModule, Spec
from lab.toolchain.tool import Tool

_TEMPORARY = ".building-"
_STALE = '{{if and .Stale (ne .Name "main")}}{{.ImportPath}}{{end}}'
"""Template of `go list` for what Go would have to compile."""


def build(
    specs: Sequence[Spec], board: Board, ended: threading.Event | None = None
) -> dict[str, Tool]:
    """Tools of one module, built for the pins of this checkout: from the cache, or all together
    now. Ends early once `ended` is set.

    One `go build` for all of them compiles what they share once. Raises ToolchainError when Go,
    disk space or a module can't be had, the build fails or is ended.
    """
    ended = ended or threading.Event()
    go = require_go(specs[0].name)
    step = board.begin(" + ".join(spec.name for spec in specs))
    try:
        with contextlib.ExitStack() as locks:
            for spec in sorted(specs, key=lambda spec: spec.name):
                locks.enter_context(exclusive(_home(spec) / ".lock", step, board, ended))
            missing = [
                spec for spec in specs if not cache.load(spec, cache.key_of(spec, go.version))
            ]
            if missing:
                _build_missing(missing, go, step, board, ended)
    finally:
        board.end(step)
    return {spec.name: _built(spec, go) for spec in specs}


def announce(groups: Sequence[Sequence[Spec]], asked: Collection[str], board: Board) -> None:
    """Says before the first build what will be built, for how long, and where it will lie; `asked`
    may be downloaded instead.
    """
    board.line("to build, this time only:")
    for group in groups:
        module = _module(group[0])
        names = ", ".join(f"{spec.name} {spec.version}" for spec in group)
        instead = " (unless it can be downloaded)" if group[0].name in asked else ""
        board.line(
            f"  {names}{instead}: {about(estimate.seconds([module]))}, up to {module.needs_gib:g} GiB of disk"
        )
        for line in (
            found
            for spec in group
            for found in (*onpath.refused(spec), *(published.others(spec) if spec.plugin else ()))
        ):
            board.line(f"    not used: {line}")
    modules = [_module(group[0]) for group in groups]
    board.line(
        f"  in all {about(estimate.seconds(modules))} on this machine ({os.cpu_count()} cores) if nothing else runs, "
        f"and what downloads take; the tools go to {cache_root()}, what Go keeps to {_go_caches()}"
    )


def _go_caches() -> str:
    go = require_go("the tools")
    done = subprocess.run(
        [go.command, "env", "GOCACHE", "GOMODCACHE"], capture_output=True, text=True, check=False
    )
    return " and ".join(done.stdout.split()) or "where `go env GOCACHE GOMODCACHE` says"


def _home(spec: Spec) -> Path:
    return cache_root() / "bin" / spec.name


def _module(spec: Spec) -> GoModule:
    if spec.module is None:
        raise ValueError(f"{spec.name} is not built from a module")
    return spec.module


def _built(spec: Spec, go: Go) -> Tool:
    key = cache.key_of(spec, go.version)
    tool = cache.load(spec, key)
    if tool is None:
        raise ToolchainError(
            f"{spec.name}: was built, but {cache.directory_of(spec, key)} is gone again. Run the same command again."
        )
    return tool


def _build_missing(
    specs: Sequence[Spec], go: Go, step: Step, board: Board, ended: threading.Event
) -> None:
    for spec in specs:
        _remove_leftovers(_home(spec))
    module = _module(specs[0])
    check_space(step.name, module)
    _warn_of_memory(step.name, module, board)
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=_home(specs[0])))
    try:
        cost = _go_build(specs, go, temporary, step, ended)
        for spec in specs:
            _put_in_place(spec, go, temporary, cost)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    board.line(f"{step.name}: built in {duration(step.elapsed)} ({duration(cost.cpu)} of CPU time)")


def _remove_leftovers(home: Path) -> None:
    for leftover in home.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _put_in_place(spec: Spec, go: Go, temporary: Path, cost: Cost) -> None:
    """Moves one finished tool, marked as ready, to where it is found."""
    key = cache.key_of(spec, go.version)
    final = cache.directory_of(spec, key)
    own = temporary / f"{spec.name}.d"
    own.mkdir(mode=0o755)
    (temporary / spec.name).rename(own / spec.name)
    for name in _module(spec).beside:
        shutil.copyfile(_module(spec).directory / name, own / name)
    cache.write_ready(
        spec, key, own, go.version, cpu_seconds=cost.cpu, nominal_cpu_seconds=cost.nominal
    )
    if final.exists():  # damaged: it had no .ready, or no executable
        shutil.rmtree(final)
    own.rename(final)


@dataclass(frozen=True)
class Cost:
    """What a build took."""

    cpu: float
    """CPU seconds."""
    nominal: float
    """CPU seconds that the figures in `specs` say for as many packages."""


def _go_build(
    specs: Sequence[Spec], go: Go, into: Path, step: Step, ended: threading.Event
) -> Cost:
    module = _module(specs[0])
    log = cache_root() / "log" / f"build-{specs[0].name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    work = _Work(go, module, [_module(spec).package for spec in specs], log, step, ended)
    with log.open("wb") as sink:
        to_compile = work.download_and_count(sink)
        # With a directory as -o Go names each program after its package, as the tools are called.
        cpu = work.compile(to_compile, into / specs[0].name if len(specs) == 1 else into, sink)
    return Cost(cpu, module.cpu_seconds * min(1.0, to_compile / module.packages))


@dataclass
class _Work:
    """One build's runs of Go."""

    go: Go
    module: GoModule
    packages: list[str]
    log: Path
    step: Step
    ended: threading.Event

    def download_and_count(self, sink: BinaryIO) -> int:
        """Downloads the modules; how many packages are to be compiled."""
        with (
            tempfile.TemporaryFile() as listed,
            self._start("list", *cache.BUILD_FLAGS, "-deps", "-f", _STALE, stdout=listed) as child,
        ):
            downloaded = 0
            for chunk in child.output():
                sink.write(chunk)
                sink.flush()
                downloaded += chunk.count(b"go: downloading ")
                self.step.show(
                    "downloading", downloaded, unit="modules"
                ) if downloaded else self.step.show("looking what to compile")
            self._finish(child)
            listed.seek(0)
            return sum(1 for line in listed if line.strip())

    def compile(self, to_compile: int, output: Path, sink: BinaryIO) -> float:
        """Builds; the CPU seconds that took."""
        expected = estimate.cpu_seconds(self.module) * min(1.0, to_compile / self.module.packages)
        compiled = 0
        with self._start(
            "build", "-v", *cache.BUILD_FLAGS, "-ldflags", self.module.ldflags, "-o", str(output)
        ) as child:
            for chunk in child.output():
                sink.write(chunk)
                sink.flush()
                compiled += chunk.count(b"\n") - chunk.count(b"go: ")
                at = min(compiled, to_compile)
                self.step.show(
                    "compiling" if at < to_compile else "linking",
                    at,
                    to_compile,
                    "packages",
                    child.seconds_left(expected),
                )
            self._finish(child)
            return child.cpu_seconds

    def _start(self, command: str, *options: str, stdout: BinaryIO | None = None) -> Child:
        arguments = [str(self.go.command), command, *options, *self.packages]
        variables = {**cache.BUILD_ENVIRONMENT, **cache.BUILD_PACE}
        return Child(
            arguments,
            self.ended,
            directory=self.module.directory,
            variables=variables,
            stdout=stdout,
        )

    def _finish(self, child: Child) -> None:
        code = child.wait()
        if self.ended.is_set():
            raise ToolchainError(
                f"{self.step.name}: the build was ended. The same command builds it again."
            )
        if code != 0:
            raise ToolchainError(explain(self.step.name, code, self.log))


def check_space(name: str, module: GoModule) -> None:
    """Raises ToolchainError if the disk of the cache has less space than the build takes on an
    empty Go cache.

    A warm Go cache needs less, so a quarter of the full amount is enough to try.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free / 2**30
    if free < module.needs_gib / 4:
        raise ToolchainError(
            f"{name}: building it takes up to {module.needs_gib:g} GiB, but only {free:.1f} GiB are free under {root}. "
            "Free some space, or set EI_CACHE, GOCACHE and GOMODCACHE to a larger disk, and run the same command again."
        )


def available_memory() -> float:
    """Memory that programs can still take, in GiB; infinite where the kernel doesn't tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return math.inf
    return next(
        (int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable:")),
        math.inf,
    )


def _warn_of_memory(name: str, module: GoModule, board: Board) -> None:
    available = available_memory()
    if available < module.memory_gib:
        board.line(
            f"{name}: building it takes {module.memory_gib:g} GiB of memory and only {available:.1f} GiB are free; "
            "if the kernel ends it, close other programs and run the same command again"
        )
