"""What a user of the planner is told about wrong input: all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from settings.core.problem import Problem, nearest


class PlanError(Exception):
    """The planner can't use its input. Carries every problem found."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        count = "1 input" if len(self.problems) == 1 else f"{len(self.problems)} inputs"
        lines = [f"{count} of the planner can't be used; nothing was simulated or written."]
        lines += [f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join(lines))


class Problems(list[Problem]):
    """A list of problems that can be raised together."""

    def check(self) -> None:
        """Raise PlanError if there are any."""
        if self:
            raise PlanError(self)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the known word that is most like `word`; empty if none is."""
    word_like = nearest(word, known)
    return f"; did you mean {word_like}?" if word_like else ""
