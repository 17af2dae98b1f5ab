"""The only ways in which foreign text gets into a comment: a code span, a code block, `<code>`.

Nothing that a pull request writes stands outside of code, where GitHub makes mentions, links,
images and references of it.

Each way redacts first and escapes last, so that no replacement runs over finished Markdown: taking
a secret out of `` `token=…` `` would take the backtick with it. Escapes do not depend on counting:
text holds no backtick that could close its code. GitHub's parser (cmark-gfm) reads a run of more
than 80 backticks as text, and a fence of more than 255 as one of 255.
"""

from __future__ import annotations

import re
import unicodedata

from ops.preview_comment.redact import scrub

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_FENCE = re.compile(r"`{3,}")
_BACKTICK = "ˋ"
"""Stands for a backtick in code: U+02CB, which looks like one."""
_BAR = "¦"
"""Stands for a bar in a code span: a bar ends a table's cell even in code."""


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
    """One line of at most `limit` characters, without secrets. It is no Markdown yet."""
    flat = " ".join(visible(scrub(text)).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def code(text: str, limit: int = 200) -> str:
    """A code span of at most `limit` characters, fit for a table's cell as well."""
    shown = line(text, limit).replace("|", _BAR).replace("`", _BACKTICK) or " "
    return f"`{shown}`"


def fenced(text: str, language: str = "") -> str:
    """A code block. `language` is ours."""
    shown = _FENCE.sub(lambda run: _BACKTICK * len(run[0]), visible(scrub(text)).rstrip("\n"))
    return f"```{language}\n{shown}\n```"


def html_code(text: str, limit: int = 120) -> str:
    """Code as HTML: for a `<summary>`, where Markdown's code spans don't work. An entity such as
    `&#64;` would not stop a mention there; GitHub looks for mentions after it has read entities.
    """
    shown = line(text, limit)
    shown = shown.replace("`", _BACKTICK)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        shown = shown.replace(character, entity)
    return f"<code>{shown}</code>"


def details(title: str, body: str) -> str:
    """A folded section; `title` is HTML, `body` Markdown."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
