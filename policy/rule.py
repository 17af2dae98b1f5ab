"""A policy rule: its name, what it demands, and the functions that judge resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from policy.resources import Deployment, Resource
from policy.stacks import Stack

MANDATORY, ADVISORY = "mandatory", "advisory"
Finding = tuple[Resource, str]
"""The resource that breaks a rule, and how: names what is wrong and what to do, never a value that
may be secret.
"""


@dataclass(frozen=True)
class Rule:
    """One policy. `each` judges a resource alone, `whole` judges resources by each other."""

    name: str
    description: str
    """What must hold, and why, in one sentence."""
    each: Callable[[Resource, Stack], Iterator[str]] | None = None
    """Judges one resource of the stack: what is wrong with it."""
    whole: Callable[[Deployment], Iterator[Finding]] | None = None
    """Judges resources by each other."""
    level: str = MANDATORY

    def check(self, deployment: Deployment) -> Iterator[Finding]:
        """Every resource of the deployment that violates the rule, with the message."""
        if self.each is not None:
            yield from (
                (resource, text)
                for resource in deployment.each()
                for text in self.each(resource, deployment.stack)
            )
        if self.whole is not None:
            yield from self.whole(deployment)
