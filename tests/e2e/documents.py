"""The commands that a page shows: fenced blocks by their info string (`sh`, `sh real-cloud`)."""

from __future__ import annotations

import pathlib
import re
import subprocess

from tests.e2e.harness import ROOT, Lab

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: pathlib.Path, marker: str) -> list[str]:
    """The page's blocks with this info string, in order."""
    return re.findall(
        rf"^```{re.escape(marker)}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    )


def commands(page: pathlib.Path, marker: str) -> list[str]:
    """The lines of these blocks; a line that goes on (backslash) is one command."""
    lines = "\n".join(blocks(page, marker)).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def markers(page: pathlib.Path) -> set[str]:
    """Info strings of all blocks that hold shell commands."""
    return set(re.findall(r"^```(sh\b[^\n]*)$", page.read_text(), re.MULTILINE))


def typed(lab: Lab, page: pathlib.Path, line: str) -> None:
    """Runs a command as a reader of the page types it; it must end with 0."""
    lab.settled = lab.settled and line.startswith("curl ")
    options = {
        "cwd": lab.program,
        "env": lab.env,
        "capture_output": True,
        "text": True,
        "timeout": 300,
    }
    done = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, check=False, **options)
    assert done.returncode == 0, f"{page.name}: {line}\n{done.stdout}\n{done.stderr}"
    lab.typed.add(line)
