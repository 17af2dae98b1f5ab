"""`make lock`: writes the lock files, in which everything that the pinned packages need stands with
its version and hashes.

Pins are written by hand in the requirement files; a lock is made from them by `uv pip compile`, for
every platform and Python that the project supports. Locks are plain requirement files: pip installs
them as well. `faults` says whether a lock belongs to its pins, without a package index.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = "3.11"
"""The oldest Python that the locks hold for: pyproject.toml's requires-python."""


@dataclass(frozen=True)
class Lock:
    """A requirement file written by hand, the lock made from it, and a lock whose versions it
    follows.
    """

    pins: str
    lock: str
    follows: str = ""


LOCKS = (
    Lock("requirements-dev.txt", "requirements-dev.lock"),
    Lock("requirements-deploy.txt", "requirements-deploy.lock", follows="requirements-dev.lock"),
    Lock("requirements.txt", "requirements.lock", follows="requirements-dev.lock"),
    Lock("policy/requirements.txt", "policy/requirements.lock"),
)
"""In the order in which they are made: what the program runs with is a part of what it is tested
with.
"""


@dataclass
class Locked:
    """One package of a lock."""

    name: str
    versions: set[str] = field(default_factory=set)
    """More than one where platforms or Pythons need different ones."""
    hashes: int = 0
    asked_by: set[str] = field(default_factory=set)
    """The requirement files that name it; empty for what only another package needs."""


def normalized(name: str) -> str:
    """A package's name as indexes compare it: `ruamel.yaml` and `ruamel-yaml` are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    """Name and version of every pin of a requirement file, those of files that it includes as well.
    Raises ValueError for a line that is not an exact pin.
    """
    versions: dict[str, str] = {}
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if included := re.fullmatch(r"-r\s+(\S+)", text):
            versions |= pins(path.parent / included[1])
        elif exact := re.fullmatch(r"([\w.-]+)==([\w.!+-]+)", text):
            versions[normalized(exact[1])] = exact[2]
        elif text:
            raise ValueError(
                f"{path.name}: {text!r}: expected NAME==VERSION; another form lets two installations differ"
            )
    return versions


def locked(text: str) -> dict[str, Locked]:
    """The packages of a lock, by normalized name."""
    packages: dict[str, Locked] = {}
    current: Locked | None = None
    for line in text.splitlines():
        if start := re.match(r"([\w.-]+)==([^\s;\\]+)", line):
            current = packages.setdefault(normalized(start[1]), Locked(start[1]))
            current.versions.add(start[2])
        elif current and "--hash=" in line:
            current.hashes += 1
        elif current and (asked := re.search(r"-r (\S+\.txt)", line)):
            current.asked_by.add(asked[1])
    return packages


def faults(root: Path = ROOT, locks: Sequence[Lock] = LOCKS) -> list[str]:
    """Every way in which the locks do not match the pins, one sentence each; [] when they match."""
    sentences: list[str] = []
    for one in locks:
        pinned = pins(root / one.pins)
        present = locked((root / one.lock).read_text()) if (root / one.lock).exists() else {}
        for name, version in pinned.items():
            if (held := _versions(present, name)) != version:
                sentences.append(f"{one.pins} pins {name}=={version}, {one.lock} has {held}")
        sentences += [
            f"{one.lock}: {name} is no longer pinned by {one.pins}"
            for name in present
            if present[name].asked_by and name not in pinned
        ]
        sentences += [
            f"{one.lock}: {name} has no hash"
            for name, package in present.items()
            if not package.hashes
        ]
        if one.follows and (root / one.follows).exists():
            leader = locked((root / one.follows).read_text())
            sentences += [
                f"{one.lock} has {name} {_versions(present, name)}, {one.follows} has {_versions(leader, name)}"
                for name in present
                if _versions(present, name) != _versions(leader, name)
            ]
    return sentences


def _versions(packages: dict[str, Locked], name: str) -> str:
    return " and ".join(sorted(packages[name].versions)) if name in packages else "nothing"


def compile_lock(one: Lock, upgrade: bool) -> int:
    """Writes one lock; uv's exit status. Versions that the lock has already stay where the pins
    allow it, unless `upgrade` is asked for.
    """
    command = [
        *(
            str(Path(sys.executable).parent / "uv"),
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            OLDEST,
        ),
        *(
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--custom-compile-command",
            "make lock",
        ),
        *(["--upgrade"] if upgrade else []),
        *(["--constraints", one.follows] if one.follows else []),
        *("--output-file", one.lock, one.pins),
    ]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {"UV_NO_PROGRESS": "1"}, check=False
    ).returncode


def main() -> int:
    """Writes every lock, or only checks them. Returns uv's exit status, or 1 when a lock does not
    match its pins.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.requirements", description="Writes the lock files from the pins."
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest versions of what is not pinned"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing: exit status 1 when a lock does not belong to its pins",
    )
    options = parser.parse_args()
    if not options.check:
        for lock in LOCKS:
            if code := compile_lock(lock, options.upgrade):
                return code
    sentences = faults()
    for fault in sentences:
        print(f"error: {fault}; run: make lock", file=sys.stderr)
    return 1 if sentences else 0


if __name__ == "__main__":
    raise SystemExit(main())
