"""Kubernetes quantities in canonical form, as the API's Go type writes them back ("1000m" -> "1", "1024Mi" -> "1Gi")."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SYNTAX = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?")


def canonical(text: str) -> str:
    """The canonical spelling of a quantity; raises ValueError when `text` is not one."""
    match = _SYNTAX.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity")
    number, suffix = Decimal(match.group(1)), match.group(2) or ""
    if suffix in _BINARY:
        value = number * Decimal(1024) ** _BINARY[suffix]
        if abs(value) >= 1024 and value == value.to_integral_value():
            return _binary(int(value))
        return _decimal(value)  # a fraction of a byte or less than 1 Ki: the decimal form is the canonical one
    if suffix in _DECIMAL:
        return _decimal(number.scaleb(_DECIMAL[suffix]))
    return _decimal(number.scaleb(int(suffix[1:])), exponent=True)


def _binary(value: int) -> str:
    for suffix, power in reversed(_BINARY.items()):
        unit = 1024**power
        if value % unit == 0:
            return f"{value // unit}{suffix}"
    return str(value)


def _decimal(value: Decimal, exponent: bool = False) -> str:
    nano = int((value * Decimal(10) ** 9).to_integral_value(rounding=ROUND_CEILING))
    if nano == 0:
        return "0"
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        unit = 10 ** (power + 9)
        if nano % unit == 0:
            tail = (f"e{power}" if power else "") if exponent else suffix
            return f"{nano // unit}{tail}"
    raise AssertionError("unreachable: nano divides everything")
