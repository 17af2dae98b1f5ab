"""Comparing version numbers as tools print them."""

import re
from collections.abc import Callable

Version = tuple[int, int, int]
Accepts = Callable[[str], bool]

_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> Version | None:
    """The first version number in a text, or None: `parse("go1.26.8 linux")` is `(1, 26, 8)`."""
    match = _NUMBER.search(text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


def number(text: str) -> str:
    """The first version number in a text as `1.2.3`, or ""."""
    parsed = parse(text)
    return ".".join(map(str, parsed)) if parsed else ""


def exactly(version: str) -> Accepts:
    """Accepts only this version."""
    return lambda found: parse(found) == parse(version)


def same_minor(version: str) -> Accepts:
    """Accepts any patch release of the same minor version that is not older."""
    wanted = parse(version) or (0, 0, 0)

    def accepts(found: str) -> bool:
        got = parse(found)
        return got is not None and got[:2] == wanted[:2] and got >= wanted

    return accepts


def same_major(version: str) -> Accepts:
    """Accepts any release of the same major version that is not older."""
    wanted = parse(version) or (0, 0, 0)

    def accepts(found: str) -> bool:
        got = parse(found)
        return got is not None and got[0] == wanted[0] and got >= wanted

    return accepts
