"""What the distribution `ack-lab` says it holds, and what is there."""

from __future__ import annotations

import ast
import graphlib
import pathlib
import re
import sys
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


def test_the_lab_imports_only_itself_and_what_it_declares() -> None:
    names = {
        "crcmod": "crcmod", "google": "protobuf", "grpc": "grpcio", "grpc_health": "grpcio-health-checking", "jwt": "pyjwt",
        "yaml": "pyyaml",
    }  # fmt: skip
    declared = {
        re.match(r"[a-z0-9-]+", requirement)[0]  # type: ignore[index]
        for requirement in DECLARED["project"]["dependencies"]
    }
    foreign = [
        f"{file.relative_to(LAB)}: {module}"
        for file in LAB.rglob("*.py")
        if file.relative_to(LAB).parts[0] not in ("tests", "testing", "examples", "build")
        for module in _imported(file)
        if module not in sys.stdlib_module_names
        and module != "lab"
        and names.get(module, module) not in declared
    ]
    assert foreign == [], "the lab plays the cloud: it knows nothing of the program beside it"


def _imported(file: pathlib.Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
    return found


def test_no_modules_of_the_lab_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(("lab", *file.relative_to(LAB).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): file
        for file in LAB.rglob("*.py")
        if file.relative_to(LAB).parts[0] not in ("tests", "testing", "examples", "build")
    }
    graph: dict[str, set[str]] = {}
    for module, file in files.items():
        graph[module] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[module] |= {name if name in files else node.module for name in named}
            elif isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names}
        graph[module] = (graph[module] & set(files)) - {module}
    assert len(graph) > 100
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle
