"""Every command in the README runs, in the order in which a reader meets it."""

from __future__ import annotations

import re

from tests.e2e.documents import commands, typed
from tests.e2e.harness import ROOT, Lab

README = ROOT / "README.md"
LONG = ("make test", "make prove", "make bench")
"""Commands that run this very test, or minutes of others; they must exist as targets, and CI runs
them by themselves.
"""


def test_the_readme_shows_commands_for_the_lab() -> None:
    assert {"make up", "make test", "make down"} <= set(commands(README, "sh"))


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = {
        line.split()[1]
        for line in [*commands(README, "sh"), *commands(README, "sh real-cloud")]
        if line.startswith("make ")
    }
    assert used and used <= targets


def test_the_readmes_lab_commands_run(lab: Lab) -> None:
    """Those that a page under docs/ has run in this lab are not run again (`make prove ITEM=A11`
    runs them all, in this order).
    """
    for command in commands(README, "sh"):
        if not command.startswith(LONG) and command != "make down" and command not in lab.typed:
            typed(lab, README, command)
