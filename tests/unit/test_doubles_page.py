"""lab/docs/doubles.md: written from the rows; every test that they name is there, and every module
of the lab is somebody's part.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import doubles
from ops.acceptance.items import ITEMS


def test_the_page_is_what_the_rows_and_the_last_runs_say() -> None:
    assert doubles.PAGE.read_text() == doubles.page(), "run `python -m lab.doubles`"


@pytest.mark.parametrize("row", doubles.DOUBLES, ids=lambda row: row.name)
def test_a_row_names_files_that_exist_a_judge_and_what_is_left(row: doubles.Double) -> None:
    assert row.judge and row.stands_for and row.left and row.tests and row.parts
    assert [name for name in (*row.parts, *row.tests) if not (doubles.ROOT / name).exists()] == []


def test_every_module_of_the_lab_is_somebodys_part() -> None:
    modules = [str(path.relative_to(doubles.ROOT)) for path in (doubles.ROOT / "lab").rglob("*.py")]
    assert [module for module in modules if not doubles.owner(module)] == [], (
        "add it to a row of lab/doubles.py, or to its MACHINERY"
    )
    assert doubles.owner("lab/alicloud/services/oss/objects.py") == "cloud double, OSS"
    assert doubles.owner("lab/alicloud/app.py") == "cloud double, RPC and REST"
    assert doubles.owner("lab/kubelet/ossmount.py") == "OSS mount"
    assert doubles.owner("lab/new_double.py") == ""


def test_the_proof_runs_the_tests_of_every_row() -> None:
    assert {
        test
        for row in doubles.DOUBLES
        for test in row.tests
        if not test.startswith(ITEMS["R4"].checks)
    } == set()


def test_a_run_dates_what_passed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doubles, "RUNS", tmp_path / "runs.json")
    monkeypatch.setattr(doubles, "PAGE", tmp_path / "page.md")
    row = next(row for row in doubles.DOUBLES if row.name == "OSS mount")
    first, second = (test.removesuffix(".py").replace("/", ".") for test in row.tests)
    assert doubles.last_run(row, doubles.runs()) == f"not yet: `{row.tests[0]}`, `{row.tests[1]}`"
    doubles.keep([(first, True), (f"{first}.TestClass", True), (second, False)], "2026-11-30")
    assert json.loads(doubles.RUNS.read_text()) == {
        row.tests[0]: {"date": "2026-11-30", "checks": 2}
    }
    assert doubles.last_run(row, doubles.runs()) == f"not yet: `{row.tests[1]}`"
    doubles.keep([(second, True)], "2026-12-01")
    assert doubles.last_run(row, doubles.runs()) == "2026-11-30, 3 checks"
    assert "2026-11-30, 3 checks" in doubles.PAGE.read_text()
    assert [
        line
        for line in doubles.table([(first, True), (second, False)])
        if line.startswith("OSS mount") and "1 of    2" in line
    ]
