"""Building a tool from its published Go module into the cache."""

import math
import os
import selectors
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

from toolchain import cache
from toolchain.errors import ToolchainError
from toolchain.failures import explain
from toolchain.golang import Go, require_go
from toolchain.lock import exclusive
from toolchain.paths import cache_root
from toolchain.progress import Progress, Ticker, duration
from toolchain.specs import GoModule, Spec
from toolchain.tool import Tool

_TEMPORARY = ".building-"


def build(spec: Spec, progress: Progress, ended: threading.Event | None = None) -> Tool:
    """The tool built for the pins of this checkout, from the cache or by building it now; ends early once `ended` is set.

    Raises ToolchainError when Go, disk space or a module can't be had, the build fails or is ended.
    """
    ended = ended or threading.Event()
    go = require_go(spec.name)
    key = cache.key_of(spec, go.version)
    home = cache_root() / "bin" / spec.name
    with exclusive(home / ".lock", spec.name, progress):
        if done := cache.load(spec, key):
            return done
        _remove_leftovers(home)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=home))
        try:
            _go_build(spec, go, temporary / spec.name, progress, ended)
            cache.write_ready(spec, key, temporary, go.version)
            _put_in_place(temporary, cache.directory_of(spec, key))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    built = cache.load(spec, key)
    if built is None:
        raise ToolchainError(f"{spec.name}: was built, but {cache.directory_of(spec, key)} is gone again. Run the same command again.")
    return built


def _remove_leftovers(home: Path) -> None:
    for leftover in home.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _put_in_place(temporary: Path, final: Path) -> None:
    temporary.chmod(0o755)
    if final.exists():  # damaged: it had no .ready, or no executable
        shutil.rmtree(final)
    temporary.rename(final)


def _go_build(spec: Spec, go: Go, output: Path, progress: Progress, ended: threading.Event) -> None:
    module = spec.module
    if module is None:
        raise ValueError(f"{spec.name} is not built from a module")
    check_space(spec.name, module)
    _warn_of_memory(spec.name, module, progress)
    progress(f"{spec.name}: building {spec.version} with Go {go.version} (first time only, about {module.minutes} min)")
    log = cache_root() / "log" / f"build-{spec.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    ticker = Ticker(progress, spec.name)
    command = [str(go.command), "build", "-v", *cache.BUILD_FLAGS, "-ldflags", module.ldflags, "-o", str(output), module.package]
    code = _run_logged(command, module.directory, log, ticker, ended)
    if ended.is_set():
        raise ToolchainError(f"{spec.name}: the build was ended. The same command builds it again.")
    if code != 0:
        raise ToolchainError(explain(spec.name, code, log))
    progress(f"{spec.name}: built in {duration(ticker.elapsed)}")


def check_space(name: str, module: GoModule) -> None:
    """Raises ToolchainError if the disk of the cache has less space than the build takes on an empty Go cache.

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
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable:")), math.inf)


def _warn_of_memory(name: str, module: GoModule, progress: Progress) -> None:
    available = available_memory()
    if available < module.memory_gib:
        progress(
            f"{name}: building it takes {module.memory_gib:g} GiB of memory and only {available:.1f} GiB are free; "
            "if the kernel ends it, close other programs and run the same command again"
        )


def _run_logged(command: list[str], directory: Path, log: Path, ticker: Ticker, ended: threading.Event) -> int:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **cache.BUILD_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        try:
            _follow(process, sink, ticker, ended)
            if ended.is_set():
                process.terminate()
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


def _follow(process: subprocess.Popen[bytes], sink: BinaryIO, ticker: Ticker, ended: threading.Event) -> None:
    """Copies Go's output to the log and counts what it reports; ticks also while Go is silent (linking)."""
    assert process.stdout is not None
    compiled = downloaded = 0
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not ended.is_set():
            if selector.select(timeout=1.0):
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    return
                sink.write(chunk)
                sink.flush()
                downloads = chunk.count(b"go: downloading ")
                downloaded += downloads
                compiled += chunk.count(b"\n") - downloads
            fetched = f"{downloaded} modules downloaded, " if downloaded else ""
            ticker.tick(f"{fetched}{compiled} packages compiled")
