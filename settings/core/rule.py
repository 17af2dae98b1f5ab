"""Rules that look at more than one setting, or at more than a value's form, and the list of all of
them.

A rule stands in the file of the group whose mistake it reports.
"""

import inspect
from collections.abc import Callable, Iterator

from settings.core.problem import Problem

Rule = Callable[..., Iterator[Problem]]
RULES: list[tuple[tuple[str, ...], Rule]] = []
"""(dotted paths of the settings that the rule reads, rule), in the order in which their mistakes
are shown.
"""


def rule(*reads: str) -> Callable[[Rule], Rule]:
    """Registers a rule that reads the settings `reads` (dotted paths).

    As fixtures in pytest, the rule's parameters are named after attributes of `Settings`
    (`node_pool`, `region`, …) and get their values: a rule states what it needs, and the file of a
    group imports only the groups that its rules compare it with. A test compares names and types
    with `Settings` (tests/unit/test_shape_of_the_code.py).
    """

    def register(check: Rule) -> Rule:
        RULES.append((reads, check))
        return check

    return register


def broken_rules(settings: object, wrong: frozenset[str]) -> list[Problem]:
    """Problems found by the rules; a rule that reads one of the settings `wrong` (dotted paths, or
    a whole group) is left out.
    """
    return [
        problem
        for reads, check in RULES
        if not any(_overlaps(field, read) for field in wrong for read in reads)
        for problem in check(
            **{name: getattr(settings, name) for name in inspect.signature(check).parameters}
        )
    ]


def _overlaps(field: str, read: str) -> bool:
    """Whether one of two dotted paths contains the other."""
    return (
        field == read or field.startswith((f"{read}.", f"{read}[")) or read.startswith(f"{field}.")
    )
