"""`make test` runs every test once, but for those that take minutes each: `make prove` runs
these.
"""

from __future__ import annotations

import collections
import pathlib

from ops.acceptance.items import ITEMS
from ops.engine.cli import ROOT
from ops.test import LANES, PROVED

LONG = ("tests/elastic", "tests/prove")
"""What `make prove` runs."""


def files(path: str) -> list[pathlib.Path]:
    found = ROOT / path
    return sorted(found.rglob("test_*.py")) if found.is_dir() else [found]


def test_every_test_is_in_one_lane() -> None:
    counts = collections.Counter(
        str(file.relative_to(ROOT))
        for lanes in LANES
        for paths in lanes.values()
        for path in paths
        for file in files(path)
    )
    every = {
        str(file.relative_to(ROOT))
        for tests in (ROOT / "tests", ROOT / "lab" / "tests")
        for file in tests.rglob("test_*.py")
    }
    assert (
        {name for name in every if not name.startswith(LONG)} - set(PROVED)
        <= set(counts)
        <= every - set(PROVED)
    )
    assert set(counts.values()) == {1}


def test_what_is_in_no_lane_is_run_by_an_item() -> None:
    assert set(PROVED) <= {path for item in ITEMS.values() for path in item.checks}
