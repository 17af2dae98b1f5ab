"""`python -m lab metrics …`: a metrics adapter that fails or lies, for showing what the autoscaler
makes of it.
"""

from __future__ import annotations

from pathlib import Path

MODES = ("normal", "outage", "zero", "negative", "x100")
"""normal; an error for every question; 0; a negative value; a hundred times the value."""


def place(home: Path) -> Path:
    """The file that says which mode is on; without it, normal."""
    return home / "data" / "metric-fault"


def put(home: Path, mode: str) -> None:
    """Switch. ValueError names the modes."""
    if mode not in MODES:
        raise ValueError(
            f"metrics {mode}: there is no such mode; expected one of {', '.join(MODES)}"
        )
    if mode == "normal":
        place(home).unlink(missing_ok=True)
    else:
        place(home).write_text(mode)


class MetricFault:
    """What the adapter does to its values."""

    def __init__(self, home: Path) -> None:
        self._place = place(home)

    def distort(self, value: int | None) -> int | None:
        """The value to answer. TimeoutError during an outage."""
        try:
            mode = self._place.read_text().strip()
        except FileNotFoundError:
            return value
        if mode == "outage":
            raise TimeoutError("Query sls timeout,it might because of too many logs.")
        changed = {
            "zero": 0,
            "negative": -abs(value or 1),
            "x100": None if value is None else value * 100,
        }
        return changed.get(mode, value)
