"""A fresh clone with fresh caches: `make up`, an answer, `make test`; then warm, then nothing to
do. Takes most of an hour.
"""

from __future__ import annotations

import os
import pathlib

import pytest

from lab.testing.figures import figure
from ops.clean_clone import clean_clone


@pytest.mark.timeout(2 * 3600)
def test_two_commands_on_a_fresh_clone_with_fresh_caches(tmp_path: pathlib.Path) -> None:
    with clean_clone(tmp_path) as clone:
        cold, printed = clone.timed("make", "up")
        assert "predictions" in printed or "negative" in printed or "positive" in printed
        second, printed = clone.timed("make", "up")
        assert "created" not in printed and "updated" not in printed
        clone.timed("make", "down")
        warm, _ = clone.timed("make", "up")
        clone.timed("make", "down")
        tested, _ = clone.timed("make", "test") if os.environ.get("FRESH_TEST") else (0.0, "")
    figure(
        f"cold {cold / 60:.1f} min, warm {warm:.0f} s, second {second:.1f} s, test {tested / 60:.1f} min"
    )
    assert cold <= 25 * 60 and warm <= 60 and second <= 10
