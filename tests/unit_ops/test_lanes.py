"""`make test` runs every test once."""

from __future__ import annotations

import collections
import pathlib

from ops.pulumi import ROOT
from ops.test import LANES

LONG = ("tests/elastic", "tests/prove")
"""What `make prove` runs."""


def files(path: str) -> list[pathlib.Path]:
    found = ROOT / path
    return sorted(found.rglob("test_*.py")) if found.is_dir() else [found]


def test_every_test_is_in_one_lane() -> None:
    counts = collections.Counter(
        str(file.relative_to(ROOT)) for lanes in LANES for paths in lanes.values() for path in paths for file in files(path)
    )
    every = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    assert {name for name in every if not name.startswith(LONG)} <= set(counts) <= every
    assert set(counts.values()) == {1}
