"""What the pages under docs/ tell a reader to type: it runs, in the order in which it is read, or
at least it exists.
"""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from lab.testing.figures import figure
from tests.e2e.documents import PAGES, blocks, commands, markers, typed
from tests.e2e.harness import ROOT, Lab

RUN = [page for page in PAGES if page.parent.name == "docs" and blocks(page, "sh")]
ENDS_THE_LAB = "make down"
IDENTITY = ("-c", "user.name=reader", "-c", "user.email=reader@example.com")
MAKEFILE = (ROOT / "Makefile").read_text()


def targets() -> dict[str, str]:
    """Every target of the Makefile, with the module that it runs."""
    found = re.findall(r"^([a-z]+):.*\n\t@\$\(IN\) -m ([\w.]+)", MAKEFILE, re.MULTILINE)
    return dict.fromkeys(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE), "") | dict(found)


def shown() -> list[tuple[pathlib.Path, str]]:
    """Every command of every page, whatever its block is for."""
    return [
        (page, line)
        for page in PAGES
        for marker in sorted(markers(page))
        for line in commands(page, marker)
    ]


def test_operations_shows_commands_for_every_task() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == [
        "Deploy", "Preview", "Roll back", "Drift", "Adopt", "Tear down", "Recover", "Watch the interruption handler",
        "Exit statuses", "Which model goes with which image",
    ]  # fmt: skip
    assert all("```sh\n" in section for section in sections[:8])  # the others are for reference
    figure(
        f"{sum(len(commands(page, 'sh')) for page in RUN)} commands of {len(RUN)} pages under docs/, and the README's"
    )


def test_every_make_target_and_every_module_that_a_page_names_exists() -> None:
    made = [line.split()[1] for _, line in shown() if line.startswith("make ")]
    assert len(made) > 20 and set(made) <= set(targets())
    modules = {
        module for _, line in shown() for module in re.findall(r"python3? -m ([\w.]+)", line)
    }
    assert modules and all(
        importlib.util.find_spec(module) for module in modules if module != "venv"
    )


def test_every_option_that_a_page_hands_to_a_make_target_is_known_to_its_command() -> None:
    wrong, helps = [], {}
    for page, line in shown():
        given = re.search(r"^make (\w+).*\bARGS=(\".*?\"|'.*?'|\S+)", line)
        if not given:
            continue
        module = targets()[given[1]]
        if module not in helps:
            helps[module] = subprocess.run(
                [sys.executable, "-m", module, "--help"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        words = [
            word.partition("=")[0]
            for word in shlex.split(given[2].strip("\"'"))
            if word.startswith("--")
        ]
        wrong += [f"{page.name}: {line}: no {word}" for word in words if word not in helps[module]]
    assert wrong == []


@pytest.fixture
def repository(lab: Lab) -> Lab:
    """The copy of the checkout as a repository of one commit, as a reader has it; what is deployed,
    the page says.
    """
    if not (lab.program / ".git").exists():
        for command in (["init", "-q"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "all"]):
            subprocess.run(["git", *command], cwd=lab.program, check=True)
        for key in ("user.name", "user.email"):
            subprocess.run(
                ["git", "config", key, "reader@example.com"], cwd=lab.program, check=True
            )
    subprocess.run(
        ["git", "commit", "-qam", "as it is now", "--allow-empty"], cwd=lab.program, check=True
    )
    return lab


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(repository: Lab, page: pathlib.Path) -> None:
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith(("#", ENDS_THE_LAB)):
                continue
            typed(repository, page, line)
