"""What a rule on several settings is, and the list of all of them."""

from collections.abc import Callable, Iterator

from settings.core.problem import Problem
from settings.root import Settings

Rule = Callable[[Settings], Iterator[Problem]]
REGISTERED: list[tuple[tuple[str, ...], Rule]] = []


def rule(*reads: str) -> Callable[[Rule], Rule]:
    """Register a rule that reads the settings `reads` (dotted paths)."""

    def register(check: Rule) -> Rule:
        REGISTERED.append((reads, check))
        return check

    return register
