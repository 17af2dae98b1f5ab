"""docs/doubles.md: every test that it names is there, and every double of the lab is in it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "doubles.md").read_text()


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:tests|lab)/[\w/.]+)`", PAGE)
    assert len(named) >= 15
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_double_has_a_row_with_a_judge_and_a_test() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")][2:]
    assert all(len(row) == 5 and all(row) for row in rows)
    assert all("tests/" in row[3] for row in rows)
    for part in (
        "lab/region",
        "lab/cluster/adapter.py",
        "lab/cluster/node_autoscaler.py",
        "lab/nodes",
        "lab/nodes/ossmount.py",
        "lab/serving",
    ):
        assert any(part in row[0] for row in rows), part
