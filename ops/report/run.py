"""A run directory, read."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file of a run directory."""

    file: Path
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.found}; expected {self.expected}"


class RunError(ValueError):
    """A run directory that can't be read; a line for each problem."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(problem for problem in problems if isinstance(problem, Problem))
        super().__init__("\n".join(map(str, problems)))


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


def read(path: Path, needed: Collection[str] = ("samples",)) -> Run:
    """Read a run directory. Raises RunError with everything that is unreadable, or empty or missing of what is needed."""
    problems: list[Problem] = []
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in ("samples", "requests", "events"):
        file, rows[name] = path / f"{name}.jsonl", []
        try:
            rows[name] = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
            wrong = "" if rows[name] else "is empty"
        except FileNotFoundError:
            wrong = "is missing"
        except (OSError, ValueError) as error:
            problems.append(Problem(file, str(error), "one JSON object per line"))
            continue
        if wrong and name in needed:
            problems.append(Problem(file, wrong, "what `make load` or `make drill` has recorded there after a second"))
    return Run(_meta(path / "meta.json", problems), rows["samples"], rows["requests"], rows["events"])


def _meta(file: Path, problems: list[Problem]) -> dict[str, Any]:
    """What the run says of itself; raises RunError if it, or what was read before it, has a problem."""
    meta: Any = {}
    try:
        meta = json.loads(file.read_text())
        if not isinstance(meta, dict):
            problems.append(Problem(file, f"is a {type(meta).__name__}", "a JSON object"))
    except (OSError, ValueError) as error:
        problems.append(Problem(file, getattr(error, "strerror", None) or str(error), "the JSON object that a recorded run has there"))
    if problems:
        raise RunError(*problems)
    return meta


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
