"""docs/tutorial.md names every resource the program registers, every file it points to, and every
defect.
"""

import re

from tests.unit.monitor import Recording
from tests.unit.program import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text()


def test_every_kind_of_resource_is_in_the_table(up: Recording) -> None:
    kinds = {
        resource.type.rsplit(":", 1)[1][0].upper() + resource.type.rsplit(":", 1)[1][1:]
        for resource in up.resources
        if resource.custom
    }
    assert len(kinds) > 20
    assert [
        kind for kind in sorted(kinds - {"Kubernetes"}) if not re.search(rf"[`.]{kind}`", PAGE)
    ] == []


def test_every_component_stands_in_the_row_of_its_step(up: Recording) -> None:
    components = [
        resource.type.rsplit(":", 1)[1] for resource in up.resources if not resource.custom
    ]
    assert [component for component in components if f"`{component}`" not in PAGE] == []


def test_every_file_it_points_to_exists() -> None:
    files = re.findall(r"`((?:components|tests)/[a-z_/]+\.py)`", PAGE)
    assert len(files) > 8
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_defect_has_a_row_and_a_test_with_its_number() -> None:
    tests = (ROOT / "tests" / "unit" / "test_tutorial_defects.py").read_text()
    for number in range(1, 18):
        assert f"| D{number} |" in PAGE and f"def test_d{number}_" in tests


def test_every_output_of_the_program_has_a_step(up: Recording) -> None:
    for name in ("endpoint", "predictUrl", "route", "hpaName", "consoleLinks"):
        assert name in up.outputs and f"`{name}`" in PAGE
