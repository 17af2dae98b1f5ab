"""What the policies demand of a stack: settings by stack, in `policy/stacks.toml`.

The settings stand beside the policies and not in the stack's own file, so that who may loosen them
is who may loosen a policy (`.github/CODEOWNERS`), and so that they are read without any package.
"""

from __future__ import annotations

import pathlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FILE = pathlib.Path(__file__).resolve().parent / "stacks.toml"
KEYS = ("protected", "paid_share")


class StacksError(ValueError):
    """The stacks file cannot be used; the message lists every problem."""


@dataclass(frozen=True)
class Stack:
    """A stack and what the policies demand of it. The defaults are the strictest values: those of
    a stack that is not listed.
    """

    name: str
    protected: bool = True
    """Whether its data, users and money count."""
    paid_share: tuple[int, int] = (20, 100)
    """Least and most pay-as-you-go nodes, per cent of the pool's largest size."""


def load(path: pathlib.Path = FILE) -> dict[str, Stack]:
    """The stacks in a file, by name. Raises StacksError with every mistake at once."""
    try:
        entries = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StacksError(f"{path}: {error}: expected one table for each stack") from None
    mistakes = [
        f"{path} [{name}]: {text}" for name, entry in entries.items() for text in _mistakes(entry)
    ]
    if mistakes:
        raise StacksError("\n".join(mistakes))
    return {name: _stack(name, entry) for name, entry in entries.items()}


def named(name: str, stacks: Mapping[str, Stack]) -> Stack:
    """The stack of that name; one that is not listed is protected."""
    return stacks.get(name) or Stack(name)


def _stack(name: str, entry: Mapping[str, Any]) -> Stack:
    least, most = entry["paid_share"]
    return Stack(name, entry["protected"], (least, most))


def _mistakes(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"expected {' and '.join(KEYS)}"]
    mistakes = [
        f"{key}: no such key; expected {' and '.join(KEYS)}" for key in entry if key not in KEYS
    ]
    if not isinstance(entry.get("protected"), bool):
        mistakes.append(
            "protected: expected true or false; without it nobody knows whether data may be deleted"
        )
    share = entry.get("paid_share")
    if not (
        isinstance(share, list)
        and len(share) == 2
        and all(isinstance(bound, int) and not isinstance(bound, bool) for bound in share)
        and 0 <= share[0] <= share[1] <= 100
    ):
        mistakes.append("paid_share: expected two per cents such as [20, 100], the least first")
    return mistakes
