"""What a user of the planner is told about wrong input: all mistakes at once, one sentence group
each.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """One mistake: where, what was found, what was expected, what would go wrong, how to mend
    it.
    """

    where: str
    found: Any
    expected: str
    otherwise: str
    remedy: str

    def __str__(self) -> str:
        shown = "not set" if self.found is None else repr(self.found)
        shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
        return f"{self.where} is {shown}\n     expected: {self.expected}\n     otherwise: {self.otherwise}\n     remedy: {self.remedy}"


class PlanError(Exception):
    """The input can't be planned with. Carries every mistake found."""

    def __init__(self, mistakes: Sequence[Mistake]):
        self.mistakes = tuple(mistakes)
        count = "1 input" if len(self.mistakes) == 1 else f"{len(self.mistakes)} inputs"
        lines = [f"{count} of the planner can't be used; nothing was simulated or written."]
        super().__init__(
            "\n".join(
                [
                    *lines,
                    *(f"  {number}. {mistake}" for number, mistake in enumerate(self.mistakes, 1)),
                ]
            )
        )


class Collector(list[Mistake]):
    """Mistakes found so far."""

    def check(self) -> None:
        """Raise PlanError if there are any."""
        if self:
            raise PlanError(self)


def nearest(word: str, known: Iterable[str]) -> str:
    """' did you mean X?' for the known word most like `word`, or ''."""
    by_lower = {key.lower(): key for key in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""
