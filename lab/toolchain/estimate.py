"""How long builds take on this machine: measured CPU time, corrected by the builds that this
machine has done already.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from lab.toolchain.paths import cache_root
from lab.toolchain.specs import GoModule

_BUSY = 0.9
"""Share of its cores that a build keeps busy (measured on two)."""
_CORES_USED = 6
"""More cores than that make no build faster: the largest packages and the links run on few."""


def cores() -> float:
    """How many cores a build can use here."""
    return min(len(os.sched_getaffinity(0)), _CORES_USED)


def cpu_seconds(module: GoModule) -> float:
    """CPU time of a build of this module here, with nothing of it in Go's cache."""
    return module.cpu_seconds * slowness()


def seconds(modules: Iterable[GoModule]) -> float:
    """Wall time of building all of these, with nothing of them in Go's cache and nothing else
    running; downloads not counted.
    """
    return sum(map(cpu_seconds, modules)) / (_BUSY * cores())


def slowness() -> float:
    """CPU time that builds took here, relative to where the figures of `specs` were measured; 1
    before the first build.
    """
    measured = [record for path in cache_root().glob("bin/*/*/.ready") if (record := _record(path))]
    expected = sum(nominal for _, nominal in measured)
    return sum(taken for taken, _ in measured) / expected if expected >= 30 else 1.0


def _record(path: Path) -> tuple[float, float] | None:
    try:
        data = json.loads(path.read_text())
        return float(data["cpu_seconds"]), float(data["nominal_cpu_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
