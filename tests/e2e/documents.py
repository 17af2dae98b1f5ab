"""The commands that a page shows: fenced blocks by their info string (`sh`, `sh real-cloud`)."""

from __future__ import annotations

import pathlib
import re

from tests.e2e.harness import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: pathlib.Path, marker: str) -> list[str]:
    """The page's blocks with this info string, in order."""
    return re.findall(rf"^```{re.escape(marker)}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: pathlib.Path, marker: str) -> list[str]:
    """The lines of these blocks; a line that goes on (backslash) is one command."""
    lines = "\n".join(blocks(page, marker)).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def markers(page: pathlib.Path) -> set[str]:
    """Info strings of all blocks that hold shell commands."""
    return set(re.findall(r"^```(sh\b[^\n]*)$", page.read_text(), re.MULTILINE))
