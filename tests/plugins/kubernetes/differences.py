"""Ties tests to the rows of the stand-in's list of differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

LIST = Path(__file__).parents[3] / "lab" / "kubernetes_plugin" / "DIFFERENCES.md"
SHOWN: dict[str, str] = {}


def differs(row: str) -> Callable[[Any], Any]:
    """Mark a test as the one that shows the difference `row`."""

    def mark(test: Any) -> Any:
        SHOWN[row] = test.__name__
        return test

    return mark


def listed() -> list[str]:
    """The ids of all rows."""
    return [line.split("|")[1].strip() for line in LIST.read_text().splitlines() if line.startswith("| ")][1:]
