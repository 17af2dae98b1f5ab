"""Reads a run directory."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A problem with one file of a run directory."""

    file: Path
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.found}; expected {self.expected}"


class RunError(ValueError):
    """A run directory that cannot be read; the text has one line for each problem."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(problem for problem in problems if isinstance(problem, Problem))
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True)
class Run:
    """A recorded run. Times `t` are modelled seconds since its start."""

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
        cut = [
            [row for row in rows if begin <= row["t"] < end]
            for rows in (self.samples, self.requests, self.events)
        ]
        return Run(self.meta, *cut)


def read(path: Path, needed: Collection[str] = ("samples",)) -> Run:
    """Read a run directory. Raises RunError with everything that is unreadable, or empty or missing
    of what is needed.
    """
    problems: list[Problem] = []
    rows = {
        name: _rows(path / f"{name}.jsonl", name in needed, problems)
        for name in ("samples", "requests", "events")
    }
    meta = _meta(path / "meta.json", problems)
    if problems:
        raise RunError(*problems)
    return Run(meta, **rows)


def _rows(file: Path, needed: bool, problems: list[Problem]) -> list[dict[str, Any]]:
    rows, wrong = [], "is empty"
    try:
        rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        wrong = "is missing"
    except (OSError, ValueError) as error:
        problems.append(Problem(file, str(error), "one JSON object per line"))
        return []
    if needed and not rows:
        problems.append(
            Problem(
                file, wrong, "what `make load` or `make drill` has recorded there after a second"
            )
        )
    return rows


def _meta(file: Path, problems: list[Problem]) -> dict[str, Any]:
    """What the run says of itself."""
    try:
        meta = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        problems.append(
            Problem(
                file,
                getattr(error, "strerror", None) or str(error),
                "the JSON object that a recorded run has there",
            )
        )
        return {}
    if not isinstance(meta, dict):
        problems.append(Problem(file, f"is a {type(meta).__name__}", "a JSON object"))
    return meta


class Growing:
    """A run that is still being recorded; each call parses only the lines that were added since the
    last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("samples", "requests", "events")
        }
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
