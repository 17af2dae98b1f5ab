"""Figures that a check measured, for the closing line of `make prove`."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable


def figure(text: str) -> None:
    """Shows a measured figure, and hands it to `make prove` where that runs the check."""
    _hand({"text": text})


def measure(name: str, value: float, worst: Callable[[float, float], float] = max) -> None:
    """Shows a measured number; over several seeds `make prove` states its median and its worst."""
    _hand({"name": name, "value": value, "worst": worst.__name__})


def _hand(entry: dict) -> None:
    print(f"\nfigure: {entry.get('text') or entry['name'] + ': ' + format(entry['value'], '.4g')}")
    if path := os.environ.get("PROVE_FIGURES"):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        with pathlib.Path(path).open("a") as file:
            file.write(json.dumps({**entry, "check": test}) + "\n")
