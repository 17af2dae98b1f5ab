"""What the distribution `ack-lab` says it holds, and what is there."""

from __future__ import annotations

import pathlib
import re
import tomllib
from importlib import metadata

LAB = pathlib.Path(__file__).resolve().parents[2]
DECLARED = tomllib.loads((LAB / "pyproject.toml").read_text())


def test_every_package_of_the_lab_is_in_the_distribution() -> None:
    there = {
        ".".join(("lab", *init.parent.relative_to(LAB).parts))
        for init in LAB.rglob("__init__.py")
        if not {"tests", "testing"} & set(init.relative_to(LAB).parts)
    }
    assert set(DECLARED["tool"]["setuptools"]["packages"]) == there


def test_every_file_that_the_lab_reads_is_in_the_distribution() -> None:
    data = DECLARED["tool"]["setuptools"]["package-data"]
    packed = {
        file
        for package, patterns in data.items()
        for pattern in patterns
        for file in LAB.joinpath(*package.split(".")[1:]).glob(pattern)
    }
    there = {
        file
        for suffix in ("json", "yaml", "go", "mod", "sum")
        for file in LAB.rglob(f"*.{suffix}")
        if file.relative_to(LAB).parts[0] not in ("tests", "testing", "docs", "examples", "build")
    }
    assert there and {str(file.relative_to(LAB)) for file in there - packed} == set()


def test_the_versions_that_are_tested_here_are_in_the_declared_ranges() -> None:
    found = []
    for requirement in DECLARED["project"]["dependencies"]:
        split = re.fullmatch(r"([a-z0-9-]+)(.*)", requirement)
        assert split, f"{requirement}: expected a name and its range"
        name, ranges = split.groups()
        installed = _number(metadata.version(name))
        for operator, bound in re.findall(r"(>=|<)([\d.]+)", ranges):
            limit = _number(bound)
            if not (installed >= limit if operator == ">=" else installed < limit):
                found.append(f"{name} {metadata.version(name)} is not {operator}{bound}")
    assert found == []


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
