"""Files that may not be read. The tests may run as root, whom no file mode stops, so the refusal is
put in by hand.
"""

from __future__ import annotations

import builtins
import os
from pathlib import Path

import pytest

from providers.ossmodel import savedmodel
from tests.plugins.ossmodel import savedmodels


def test_an_unreadable_file_is_named_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = savedmodels.make(tmp_path)
    real = builtins.open

    def refuse(file, *args, **kwargs):
        if str(file).endswith("variables.index"):
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refuse)
    faults = savedmodel.examine(directory, "models/1", None).faults
    text = "\n".join(faults)
    assert (
        "models/1: variables/variables.index" in text
        and "Permission denied" in text
        and "chmod -R u+rX models/1" in text
    )


def test_an_unreadable_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = savedmodels.make(tmp_path)
    real = os.scandir

    def refuse(path):
        if str(path).endswith("variables"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    faults = savedmodel.examine(directory, "models/1", None).faults
    assert "models/1: variables" in "\n".join(faults) and "uploaded incomplete" in "\n".join(faults)


def test_a_source_whose_parent_may_not_be_entered_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refuse)
    fault = savedmodel.directory_fault(tmp_path / "1", "models/1")
    monkeypatch.undo()
    assert fault and "Permission denied" in fault
