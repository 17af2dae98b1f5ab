"""docs/threats.md names tests and items that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.acceptance.items import ITEMS

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "threats.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| who |")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}"[:70])
def test_what_shows_it_exists(row: list[str]) -> None:
    shown = row[-1]
    paths, items = re.findall(r"`(tests/[^`]+)`", shown), re.findall(r"ITEM=(\w+)", shown)
    assert len(row) == 4 and (paths or row[2].startswith("nothing")), shown
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    assert [item for item in items if item not in ITEMS] == []
