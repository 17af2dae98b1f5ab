"""`make test` and `make test-lab` together run every test once, but for those that take minutes
each: `make prove` runs these.
"""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Sequence

from ops.acceptance.items import ITEMS
from ops.engine.cli import ROOT
from ops.test import LAB, PROGRAM, PROVED

LONG = ("tests/elastic", "tests/prove")
"""What `make prove` runs."""


def files(path: str) -> list[pathlib.Path]:
    """The test files below a path, or the file itself."""
    there = ROOT / path
    return sorted(there.rglob("test_*.py")) if there.is_dir() else [there]


def run_by(groups: Sequence[dict[str, tuple[str, ...]]]) -> collections.Counter[str]:
    """How often each test file is run."""
    return collections.Counter(
        str(file.relative_to(ROOT))
        for lanes in groups
        for paths in lanes.values()
        for path in paths
        for file in files(path)
    )


def there(folder: str) -> set[str]:
    """Every test file of a folder."""
    return {str(file.relative_to(ROOT)) for file in (ROOT / folder).rglob("test_*.py")}


def test_every_test_of_the_program_is_in_one_lane() -> None:
    counts, every = run_by(PROGRAM), there("tests")
    expected = {name for name in every if not name.startswith(LONG)} - set(PROVED)
    assert expected <= set(counts) <= every - set(PROVED), expected - set(counts)
    assert set(counts.values()) == {1}


def test_every_test_of_the_lab_is_in_one_lane_of_its_own() -> None:
    counts = run_by(LAB)
    assert set(counts) == there("lab/tests") - set(PROVED) and set(counts.values()) == {1}


def test_what_is_in_no_lane_is_run_by_an_item() -> None:
    assert set(PROVED) <= {path for item in ITEMS.values() for path in item.checks}
