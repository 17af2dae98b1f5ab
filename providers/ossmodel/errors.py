"""What can go wrong, said once: field, value, what was expected, what would happen, and what to
do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ModelError(Exception):
    """A mistake or an outside cause that the user can act on; its text is the whole message."""


class Cancelled(ModelError):  # noqa: N818 - no fault: the engine asked for it
    """The engine asked the provider to stop."""


class PartialFailureError(Exception):
    """A create or update that stopped half-way: the resource exists and the next run takes it up
    again.

    `outputs` are the properties known so far, `cause` is what stopped the work.
    """

    def __init__(self, resource_id: str, outputs: dict[str, Any], cause: Exception) -> None:
        super().__init__(str(cause))
        self.resource_id = resource_id
        self.outputs = outputs
        self.cause = cause


def describe(field: str, value: Any, expected: str, consequence: str, remedy: str) -> str:
    """One message in the form every bad input of this provider gets."""
    return f"{field} is {shown(value)}; expected {expected}. {_sentence(consequence)} {_sentence(remedy)}"


def shown(value: Any) -> str:
    """`value` as it is printed in a message: quoted, and never longer than a line."""
    if value is None:
        return "not set"
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first of `names`, and how many more there are: never longer than a few lines."""
    rows = list(names)
    more = len(rows) - most
    return ", ".join(rows[:most]) + (f" and {more} more" if more > 0 else "")


def unknown_key(where: str, key: str, known: Iterable[str]) -> str:
    """The message for a property that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    if not near:
        near = [name for name in names if name.lower() == key.lower().replace("_", "")]
    remedy = f"did you mean {near[0]!r}?" if near else "remove it."
    return f"{key!r} is not a property of {where}; expected one of {', '.join(names)}. It would have no effect; {remedy}"


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
