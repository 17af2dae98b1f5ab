"""Delays that vary: a number, or a distribution to draw from."""

from __future__ import annotations

import math
import random
from typing import Any

EXPECTED = "seconds, 0 or more, or {uniform: [low, high]}, or {lognormal: {median: seconds, sigma: number}}"


def problem(spec: Any) -> str:
    """What is wrong with a delay as written, "" when nothing is."""
    if _number(spec):
        return ""
    if isinstance(spec, dict) and len(spec) == 1:
        ((kind, inner),) = spec.items()
        if (
            kind == "uniform"
            and isinstance(inner, list)
            and len(inner) == 2
            and all(map(_number, inner))
            and inner[0] <= inner[1]
        ):
            return ""
        if (
            kind == "lognormal"
            and isinstance(inner, dict)
            and set(inner) == {"median", "sigma"}
            and all(map(_number, inner.values()))
        ):
            return ""
    return f"{spec!r}: expected {EXPECTED}"


def draw(spec: Any, rng: random.Random) -> float:
    """Seconds: the number itself, or one draw."""
    if not isinstance(spec, dict):
        return float(spec)
    if "uniform" in spec:
        return rng.uniform(*spec["uniform"])
    return math.exp(
        rng.gauss(math.log(spec["lognormal"]["median"] or 1e-9), spec["lognormal"]["sigma"])
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
