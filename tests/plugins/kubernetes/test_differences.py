"""The list of differences from the published plugin is exact: each row has a test that shows it, each such test a row."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.plugins.kubernetes import differences


def test_each_listed_difference_is_shown_by_a_test_and_no_other_is() -> None:
    for module in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.plugins.kubernetes.{module.stem}")
    rows = differences.listed()
    assert len(rows) == len(set(rows)) > 10
    assert set(rows) == set(differences.SHOWN)
