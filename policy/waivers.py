"""Waivers: exceptions to policies with a reason, each for one resource and optionally until a
date.
"""

from __future__ import annotations

import datetime
import pathlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policy.resources import Resource

FILE = pathlib.Path(__file__).resolve().parent / "waivers.toml"
KEYS = {"policy": str, "stacks": list, "resource": str, "reason": str, "until": datetime.date}


class WaiverError(ValueError):
    """The waivers file cannot be used; the message lists every problem."""


@dataclass(frozen=True)
class Waiver:
    """An exception to one policy for one resource."""

    policy: str
    stacks: tuple[str, ...]
    resource: str
    reason: str
    until: datetime.date | None = None

    def covers(self, policy: str, stack: str, resource: Resource, today: datetime.date) -> bool:
        """Whether the waiver lets this violation through today."""
        in_time = self.until is None or today <= self.until
        return (
            in_time
            and policy == self.policy
            and stack in self.stacks
            and resource.name == self.resource
        )


def load(path: pathlib.Path = FILE, policies: Iterable[str] = ()) -> tuple[Waiver, ...]:
    """The waivers in a file. Raises WaiverError with every mistake at once."""
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WaiverError(f"{path}: {error}: expected a list of waivers") from None
    entries = document.get("waiver", [])
    if not isinstance(entries, list) or set(document) - {"waiver"}:
        raise WaiverError(f"{path}: expected a list of waivers, each below a line [[waiver]]")
    names = set(policies)
    mistakes = [
        f"{path} entry {number}: {text}"
        for number, entry in enumerate(entries, 1)
        for text in _mistakes(entry, names)
    ]
    if mistakes:
        raise WaiverError("\n".join(mistakes))
    return tuple(
        Waiver(
            row["policy"],
            tuple(row["stacks"]),
            row["resource"],
            row["reason"],
            row.get("until"),
        )
        for row in entries
    )


def _mistakes(entry: Any, policies: set[str]) -> list[str]:
    if not isinstance(entry, dict):
        return ["expected policy, stacks, resource and reason"]
    mistakes = [
        f"{key}: no such key; expected {', '.join(KEYS)}" for key in entry if key not in KEYS
    ]
    for key, expected_type in KEYS.items():
        if key not in entry and key != "until":
            mistakes.append(f"{key} is missing: a waiver is for one thing, and says why")
        elif key in entry and (not isinstance(entry[key], expected_type) or not entry[key]):
            mistakes.append(
                f"{key}: expected {'a date such as 2026-12-31' if key == 'until' else f'a {expected_type.__name__} with something in it'}"
            )
    if policies and isinstance(entry.get("policy"), str) and entry["policy"] not in policies:
        mistakes.append(
            f"policy {entry['policy']}: there is none of that name; expected one of {', '.join(sorted(policies))}"
        )
    return mistakes
