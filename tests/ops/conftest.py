"""The commands' tests know no lab of the user's: `make up` may have left one running."""

import pathlib

import pytest


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "no-lab"))
