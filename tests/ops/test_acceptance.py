"""`make prove`: which checks share a session, whose figures are whose, what counts as proved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.acceptance import table
from ops.acceptance.__main__ import main
from ops.acceptance.items import ITEMS
from ops.acceptance.runner import Item, Outcome, append_figures, prove, sessions, summarize
from ops.engine.cli import ROOT

GOOD = """
import os
from lab.testing.figures import measure

def test_it():
    measure("tens", 10.0 * int(os.environ["ELASTIC_SEED"]), worst=min)
"""
BAD = "def test_it():\n    assert False\n"
ONE, TWO = (
    Item("one", ("checks/test_one.py",), together="lab", seeds=2),
    Item("two", ("checks/test_two.py",), together="lab"),
)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's shell says of seeds is not these tests' business."""
    monkeypatch.delenv("PROVE_SEEDS", raising=False)
    monkeypatch.delenv("PROVE_KEEP", raising=False)


def _checks(root: Path, **files: str) -> Path:
    (root / "checks").mkdir()
    for name, text in files.items():
        (root / "checks" / f"test_{name}.py").write_text(text)
    return root


def test_items_that_share_a_lab_run_in_one_session_where_the_first_of_them_was_asked_for() -> None:
    items = {"A": Item("a", ("a.py",)), "B": ONE, "C": Item("c", ("c.py",)), "D": TWO}
    assert sessions(["A", "B", "C", "D"], items) == [["A"], ["B", "D"], ["C"]]
    assert sessions(["D", "D", "A"], items) == [["D"], ["A"]]


def test_every_item_has_its_own_closing_line_with_its_own_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = _checks(tmp_path, one=GOOD, two=BAD)
    assert prove(["B1", "B2"], {"B1": ONE, "B2": TWO}, place) is False
    lines = [line for line in capsys.readouterr().out.splitlines() if "bound:" in line]
    assert (
        lines[0]
        == "B1 (2 seeds)  tens: median 15, worst 10 of 2; 2 of 2 checks passed  bound: every check passes  holds"
    )
    assert lines[1] == "B2  0 of 1 checks passed  bound: every check passes  DOES NOT HOLD"


@pytest.mark.parametrize(
    "text", ["def broken(:\n", "import pytest\n\ndef test_it():\n    pytest.skip()\n", ""]
)
def test_what_did_not_run_proves_nothing(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(["B2"], {"B2": TWO}, _checks(tmp_path, two=text)) is False
    assert "DOES NOT HOLD" in capsys.readouterr().out


def test_a_range_of_seeds_goes_on_where_an_earlier_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVE_SEEDS", "4-5")
    assert prove(["B1"], {"B1": ONE}, _checks(tmp_path, one=GOOD)) is True
    assert (
        "(2 seeds)  tens: median 45, worst 40 of 2; 2 of 2 checks passed" in capsys.readouterr().out
    )


@pytest.mark.parametrize("said", ["five", "", "0", "5-3", "1,2"])
def test_seeds_that_are_none_are_refused_before_anything_runs(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVE_SEEDS", said)
    assert main(["B1"]) == 2
    assert f"PROVE_SEEDS={said}: expected how many seeds (5)" in capsys.readouterr().err


def test_an_item_owns_the_cases_of_its_files_and_directories_and_no_others() -> None:
    whole = Outcome(
        [
            ("lab.tests.alicloud.test_x", True),
            ("lab.tests.alicloud_more", False),
            ("tests.e2e.test_up", True),
        ],
        [
            {"check": "lab/tests/alicloud/test_x.py::test_it", "text": "a"},
            {"check": "lab/tests/alicloud.py::test_it", "text": "b"},
        ],
    )
    mine = whole.of(Item("x", ("lab/tests/alicloud",)))
    assert mine.cases == [("lab.tests.alicloud.test_x", True)] and [
        found["text"] for found in mine.figures
    ] == ["a"]


def test_a_number_is_stated_as_median_and_worst_of_all_seeds() -> None:
    entries = [{"name": "x", "value": value, "worst": "max"} for value in (1.0, 5.0, 2.0)] + [
        {"text": "said once"},
        {"text": "said once"},
    ]
    assert summarize(entries) == ["said once", "x: median 2, worst 5 of 3"]


def test_figures_are_kept_with_their_seed_where_a_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVE_KEEP", str(tmp_path / "kept"))
    append_figures(3, [{"name": "x", "value": 1.0}])
    append_figures(4, [{"name": "x", "value": 2.0}])
    rows = [json.loads(line) for line in (tmp_path / "kept/figures.jsonl").read_text().splitlines()]
    assert [(row["seed"], row["value"]) for row in rows] == [(3, 1.0), (4, 2.0)]


def test_every_check_of_every_item_is_there() -> None:
    checks = {check for item in ITEMS.values() for check in item.checks}
    assert checks and {check for check in checks if not (ROOT / check).exists()} == set()


def test_an_item_brings_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        "ops.acceptance.__main__.prove", lambda numbers, items: ran.append(numbers) or True
    )
    monkeypatch.chdir(ROOT)
    assert main(["B3", "b4"]) == 0 and ran == [["B3"], ["B3-HEADROOM"], ["B4"]]


def test_an_unknown_item_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["b99"]) == 2
    assert "ITEM=B99: there is no such item; expected one of A1, A2" in capsys.readouterr().err


def test_recorded_figures_stand_beside_published_ones_and_a_missing_one_is_said_to_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.jsonl"
    file.write_text(
        "".join(
            json.dumps(
                {"name": "saving against the same autoscaler on demand", "value": v, "worst": "min"}
            )
            + "\n"
            for v in (0.48, 0.47, 0.49)
        )
    )
    assert table.main([str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(table.ROWS) and any(
        "| B9, x10 | 48 %, 47 % (3) | Snape 44 %" in line for line in lines
    )
    assert "not measured" in lines[-1]
    assert table.main([str(tmp_path / "none")]) == 2
