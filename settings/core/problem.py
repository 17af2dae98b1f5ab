"""The message about a wrong setting."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PROJECT = "elastic-inference"


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, what was found, what was expected, what would go wrong, and how to
    fix it.
    """

    field: str
    """Dotted path as written in the stack file, without the project's name space, e.g.
    `nodePool.maxSize`.
    """
    value: Any
    """What was found; `None` stands for "nothing"."""
    expected: str
    consequence: str
    remedy: str
    """A command, or the edit to make."""

    def __str__(self) -> str:
        found = "not set" if self.value is None else _shown(self.value)
        return f"{self.field} is {found}\n     expected: {self.expected}\n     otherwise: {self.consequence}\n     remedy: {self.remedy}"


class SettingsError(Exception):
    """The stack's configuration can't be used. Carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem], stack: str):
        self.problems = tuple(problems)
        count = "1 setting" if len(self.problems) == 1 else f"{len(self.problems)} settings"
        lines = [f"{count} of stack '{stack}' can't be used; nothing was changed."]
        lines += [f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join(lines))


def set_command(field: str, example: str) -> str:
    """The command that sets `field` (a dotted path) to `example`, a word as a shell reads it.

    No quotes of YAML's belong into `example`: the CLI stores them as part of the text.
    """
    path = "--path " if "." in field or "[" in field else ""
    # What begins with a hyphen is an option to the CLI unless a -- stands before it.
    end = "-- " if example.lstrip("'\"").startswith("-") else ""
    return f"pulumi config set {path}{end}'{_key(field)}' {example}"


def remove_command(field: str) -> str:
    """The command that removes `field` from the stack file."""
    path = "--path " if "." in field or "[" in field else ""
    return f"pulumi config rm {path}'{_key(field)}'"


def item(parent: str, key: str) -> str:
    """The dotted path of a key of a map; a key with other than letters, digits, hyphens and
    underscores is quoted as the CLI wants it.
    """
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", key)
    return f"{parent}.{key}" if plain else f'{parent}["{key}"]'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known key most like `word`, if any is at all like it."""
    by_lower = {key.lower(): key for key in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def _key(field: str) -> str:
    return field if re.match(r"[\w-]+:", field) else f"{PROJECT}:{field}"


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
