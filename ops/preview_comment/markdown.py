"""Putting foreign text into Markdown so that it stays text: no HTML, no links, no mentions, no
hidden characters.
"""

from __future__ import annotations

import re
import unicodedata

_FENCE = re.compile(r"`{3,}")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def visible(text: str) -> str:
    """Control, direction-changing and zero-width characters as their code points; terminal colours
    gone; line ends kept.
    """
    return "".join(
        character if _harmless(character) else f"\\u{ord(character):04x}"
        for character in _ESCAPES.sub("", text)
    )


def _harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in (
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Zl",
        "Zp",
    )


def line(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def code(text: str, limit: int = 200) -> str:
    """A code span, fit for a table cell as well: a bar would end the cell even in code."""
    shown = line(text, limit).replace("|", "¦") or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    mark = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{mark}{pad}{shown}{pad}{mark}"


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence nothing in the text can close."""
    shown = visible(text).rstrip("\n")
    longest = max((len(run) for run in _FENCE.findall(shown)), default=2)
    mark = "`" * (longest + 1)
    return f"{mark}{language}\n{shown}\n{mark}"


def summary(text: str, limit: int = 120) -> str:
    """Text for a `<summary>`, where Markdown's code spans don't work: as HTML."""
    shown = line(text, limit)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        shown = shown.replace(character, entity)
    return shown


def details(title: str, body: str) -> str:
    """A folded section; `title` is HTML, `body` Markdown."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
