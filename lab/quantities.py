"""Kubernetes quantities, such as "500m", "1Ki" and "2e3", as exact numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkKMGTPE]i?))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_FACTORS = {suffix: Decimal(10) ** power for suffix, power in _DECIMAL.items()} | {
    suffix: Decimal(2**power) for suffix, power in _BINARY.items()
}


def quantity(value: Any) -> Decimal:
    """The number that a quantity (text or number) stands for: cores, bytes, or a count. ValueError
    for what the API server would not take.
    """
    found = _FORM.fullmatch(str(value))
    if found is None or (found[3] and found[3] not in _FACTORS):
        raise ValueError(f"{value!r} is not a Kubernetes quantity such as 500m or 8Gi")
    number, exponent, suffix = found.groups()
    if suffix:
        return Decimal(number) * _FACTORS[suffix]
    return Decimal(number) * Decimal(10) ** int(exponent or 0)
