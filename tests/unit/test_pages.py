"""The pages point to what exists: links, files and sections in every page; CONTRIBUTING's table
leads from a setting's key to its resource without a gap.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from settings.core.doc import _field, _group
from tests.unit.program import ROOT

PAGES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--", "*.md", ":!tests/data"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
EXAMPLES = {"tests/prove/test_r9_offline_graph.py"}
"""Files that CONTRIBUTING's examples add."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:[\w-]+/)+[\w-]+\.(?:py|yaml|yml|json|md|go|toml|svg))`")
ROW = re.compile(
    r"^\| `(\w+)\.(\w+)` \| `(\w+)`, `(settings/\w+\.py)` \| `(components/\w+/\w+\.py)` \| `[\w.]+`: (.+) \|$",
    re.MULTILINE,
)


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def sections(page: Path) -> set[str]:
    """Anchors of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def named(page: Path) -> Path:
    """The page's path in the repository, for a message."""
    return page.relative_to(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(named(page)))
def test_every_link_leads_to_a_file_and_a_section_that_exist(page: Path) -> None:
    lost = []
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in sections(target)
        ):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(named(page)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    places = (ROOT, page.parent, ROOT / "lab")
    lost = {
        name
        for name in FILE.findall(prose(page))
        if name not in EXAMPLES and not any((place / name).exists() for place in places)
    }
    assert lost == set()


def test_ten_settings_are_followed_from_the_key_to_the_resource() -> None:
    rows = ROW.findall(CONTRIBUTING.read_text())
    assert len(rows) >= 10, "the table has another form than this test reads"
    for group, key, attribute, declared, used, argument in rows:
        settings = _group(_field(group)[1])
        assert settings.model_fields[attribute].alias == key, f"{group}.{key} is not {attribute}"
        assert settings.__module__ == declared.removesuffix(".py").replace("/", "."), declared
        source = (ROOT / used).read_text()
        assert re.search(rf"\bsettings\.{attribute}\b", source), f"{used} does not use {attribute}"
        for name in re.findall(r"`([\w.-]+)`", argument):
            assert name in source, f"{used} has no {name}"
