"""A run directory, read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class RunError(ValueError):
    """A run directory that can't be read; the text says what is missing."""


@dataclass(frozen=True)
class Run:
    """What a run recorded. Times `t` are modelled seconds since its start."""

    meta: dict[str, Any]
    samples: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clock(self) -> float:
        """Modelled seconds in one wall second."""
        return float(self.meta.get("clock") or 1)

    def between(self, begin: float, end: float = float("inf")) -> Run:
        """The part from `begin` to `end` (modelled seconds, end excluded)."""
        cut = [[row for row in rows if begin <= row["t"] < end] for rows in (self.samples, self.requests, self.events)]
        return Run(self.meta, *cut)


def read(path: Path) -> Run:
    """Read a run directory. Raises RunError with everything that is missing."""
    problems: list[str] = []
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in ("samples", "requests", "events"):
        file = path / f"{name}.jsonl"
        try:
            rows[name] = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        except FileNotFoundError:
            rows[name] = []
            if name == "samples":
                problems.append(f"{file}: is missing; a run has it once `make load` or `make drill` has recorded for a second")
        except ValueError as error:
            problems.append(f"{file}: not JSON lines: {error}")
    try:
        meta = json.loads((path / "meta.json").read_text())
    except (OSError, ValueError) as error:
        meta, _ = {}, problems.append(f"{path / 'meta.json'}: {error}; expected the directory of a recorded run")
    if problems:
        raise RunError("\n".join(problems))
    return Run(meta, rows["samples"], rows["requests"], rows["events"])


class Growing:
    """A run that is still being recorded: each look parses only what has come since the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("samples", "requests", "events")}
        self._offsets = dict.fromkeys(self._rows, 0)
        self._meta: dict[str, Any] = json.loads((path / "meta.json").read_text())

    def run(self) -> Run:
        """What has been recorded so far, as whole lines."""
        for name, rows in self._rows.items():
            rows.extend(json.loads(line) for line in self._fresh(name))
        return Run(self._meta, *(list(rows) for rows in self._rows.values()))

    def _fresh(self, name: str) -> list[bytes]:
        try:
            with (self._path / f"{name}.jsonl").open("rb") as file:
                file.seek(self._offsets[name])
                text = file.read()
        except FileNotFoundError:  # nothing to write yet
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offsets[name] += len(whole)
        return whole.splitlines()
